"""`kan-run explain`: the law with this config's numbers, layer by layer, and where each value came from. No run."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Table

from kancli.config.compose import CONFIG_NAME, ComposedConfig, compose, settings_of
from kancli.config.presets import Presets
from kancli.config.settings import Settings
from kancli.config.validation import layer_sizes
from kancli.errors import ConfigError
from kancli.kan.layer import STANDARD_EPS
from kancli.kan.quadrature import base_moments, basis_rule
from kancli.runs.console import number
from kancli.schema import keys, show
from kancli.stats.glossary import OVER_MEMBERS, SECTIONS
from kancli.stats.options import Verdicts

TENSORS = ("scale_base", "scale_sp", "coef", "bias")


def explain(typed: Sequence[str], presets: Presets) -> list[Table | str]:
    """The answer, ready to print.

    Raises:
        ConfigError: the config has faults.
    """
    made = compose(typed, presets)
    if faults := made.faults():
        raise ConfigError(faults)
    settings = settings_of(made.config)
    return [
        inspect.cleandoc(type(settings.init).__doc__ or ""),
        "",
        _laws(settings),
        "",
        *_budgets(settings),
        "",
        _origins(typed, made, presets),
    ]


def _budgets(settings: Settings) -> list[Table | str]:
    laws = [settings.init.laws(size) for size in layer_sizes(settings)]
    if any(each["coef"].mean or ("bias" in each and (each["bias"].mean or each["bias"].std)) for each in laws):
        return ["no budgets: they are told for coefficients of mean 0 and no bias"]
    return [
        _budget_table(settings),
        "E[y²]: mean square of a node's value; backward: sum over a layer's outputs of (dy/dx)² for one input; both in "
        f"expectation over the draws, with x ~ U(-1, 1) entering each layer, base {settings.base_fun}",
    ]


def _laws(settings: Settings) -> Table:
    table = Table("layer", "tensor", "law", "mean", "std", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for layer, size in enumerate(layer_sizes(settings)):
        laws = settings.init.laws(size)
        for tensor in TENSORS:
            if tensor in laws:
                law = laws[tensor]
                name = f"{layer}  {size.n_in}-{size.n_out}" if tensor == "scale_base" else ""
                table.add_row(name, tensor, str(law), number(law.mean), f"{law.std:.6g}")
    return table


def expected(settings: Settings) -> Iterator[dict[str, float]]:
    """Per layer E[y²] of a node and its backward budget, in expectation over the draws, at inputs x ~ U(-1, 1).

    With S(x) the variance of an edge's sum_m coef_m B_m(x) under the law, and S' alike with B_m':
    E[y²]    = n_in (E[scale_base²] E[R²] + E[scale_sp²] E[S]) + n_in (n_in - 1) E[scale_base]² E[R]²;
    backward = n_out (E[scale_base²] E[R'²] + E[scale_sp²] E[S']).
    Coefficients are taken to have mean 0, so base and spline do not correlate. Where a scheme standardises the
    bases, B_m is the standardised one.
    """
    base = base_moments(settings.base_fun, "uniform")
    for size in layer_sizes(settings):
        laws = settings.init.laws(size)
        weight, values, slopes = basis_rule(size.grid_range, size.grid, size.k, "uniform")
        if settings.init.standardises:
            mean = weight @ values
            spread = (weight @ values**2 - mean**2 + STANDARD_EPS) ** 0.5
            values, slopes = (values - mean) / spread, slopes / spread
        square = {name: law.mean**2 + law.std**2 for name, law in laws.items()}
        together = size.n_in * (size.n_in - 1) * laws["scale_base"].mean ** 2 * base.mean**2
        spline, slope = (
            weight @ laws["coef"].combined_variance(each) * square["scale_sp"] for each in (values, slopes)
        )
        yield {
            "base": size.n_in * square["scale_base"] * base.value + together,
            "spline": size.n_in * float(spline),
            "backward": size.n_out * (square["scale_base"] * base.slope + float(slope)),
        }


def _budget_table(settings: Settings) -> Table:
    table = Table("layer", "E[y²]", "of the base", "of the spline", "backward", box=box.SIMPLE_HEAD, show_edge=False,
                  pad_edge=False)  # fmt: skip
    for layer, each in enumerate(expected(settings)):
        total = each["base"] + each["spline"]
        row = (total, each["base"], each["spline"], each["backward"])
        table.add_row(str(layer), *(f"{value:.4g}" for value in row))
    return table


def _origins(typed: Sequence[str], made: ComposedConfig, presets: Presets) -> Table:
    """Every value of the config, and the last thing that set it."""
    origin: dict[str, str] = {}
    primary = presets.load("", CONFIG_NAME)
    for path, _ in _flat(primary.body):
        origin[path] = "config.yaml"
    for entry in primary.defaults:
        if isinstance(entry, Mapping):
            ((group, default),) = entry.items()
            option = made.resolved.choices.get(group, default)
            if group in presets.groups() and option is not None:
                preset = presets.load(group, option)
                prefix = "" if preset.package == "_global_" else f"{group}."
                for path, _ in _flat(preset.body):
                    origin[prefix + path] = f"preset {group}={option}"
    for path, _ in made.resolved.values:
        origin[path] = "experiment"
    settled_here = compose([each for each in typed if not each.lstrip("+").startswith("experiment=")], presets).resolved
    for path, _ in settled_here.values:
        origin[path] = "command line"
    table = Table("key", "value", "from", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for path, value in _flat(made.config):
        table.add_row(path, show(value), origin.get(path, ""))
    return table


def _flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in config.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}.")
        elif path.split(".")[0] != "hydra":
            yield path, value


def glossary() -> list[Table | str]:
    """The answer to `kan-run explain stats`, ready to print."""
    verdicts = {f"{name} {show(field.default)}": field.metadata["help"] for name, field in keys(Verdicts).items()}
    sections = {**SECTIONS, "verdicts [warn, fail]: the worst layer counts; over members, the mean": verdicts}
    lines: list[Table | str] = [OVER_MEMBERS]
    for title, entries in sections.items():
        table = Table("", "", box=box.SIMPLE, show_header=False, show_edge=False, pad_edge=False)
        for name, text in entries.items():
            table.add_row(name, text)
        lines += ["", title, table]
    return lines
