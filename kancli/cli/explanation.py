"""The tables of `kan-run explain`: the laws with this config's numbers, the budgets, and the origin of each value."""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table

from kancli.cli.budgets import budget_tables, budgets, has_budgets
from kancli.cli.chapters import describe_facts
from kancli.config.compose import CONFIG_NAME, ComposedConfig
from kancli.config.nested import flatten
from kancli.config.presets import Presets
from kancli.config.settings import Settings
from kancli.inits.he_normal import he_laws
from kancli.runs.console import number
from kancli.spelling import show
from kancli.tasks.kinds import TrainingSamples

if TYPE_CHECKING:
    from kancli.inits.laws import Law

STREAMS = "each tensor of each layer has a random stream of its own: layers of one shape get other numbers"
TENSORS = ("scale_base", "scale_sp", "coef", "weight", "bias")


def explain(composed: ComposedConfig, presets: Presets) -> list[Table | str]:
    """The explanation of a config without faults, ready to print."""
    settings = composed.settings
    remarks = settings.init.remarks(settings.layer_sizes()[0]) if settings.mlp is None else [settings.mlp.describe()]
    return [
        _law(settings),
        "",
        *_task_lines(settings),
        _law_table(settings),
        *remarks,
        STREAMS,
        "",
        *([*budget_tables(settings), ""] if settings.mlp is None else []),
        _origin_table(composed, presets),
    ]


def _law(settings: Settings) -> str:
    """The text on the law of the parameters."""
    texts = [type(settings.init).__doc__] if settings.mlp is None else [type(settings.model).__doc__, he_laws.__doc__]
    return "\n\n".join(inspect.cleandoc(text or "") for text in texts)


def _laws(settings: Settings) -> Iterator[tuple[int, int, dict[str, Law]]]:
    """Inputs, outputs and laws of each layer."""
    if (mlp := settings.mlp) is not None:
        yield from ((n_in, n_out, he_laws(n_in)) for n_in, n_out in itertools.pairwise(mlp.width))
        return
    yield from ((size.n_in, size.n_out, settings.init.laws(size)) for size in settings.layer_sizes())


def _task_lines(settings: Settings) -> list[str]:
    if not settings.task.exists:
        return []
    facts = settings.task.facts()
    if isinstance(settings.inputs, TrainingSamples):
        facts["forward"] = f"{settings.inputs.count()} of the training samples, in place of the default inputs"
    return [*describe_facts(facts), ""]


def explanation_document(composed: ComposedConfig, presets: Presets) -> dict[str, Any]:
    """What `explain` returns, as plain values: laws and budgets by layer, and each value with its origin."""
    settings, origins = composed.settings, _origins(composed, presets)
    expected = None
    if settings.mlp is None and has_budgets(settings):
        expected = [budget._asdict() for budget in budgets(settings)]
    layers = []
    for layer, (n_in, n_out, laws) in enumerate(_laws(settings)):
        layers.append(
            {
                "layer": layer,
                "n_in": n_in,
                "n_out": n_out,
                "laws": {
                    name: {"law": str(law), "mean": _plain(law.mean), "std": _plain(law.std)}
                    for name, law in laws.items()
                },
                "budget": None if expected is None else expected[layer],
            }
        )
    values = {path: {"value": value, "origin": origins.get(path)} for path, value in flatten(composed.config)}
    law, task = _law(settings), settings.task
    return {"law": law, "task": task.facts() if task.exists else None, "layers": layers, "values": values}


def _plain(value: Any) -> float | None:
    """A moment of a law as JSON has it: null where it is none."""
    return float(value) if value is not None and math.isfinite(value) else None


def _law_table(settings: Settings) -> Table:
    table = Table("layer", "tensor", "law", "mean", "std", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for layer, (n_in, n_out, laws) in enumerate(_laws(settings)):
        for tensor in TENSORS:
            if tensor in laws:
                law = laws[tensor]
                name = f"{layer}  {n_in}-{n_out}" if tensor in ("scale_base", "weight") else ""
                table.add_row(name, tensor, str(law), number(law.mean), f"{law.std:.6g}")
    return table


def _origin_table(composed: ComposedConfig, presets: Presets) -> Table:
    """Every value of the config, and its origin."""
    origins = _origins(composed, presets)
    table = Table("key", "value", "from", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for path, value in flatten(composed.config):
        table.add_row(path, show(value), origins.get(path, ""))
    return table


def _origins(composed: ComposedConfig, presets: Presets) -> dict[str, str]:
    """The last thing that set each key."""
    primary = presets.load("", CONFIG_NAME)
    origins = {path: "config.yaml" for path, _ in flatten(primary.body)}
    for entry in primary.defaults:
        if isinstance(entry, Mapping):
            ((group, default),) = entry.items()
            option = composed.resolved.choices.get(group, default)
            if group in presets.groups() and option is not None:
                preset = presets.load(group, option)
                prefix = "" if preset.package == "_global_" else group
                origins |= {path: f"preset {group}={option}" for path, _ in flatten(preset.body, prefix)}
    n_from_experiment = composed.resolved.n_from_experiment
    for position, (path, _) in enumerate(composed.resolved.values):
        origins[path] = "experiment" if position < n_from_experiment else "command line"
    return origins
