"""Models of pykan, efficient-kan, inkan and jaxKAN: initialised, examined, read and written.

A model is known by the names and shapes of its tensors, so its library need not be installed, and a mapping of tensors
or arrays by name, such as a state dict, serves in place of a live model, and a checkpoint's path where it is read.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from kancli.bridges.checkpoint import read_checkpoint
from kancli.bridges.model import initialise_, new_tensors, open_model
from kancli.bridges.network import build, spec_of
from kancli.bridges.spec import NetworkSpec
from kancli.config.compose import settings_of
from kancli.config.python_arguments import preset_values
from kancli.config.settings import Settings
from kancli.errors import ConfigError
from kancli.inits.scheme import LawError, Scheme
from kancli.kan import network
from kancli.kan.modes import standard_modes
from kancli.notebook import KAN
from kancli.schema import keys
from kancli.spelling import show

M = TypeVar("M")
BaseFunction = str | Callable[[Tensor], Tensor] | None


def initialise(
    model: M,
    scheme: str | Scheme | type[Scheme] = "default",
    seed: int = 0,
    *,
    base_fun: BaseFunction = None,
    **knobs: Any,
) -> M:
    """Fill the parameters of a model in place, layer by layer, with the numbers of `kancli.KAN` of the same shape.

    On the model's device and in its dtype; the global random generators are not touched. Knots stay, and so does a
    mask unless the scheme has one. Where the library has no scale of the spline, it goes into the coefficients.

    Args:
        model: of pykan, efficient-kan, inkan, jaxKAN or kancli, or its tensors or arrays by name.
        scheme: a preset as in `kan-run init=NAME`, or a scheme of your own: an object or its class.
        seed: seed of the private random streams.
        base_fun: b(x) or its name, where the tensors alone are given; None for the live model's, else silu.
        knobs: of the scheme.

    Returns:
        The model.

    Raises:
        ConfigError: a value is not legal, the model is not known, or its library has no place for what the scheme sets.
        TypeError: it is neither a model nor a mapping of tensors.
    """
    if "init" in knobs:
        raise ConfigError([f"init={show(knobs['init'])}: give it as the second argument, initialise(model, 'glorot')"])
    with standard_modes():
        opened = open_model(model, base_fun=base_fun)
        seed = settings_of({"seed": seed}).seed
        try:
            initialise_(opened, _scheme(scheme, knobs, opened.spec), seed=seed)
        except LawError as error:
            raise ConfigError([f"init={_name(scheme)}: {error}"]) from None
    return model


def read(model: Any, *, base_fun: BaseFunction = None) -> KAN:
    """A `kancli.KAN` with the same functions as a model's, on its device and in its dtype.

    The scheme that drew the parameters is unknown: `stats` holds them against no law. A scale of the spline that the
    library lacks is 1 and does not train.

    Args:
        model: as for `initialise`; or the path of a checkpoint (.pt, .safetensors, .npz, or pykan's _state).
        base_fun: as for `initialise`; for a checkpoint a name.

    Raises:
        ConfigError: the model is not known, or has what a KAN here lacks, such as symbolic edges.
        TypeError: it is neither a model nor a mapping of tensors.
    """
    with standard_modes():
        if isinstance(model, (str, Path)):
            if base_fun is not None and not isinstance(base_fun, str):
                raise TypeError("base_fun: allowed for a checkpoint: a name, as in kan-run base_fun=NAME")
            return as_notebook_model(read_checkpoint(Path(model), base_fun=base_fun), str(model))
        opened = open_model(model, base_fun=base_fun)
        return as_notebook_model(build(opened.spec), opened.layout.library)


def write(ours: network.KAN, target: M | str) -> M | dict[str, Any]:
    """Give a model of a library the functions of a KAN of kancli.

    Args:
        ours: a single model.
        target: a model or its tensors, filled in place; or the name of a library for the tensors of a new model:
            pykan, pykan_0_0_5, efficient_kan, inkan, jaxkan or kancli.

    Returns:
        The target; for a name, a state dict, for jaxkan of numpy arrays.

    Raises:
        ConfigError: the target has other sizes, or no place for a tensor.
        TypeError: it is neither a model nor a mapping of tensors.
    """
    if not isinstance(ours, network.KAN):
        raise TypeError(f"ours is a {type(ours).__qualname__}: allowed: a kancli.KAN, as kancli.read(model) gives it")
    spec = spec_of(ours)
    with standard_modes():
        if isinstance(target, str):
            tensors = new_tensors(target, spec)
            return {name: tensor.cpu().numpy() for name, tensor in tensors.items()} if target == "jaxkan" else tensors
        open_model(target, base_fun=_base_of(target, spec)).write_(spec)
    return target


def examine(model: Any, x: Any, level: str = "basic", *, base_fun: BaseFunction = None) -> dict[str, Any]:
    """The statistics and verdicts that `stats.json` has, of a model's parameters as they are, trained or not.

    Args:
        model, base_fun: as for `read`.
        x: samples, `[n, n_0]`, a tensor or an array; brought to the model's dtype and device.
        level: "basic", or "full" for gradients, Jacobian and neural tangent kernel too.

    Raises:
        ConfigError: as for `read`, or there is no such level.
        TypeError, ValueError: x is not of this form.
    """
    ours = model if isinstance(model, KAN) else read(model, base_fun=base_fun)
    array = x if isinstance(x, Tensor) else np.array(x)
    if isinstance(array, np.ndarray) and array.dtype.kind not in "fiub":
        raise TypeError(f"x is a {type(x).__qualname__} of {array.dtype}: allowed: a tensor or an array of numbers")
    samples = array if isinstance(array, Tensor) else torch.from_numpy(array)
    return ours.stats(samples.detach().to(ours.layers[0].coef), level)


def as_notebook_model(model: network.KAN, origin: str) -> KAN:
    """A model that was read, with the interface of `kancli.KAN`.

    Args:
        origin: where it was read from, for its text form.
    """
    settings = _settings(model)
    model.__class__ = KAN
    read_model: KAN = model  # pyright: ignore[reportAssignmentType]
    read_model.settings, read_model.given_init, read_model.knows_init = settings, {"read_from": origin}, False
    return read_model


def _settings(model: network.KAN) -> Settings:
    """The settings of a model, with a scheme that it need not be drawn by."""
    layer = model.layers[0]
    return settings_of(_shape(model.width, layer.grid, layer.k, layer.grid_range, layer.base_name, layer.coef.dtype))


def _shape(
    width: tuple[int, ...], grid: int, k: int, grid_range: tuple[float, float], base: str | None, dtype: torch.dtype
) -> dict[str, Any]:
    return {
        "width": list(width),
        "k": k,
        "base_fun": base or "silu",
        "dtype": str(dtype).removeprefix("torch."),
        "grid": {"size": grid, "range": list(grid_range)},
    }


def _scheme(given: str | Scheme | type[Scheme], knobs: dict[str, Any], spec: NetworkSpec) -> Scheme:
    """The scheme of a preset with its knobs, or the one handed in.

    Raises:
        ConfigError: there is no such preset or knob, or a value is not legal.
    """
    first = spec.layers[0]
    if isinstance(given, type) and issubclass(given, Scheme):
        given = given()
    if isinstance(given, Scheme):
        unknown = [name for name in knobs if name not in keys(type(given))]
        if unknown:
            allowed = ", ".join(keys(type(given))) or "none"
            raise ConfigError([f"{unknown[0]}={show(knobs[unknown[0]])}: allowed for {_name(given)}: {allowed}"])
        with_knobs: Scheme = dataclasses.replace(given, **knobs) if knobs else given  # pyright: ignore[reportArgumentType]
        return with_knobs.with_defaults_for(first.grid_range())
    if not isinstance(given, str):
        raise TypeError(f"scheme is {show(given)}: allowed: the name of a preset, or a kancli.inits.Scheme")
    preset = preset_values(init=given)
    base = preset.pop("base_fun", spec.base_name)
    if base != spec.base_name:
        raise ConfigError(
            [f"init={given}: is for base_fun={base}; the model has {spec.base_name or 'its own'}; take init=default"]
        )
    if others := [name for name in preset if name != "init"]:
        raise ConfigError([f"init={given}: sets {others[0]} too, which stays as the model has it; take another init"])
    shape = _shape(spec.width, first.grid, first.k, first.grid_range(), spec.base_name, first.coef.dtype)
    return settings_of({**shape, "init": preset["init"] | knobs}).init


def _name(scheme: str | Scheme | type[Scheme]) -> str:
    if isinstance(scheme, str):
        return scheme
    return scheme.__name__ if isinstance(scheme, type) else type(scheme).__name__


def _base_of(target: Any, spec: NetworkSpec) -> BaseFunction:
    """b(x) for tensors without a model, which do not tell: that of the model to write."""
    return (spec.base_name or spec.base_fun) if isinstance(target, Mapping) else None


__all__ = ["as_notebook_model", "examine", "initialise", "read", "write"]
