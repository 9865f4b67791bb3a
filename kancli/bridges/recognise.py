"""Recognise a library's model by the names and shapes of its tensors."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from kancli.bridges import efficient_kan, inkan, jaxkan, own, pykan, pykan_0_0_5
from kancli.bridges.layout import LayerTensors, Layout
from kancli.bridges.spec import LayerSpec
from kancli.errors import ConfigError

MODULES = (pykan, pykan_0_0_5, efficient_kan, inkan, jaxkan, own)
LAYOUTS: dict[str, Layout] = {module.LAYOUT.library: module.LAYOUT for module in MODULES}
MAX_NAMES = 3  # that a message lists
MAX_NAME = 200  # characters of a tensor's name

Layers = list[LayerTensors]


def recognise(tensors: Mapping[str, Tensor], layout: str | None = None) -> tuple[Layout, Layers]:
    """The layout of a model's tensors, and the tensors of each layer.

    Args:
        tensors: by name, as in a state dict.
        layout: a name in `LAYOUTS`, or None for any; "pykan" stands for all versions of pykan.

    Raises:
        ConfigError: they are no such model's: tensors are missing, or there are others.
    """
    for name in tensors:
        if len(name) > MAX_NAME or not name.isprintable():
            raise ConfigError([f"a tensor is named {name[:20]!a}...: allowed: up to {MAX_NAME} printable characters"])
    allowed = [known for name, known in LAYOUTS.items() if layout in (None, name) or name.startswith(f"{layout}_0_")]
    found = [(known, _by_layer(known, tensors)) for known in allowed]
    complete = [(known, layers) for known, layers in found if _is_complete(known, layers)]
    if complete:
        known, layers = complete[0]
        _check_names(known, layers, tensors)
        return known, [layers[number] for number in sorted(layers)]
    raise ConfigError([_unknown(found, tensors, layout)])


def read_layers(layout: Layout, layers: Sequence[LayerTensors]) -> tuple[LayerSpec, ...]:
    """Read and check every layer, in one dtype: float64 where a tensor has it, else float32.

    Raises:
        ConfigError: shapes do not fit, knots do not increase, or the library's model has what a KAN here lacks.
    """
    for layer in layers:
        for name, tensor in layer.tensors.items():
            if not tensor.is_floating_point() and (tensor.dtype, name) != (torch.bool, "mask"):
                layer.fail(name, f"holds {str(tensor.dtype).removeprefix('torch.')}; wanted: real numbers")
            if tensor.is_meta:
                layer.fail(name, "is on the meta device, which holds no numbers")
            if tensor.layout != torch.strided:
                layer.fail(name, "is sparse; give tensor.to_dense()")
    double = any(tensor.dtype == torch.float64 for layer in layers for tensor in layer.tensors.values())
    dtype = torch.float64 if double else torch.float32
    specs = []
    for layer in layers:
        eps = max(torch.finfo(tensor.dtype).eps for tensor in layer.tensors.values() if tensor.dtype != torch.bool)
        spec = layout.read(_in_dtype(layer, dtype))
        spec = replace(spec, eps=max(eps, spec.eps))
        _check(layout, spec, layer)
        if specs and specs[-1].n_out != spec.n_in:
            name = next(iter(layer.full_names.values()))
            raise ConfigError([f"{name}: {spec.n_in} inputs after a layer of {specs[-1].n_out} outputs"])
        specs.append(spec)
    return tuple(specs)


def _in_dtype(layer: LayerTensors, dtype: torch.dtype) -> LayerTensors:
    converted = {
        name: tensor if tensor.dtype == torch.bool else tensor.detach().to(dtype)
        for name, tensor in layer.tensors.items()
    }
    return LayerTensors(converted, layer.full_names)


def _check(layout: Layout, spec: LayerSpec, layer: LayerTensors) -> None:
    """Check what every layout has in common: sizes, and knots that increase."""
    knots = "grid" if "grid" in layer else "grid_starts" if "grid_starts" in layer else "knots"
    if not spec.n_in or not spec.n_out:
        raise ConfigError([f"{next(iter(layer.full_names.values()))}: a layer without edges"])
    if spec.knots.shape[0] != spec.n_in or spec.k < 0 or spec.grid < 1:
        layer.fail(
            knots,
            f"has shape {list(layer[knots].shape)}; {layout.title} has a row of G + 2k + 1 knots for each of"
            f" {spec.n_in} inputs and {spec.coef.shape[-1]} = G + k coefficients",
        )
    rising = (spec.knots.diff(dim=-1) > 0).all(-1) & spec.knots.isfinite().all(-1)
    if not rising.all():
        row = int((~rising).nonzero()[0])
        layer.fail(knots, f"the knots of input {row} are not finite and increasing")


def _by_layer(layout: Layout, tensors: Mapping[str, Tensor]) -> dict[int, LayerTensors]:
    """The tensors whose names fit a layout's patterns, by the layer's number."""
    found = _match(tensors, {name: _numbered(pattern) for name, pattern in layout.names.items()})
    if not any(layout.required <= set(names) for names in found.values()):
        own = layout.names[layout.marker].partition("{}.")[0] + "{}."
        single = {name: _unnumbered(pattern) for name, pattern in layout.names.items() if pattern.startswith(own)}
        alone = _match(tensors, single)
        if any(layout.required <= set(names) for names in alone.values()):
            found = alone
    return {
        number: LayerTensors({name: tensors[full] for name, full in names.items()}, names)
        for number, names in found.items()
    }


def _match(names: Mapping[str, Tensor], patterns: Mapping[str, re.Pattern[str]]) -> dict[int, dict[str, str]]:
    found: dict[int, dict[str, str]] = {}
    for full in names:
        for name, pattern in patterns.items():
            if match := pattern.fullmatch(full):
                found.setdefault(int(match.groupdict().get("number") or 0), {})[name] = full
    return found


def _numbered(pattern: str) -> re.Pattern[str]:
    return re.compile(r"(?:.*\.)?" + re.escape(pattern).replace(r"\{\}", r"(?P<number>\d{1,6})"), re.DOTALL)


def _unnumbered(pattern: str) -> re.Pattern[str]:
    return re.compile(r"(?:.*\.)?" + re.escape(pattern.split("{}.", 1)[1]), re.DOTALL)


def _is_complete(layout: Layout, layers: Mapping[int, LayerTensors]) -> bool:
    whole = [layer for layer in layers.values() if layout.required <= layer.tensors.keys()]
    return bool(whole) and layout.knows(whole[0])


def _check_names(layout: Layout, layers: Mapping[int, LayerTensors], tensors: Mapping[str, Tensor]) -> None:
    """Check that the layers are complete, and that there are no tensors besides theirs.

    Raises:
        ConfigError: one is missing or unknown.
    """
    for place, number in enumerate(sorted(layers)):
        layer = layers[number]
        if place != number:
            numbers = ", ".join(map(str, sorted(layers)[:10]))
            raise ConfigError(
                [
                    f"layers {numbers} of {layout.title}, and no layer {place}: what else acts there is unknown;"
                    " hand in the KAN's layers alone, as torch.nn.Sequential(*layers)"
                ]
            )
        for name in sorted(layout.required - layer.tensors.keys()):
            raise ConfigError([f"like {layout.title}, but {_missing(layout, layer, name, number)}"])
        if not layout.knows(layer):
            shapes = {full: layer[name] for name, full in layer.full_names.items()}
            raise ConfigError([f"{_listed(list(shapes), shapes)}: not the shapes of a layer of {layout.title}"])
    starts = {start: full for layer in layers.values() for start, full in _starts(layout, layer).items()}
    if len(starts) > 1:
        one, other = list(starts.values())[:2]
        raise ConfigError([f"{one} and {other} are of different networks; hand in the KAN alone (model.kan)"])
    known = {full for layer in layers.values() for full in layer.full_names.values()}
    others = [name for name in tensors if name not in known and not layout.ignored & set(name.split("."))]
    if others and layout.base_attribute in others[0].split("."):
        raise ConfigError([f"{_listed(others[:1], tensors)}: a base function that is trained has no counterpart here"])
    if others:
        raise ConfigError(
            [
                f"{_listed(others, tensors)}: not a tensor of {layout.title}; hand in the KAN alone"
                " (model.kan), or its tensors"
            ]
        )


def _starts(layout: Layout, layer: LayerTensors) -> dict[str, str]:
    """What stands before the patterns in the names of a layer's tensors, each with one of these names."""
    patterns = [(full, _numbered_end(layout.names[name])) for name, full in layer.full_names.items()]
    return {full[: match.start()]: full for full, pattern in patterns if (match := pattern.search(full))}


def _numbered_end(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern).replace(r"\{\}", r"\d{1,6}") + r"\Z")


def _unknown(
    found: Sequence[tuple[Layout, Mapping[int, LayerTensors]]], tensors: Mapping[str, Tensor], layout: str | None
) -> str:
    """The message for tensors that are those of no layout: what is missing for the nearest one."""
    nearest, layers = max(found, key=lambda entry: _share_matched(*entry))
    wanted = nearest.title if layout else ", ".join(known.title for known, _ in found)
    for number in sorted(layers):
        layer = layers[number]
        missing = sorted(nearest.required - layer.tensors.keys())
        if missing and layer.tensors.keys() & nearest.required:
            return f"like {nearest.title}, but {_missing(nearest, layer, missing[0], number)}"
    return f"{_listed(list(tensors), tensors) or 'no tensors'}: not the tensors of {wanted}"


def _missing(layout: Layout, layer: LayerTensors, name: str, number: int) -> str:
    """The message for a tensor that a layer lacks."""
    beside, full = next(iter(layer.full_names.items()))
    start = full.removesuffix(layout.names[beside].format(number))
    return f"{start}{layout.names[name].format(number)} is missing beside {full}{layout.missing_hint}"


def _share_matched(layout: Layout, layers: Mapping[int, LayerTensors]) -> float:
    """The share of a layout's tensors that the layers have."""
    return max(
        (len(layout.required & layer.tensors.keys()) / len(layout.required) for layer in layers.values()), default=0
    )


def _listed(names: Sequence[str], tensors: Mapping[str, Tensor]) -> str:
    shown = ", ".join(f"{name} {list(tensors[name].shape)}" for name in names[:MAX_NAMES])
    return shown + (f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else "")
