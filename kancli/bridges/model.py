"""Open a library's model or its tensors: read it, write into it, initialise it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from kancli.bridges.base_names import name_of
from kancli.bridges.layout import LayerTensors, Layout
from kancli.bridges.leaves import Leaf, leaves_of
from kancli.bridges.own import check_metadata
from kancli.bridges.recognise import LAYOUTS, read_layers, recognise
from kancli.bridges.spec import LayerSpec, NetworkSpec
from kancli.errors import ConfigError
from kancli.inits.initialise import init_
from kancli.kan.base_functions import NAMES, base_function
from kancli.kan.layer import KANLayer
from kancli.kan.network import KAN
from kancli.synonyms import nearest

if TYPE_CHECKING:
    from kancli.inits.scheme import Scheme

DEFAULT_BASE = "silu"  # of all libraries here


@dataclass(frozen=True)
class OpenModel:
    """A model of another library, by its tensors."""

    layout: Layout
    layers: list[LayerTensors]
    leaves: dict[str, Leaf]
    spec: NetworkSpec

    def write_(self, network: NetworkSpec) -> None:
        """Replace the model's tensors by those of a network; none if one does not fit.

        Raises:
            ConfigError: the shapes differ, the base functions do, or the library has no place for a tensor.
        """
        _check_base(network, self.spec)
        if network.width != self.spec.width:
            raise ConfigError([f"the model has width {list(network.width)}, the one to fill {list(self.spec.width)}"])
        replaced: list[tuple[Leaf, Tensor]] = []
        for layer, spec in zip(self.layers, network.layers, strict=True):
            if network.base_name == "zero" and self.layout.lacks_base(layer):
                spec = replace(spec, scale_base=torch.zeros_like(spec.scale_base))
            for name, tensor in self.layout.write(spec, layer).items():
                leaf = self.leaves[layer.full_names[name]]
                if leaf.tensor.shape != tensor.shape:
                    layer.fail(name, f"has shape {list(leaf.tensor.shape)}, the other model {list(tensor.shape)}")
                if leaf.fault:
                    layer.fail(name, leaf.fault)
                replaced.append((leaf, tensor.to(leaf.tensor)))
        with torch.no_grad():
            for leaf, tensor in replaced:
                leaf.replace(tensor)


def open_model(model: Any, *, base_fun: str | Callable[[Tensor], Tensor] | None = None) -> OpenModel:
    """Recognise a model and read it.

    Args:
        model: as for `leaves_of`.
        base_fun: b(x) or its name, for tensors without a model; None for the model's own, else silu.

    Raises:
        ConfigError: it is of no library here, or has what a KAN here lacks.
        TypeError: it is no model and no mapping of tensors.
    """
    leaves = leaves_of(model)
    check_metadata(getattr(model, "_metadata", None))  # of a state dict
    layout, layers, specs = read_tensors({name: leaf.tensor for name, leaf in leaves.items()})
    live = _live_layers(model, layers, layout)
    return OpenModel(layout, layers, leaves, _network(layout, layers, specs, base_fun, live))


def read_tensors(
    tensors: Mapping[str, Tensor], layout: str | None = None
) -> tuple[Layout, list[LayerTensors], tuple[LayerSpec, ...]]:
    """Recognise and read tensors by name; arguments and errors as for `recognise` and `read_layers`."""
    known, layers = recognise(tensors, layout)
    return known, layers, read_layers(known, layers)


def network_of_tensors(
    tensors: Mapping[str, Tensor], layout: str | None = None, base_fun: str | None = None
) -> NetworkSpec:
    """The network that tensors describe, as in a checkpoint.

    Raises:
        ConfigError: as for `recognise` and `read_layers`, or there is no such base function.
    """
    known, layers, specs = read_tensors(tensors, layout)
    return _network(known, layers, specs, base_fun, [])


@torch.no_grad()
def initialise_(opened: OpenModel, scheme: Scheme, *, seed: int) -> None:
    """Fill a model's parameters in place from the laws of a scheme: the numbers of a KAN here of the same shape.

    Its knots stay. So does its mask, unless the scheme has one. Biases and affine maps of nodes are set to those of no
    effect, or to the scheme's.

    Raises:
        ConfigError: the grid was updated, or the library has no place for what the scheme sets.
    """
    spec, title = opened.spec, opened.layout.title
    if scheme.standardises:
        raise ConfigError(
            [f"{type(scheme).__name__} standardises the bases over each batch, which this model of {title} does not"]
        )
    if scheme.has_mask and not opened.layout.has_mask:
        raise ConfigError([f"{type(scheme).__name__} switches edges off, which {title} cannot; take another init"])
    for number, layer in enumerate(spec.layers):
        if not layer.has_uniform_grid():
            raise ConfigError(
                [
                    f"layer {number}: its knots are not uniform and the same for all inputs, which the laws are for;"
                    " initialise before the grid is updated"
                ]
            )
    drawn = init_(_empty_like(spec, scheme), scheme, seed=seed)
    opened.write_(
        NetworkSpec(
            tuple(
                LayerSpec(
                    new.coef.detach(),
                    new.scale_base.detach(),
                    new.scale_sp.detach(),
                    old.knots,
                    None if new.bias is None else new.bias.detach(),
                    old.mask if new.mask is None else new.mask,
                    old.trains_scale,
                    old.eps,
                )
                for new, old in zip(drawn.layers, spec.layers, strict=True)
            ),
            spec.base_fun,
            spec.base_name,
        )
    )


def _empty_like(spec: NetworkSpec, scheme: Scheme) -> KAN:
    """A KAN of a spec's sizes, which may differ from layer to layer in grid and k, before its parameters are drawn."""
    layers = []
    for layer in spec.layers:
        options = {
            "grid": layer.grid,
            "k": layer.k,
            "base_fun": spec.base_fun,
            "base_name": spec.base_name,
            "grid_range": layer.grid_range(),
            "bias": scheme.has_bias,
            "masked": scheme.has_mask,
            "dtype": layer.coef.dtype,
            "device": layer.coef.device,
        }
        layers.append(KANLayer(layer.n_in, layer.n_out, **options))
    model = KAN(spec.width[:1])  # without layers
    model.width, model.layers = spec.width, nn.ModuleList(layers)  # pyright: ignore[reportAttributeAccessIssue]
    return model


def new_tensors(library: str, network: NetworkSpec) -> dict[str, Tensor]:
    """The tensors of a network by a library's names, as its state dict has them.

    Raises:
        ConfigError: there is no such library here, or it has no place for a tensor.
    """
    if library not in LAYOUTS:
        raise ConfigError([f"{library}: allowed: {', '.join(LAYOUTS)}{nearest(library, LAYOUTS)}"])
    layout = LAYOUTS[library]
    return {
        layout.prefix + layout.names[name].format(number): tensor.contiguous().clone()
        for number, spec in enumerate(network.layers)
        for name, tensor in layout.write(spec, None).items()
    }


def _live_layers(model: Any, layers: list[LayerTensors], layout: Layout) -> list[Any]:
    """The layers of a live model as objects, none of a mapping.

    Raises:
        ConfigError: the model has what its tensors do not show, and what a KAN here lacks.
    """
    if not isinstance(model, nn.Module):
        return [] if isinstance(model, Mapping) else list(model.layers)
    pattern = layout.names[layout.marker]
    name = layers[0].full_names[layout.marker]
    if name.endswith(pattern.format(0)):  # not a layer alone
        layout.check_live(model.get_submodule(name.removesuffix(pattern.format(0)).removesuffix(".")))
    own = pattern.split("{}.", 1)[1]
    paths = [layer.full_names[layout.marker].removesuffix(own).removesuffix(".") for layer in layers]
    return [model.get_submodule(path) for path in paths]


def _network(
    layout: Layout,
    layers: list[LayerTensors],
    specs: tuple[LayerSpec, ...],
    base_fun: str | Callable[[Tensor], Tensor] | None,
    live: list[Any],
) -> NetworkSpec:
    if base_fun is None and layout.lacks_base(layers[0]):
        base_fun = "zero"
    if base_fun is None and live:
        functions = [getattr(layer, layout.base_attribute, None) for layer in live]
        arrays = not isinstance(live[0], nn.Module)
        names = [function and name_of(function, arrays=arrays) for function in functions]
        if len(set(names)) > 1:
            raise ConfigError([f"base functions {', '.join(map(str, names))}: a KAN here has one for all layers"])
        base_fun = names[0] or functions[0]
        if names[0] is None and arrays:
            raise ConfigError(
                ["its base function has no name in kancli; give base_fun=, a function of torch tensors with its values"]
            )
    if base_fun is None:
        base_fun = DEFAULT_BASE
    if callable(base_fun):
        return NetworkSpec(specs, base_fun, name_of(base_fun))
    if base_fun not in NAMES:
        raise ConfigError([f"base_fun={base_fun}: allowed: one of {', '.join(NAMES)}{nearest(base_fun, NAMES)}"])
    return NetworkSpec(specs, base_function(base_fun), base_fun)


def _check_base(network: NetworkSpec, other: NetworkSpec) -> None:
    if network.base_name != other.base_name or (network.base_name is None and network.base_fun is not other.base_fun):
        names = [spec.base_name or "a function without a name" for spec in (network, other)]
        raise ConfigError(
            [f"base_fun: {names[0]}, and that of the model to fill is {names[1]}; build it with the same"]
        )
