"""`kan-run explain --code`: a function in plain torch that fills a model by the law of a config."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from kancli.config.models import KANModel
from kancli.errors import ConfigError
from kancli.inits.laws import Constant, Law, Normal, NormalByBasis, Uniform

if TYPE_CHECKING:
    from kancli.config.settings import Settings


class Target(NamedTuple):
    """How a function reaches the tensors of a model."""

    argument: str
    describe: Callable[[Settings], str]  # the argument, for the docstring
    layers: str  # a list with an entry for each layer
    names: dict[str, str]  # the expression of each tensor of `layer`, the entry of that number
    swapped: bool = False  # output by input


TARGETS = {
    "torch": Target(
        "layers",
        lambda settings: (
            f"{len(settings.width) - 1} dicts of tensors scale_base and scale_sp [in, out], coef [in, out, G + k],"
            " and bias [out] if any"
        ),
        "layers",
        {name: f'layer["{name}"]' for name in ("scale_base", "scale_sp", "coef", "bias")},
    ),
    "pykan": Target(
        "model",
        lambda settings: f"kan.KAN(width={list(settings.width)}, grid={settings.grid.size}, k={settings.k}) of pykan",
        "model.act_fun",
        {name: f"layer.{name}" for name in ("scale_base", "scale_sp", "coef")}
        | {"bias": 'getattr(model, f"node_bias_{number}")'},
    ),
    "efficient_kan": Target(
        "model",
        lambda settings: (
            f"KAN({list(settings.width)}, grid_size={settings.grid.size}, spline_order={settings.k}) of efficient-kan"
        ),
        "model.layers",
        {"scale_base": "layer.base_weight", "scale_sp": "layer.spline_scaler", "coef": "layer.spline_weight"},
        swapped=True,
    ),
}
BODY = '''\
import torch


def initialise_({argument}, seed=0):
    """Fill in place by {what}.

    For {described};
    b(x) = {base}, grid on {low:g} to {high:g}.
    The law is that of kan-run; the numbers for a seed are others.
    """
    shapes = [tuple({coef}.shape) for layer in {layers}]
    assert shapes == {shapes}, f"the law is for other sizes than {{shapes}}"
    generator = torch.Generator({layers}[0]{first}.device).manual_seed(seed)
    with torch.no_grad():
{lines}
    return {argument}'''


def initialisation_code(settings: Settings, target: str) -> str:
    """The text of a function that fills a model of a config's sizes by the laws of its scheme.

    Args:
        target: a name in `TARGETS`.

    Raises:
        ConfigError: there is no such target, or a law has no such short form.
    """
    if target not in TARGETS:
        raise ConfigError([f"--code {target}: allowed: one of {', '.join(TARGETS)}"])
    if not isinstance(settings.model, KANModel):
        raise ConfigError([f"--code {target}: writes the law of an init; leave model out"])
    if settings.init.standardises:
        raise ConfigError([f"--code {target}: this init standardises the bases, which no other model does"])
    about = TARGETS[target]
    lines, numbered = [], [(number, _draws(settings, number, about)) for number in range(len(settings.width) - 1)]
    for draws, group in itertools.groupby(numbered, key=lambda entry: entry[1]):
        numbers = [number for number, _ in group]
        lines += [f"        for number in {numbers}:", f"            layer = {about.layers}[number]"]
        lines += [f"            {line}" for line in draws]
    sizes = settings.layer_sizes()
    shapes = [(size.n_out, size.n_in) if about.swapped else (size.n_in, size.n_out) for size in sizes]
    coef = about.names["coef"]
    return BODY.format(
        argument=about.argument,
        what=_typed(settings),
        described=about.describe(settings),
        base=settings.base_fun,
        low=settings.grid.range[0],
        high=settings.grid.range[1],
        coef=coef,
        layers=about.layers,
        shapes=[(*shape, size.n_basis) for shape, size in zip(shapes, sizes, strict=True)],
        first=coef.removeprefix("layer"),
        lines="\n".join(lines),
    )


def _typed(settings: Settings) -> str:
    """The scheme with its knobs, as an init."""
    from kancli.config.identity import config_of
    from kancli.inits.plugins import TARGET as PLUGIN

    init = dict(config_of(settings)["init"])
    name = init.pop("scheme", None) or init.pop(PLUGIN)
    return " ".join([f"init={name}", *(f"{knob}={value}" for knob, value in init.items() if value is not None)])


def _draws(settings: Settings, number: int, about: Target) -> list[str]:
    """The lines that fill the tensors of a layer.

    Raises:
        ConfigError: a law has no such line.
    """
    lines = []
    for tensor, law in settings.init.laws(settings.layer_sizes()[number]).items():
        if tensor == "bias" and law == Constant(0.0) and tensor not in about.names:
            continue
        if tensor not in about.names:
            raise ConfigError([f"--code: this init sets a {tensor}, for which the library has no place"])
        lines.append(f"{about.names[tensor]}.{_fill(law)}")
    return lines


def _fill(law: Law) -> str:
    """The call of a tensor's method that fills it."""
    if isinstance(law, Constant):
        return f"fill_({_number(law.value)})"
    if isinstance(law, Normal):
        return f"normal_({_number(law.mean)}, {_number(law.std)}, generator=generator)"
    if isinstance(law, Uniform):
        return f"uniform_({_number(law.low)}, {_number(law.high)}, generator=generator)"
    if isinstance(law, NormalByBasis):
        stds = ", ".join(map(_number, law.stds))
        return f"normal_(0.0, 1.0, generator=generator).mul_(torch.tensor([{stds}], device=generator.device))"
    raise ConfigError([f"--code: the law '{law}' has no short form; use kancli.initialise(model, ...)"])


def _number(value: float) -> str:
    return f"{value:.10g}"
