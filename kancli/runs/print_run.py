"""Print a run: its summary, or one line, and the path of its folder."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from kancli.config.identity import config_of
from kancli.config.models import CheckpointModel
from kancli.config.settings import Settings
from kancli.inits.plugins import TARGET
from kancli.inputs.samplers import File
from kancli.runs.console import STYLES, console, interval, number, show, typical
from kancli.runs.reader import parse_override_words
from kancli.runs.result import Result
from kancli.runs.short_summary import short_summary
from kancli.runs.summary import summary
from kancli.spelling import show as show_value
from kancli.stats.options import statement
from kancli.stats.verdicts import Verdict
from kancli.tasks.kinds import TrainingSamples

Style = Literal["short", "verbose", "line", "none"]


def print_run(result: Result, path: Path, overrides: Sequence[str], style: Style) -> None:
    """Print the summary of a run and, on the last line, the path of its folder.

    Args:
        overrides: as typed for this run.
        style: "short", "verbose" for all tables, "line" for one line, or "none" for nothing at all.
    """
    if style == "none":
        return
    folder = _relative(path)
    if style == "line":
        print(brief_line(folder, result.stats, result.verdicts), flush=True)
        return
    title = headline(result.settings, parse_override_words(overrides))
    if style == "short":
        show(short_summary(result.stats, result.verdicts, title, console(sys.stdout).width), sys.stdout)
        if (picture := path / "figures" / "network.png").is_file():
            print(f"picture: {_relative(picture)}")
    else:
        show(summary(result.stats, result.verdicts, title), sys.stdout)
        seconds = ", ".join(f"{name} {result.seconds[name]:.2g} s" for name in ("model", "forward", "stats"))
        print(f"stats={result.settings.stats.level}; {seconds}")
    print(folder, flush=True)


def headline(settings: Settings, typed: Mapping[str, str]) -> str:
    """The config of a run in one line, in the words that were typed.

    Args:
        typed: the overrides by key.
    """
    inputs = type(settings.inputs).__name__.lower()
    if isinstance(settings.inputs, File):
        inputs = settings.inputs.path
    elif isinstance(settings.inputs, TrainingSamples):
        inputs = f"task {settings.task.label}"
    last = settings.seed + settings.n_seeds - 1
    seeds = f"seed {last}" if settings.n_seeds == 1 else f"{settings.n_seeds} networks, seeds {settings.seed} to {last}"
    model = _describe_kan(settings, typed) if settings.mlp is None else settings.mlp.describe()
    return f"{model}, {seeds}, {settings.inputs.count()} samples: {inputs}"


def _describe_kan(settings: Settings, typed: Mapping[str, str]) -> str:
    width = "-".join(map(str, settings.width))
    init = config_of(settings)["init"]
    name = typed.get("init") or init.get("scheme") or init[TARGET]
    knobs = [
        f" {knob}={show_value(value)}"
        for knob, value in vars(settings.init).items()
        if knob in typed or f"init.{knob}" in typed
    ]
    model = f"KAN {width}, grid {settings.grid.size}, k {settings.k}, base {settings.base_fun}"
    if isinstance(settings.model, CheckpointModel):
        return f"{model}, init unknown: checkpoint {settings.model.path}"
    return f"{model}, init={name}{''.join(knobs)}"


def _relative(path: Path) -> Path:
    """The path relative to the current folder, if it lies below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def brief_line(folder: object, stats: Mapping[str, Any], verdicts: Sequence[Verdict]) -> str:
    """A run in one line: its folder, the size of the signal by layer, and the verdicts that did not pass."""
    parts = [str(folder)]
    if stats["layers"]:
        stds = " ".join(number(typical(layer["output"]["node_std"])) for layer in stats["layers"])
        parts.append(f"output std by layer: {stds}")
    for name, slope in (stats["propagation"] or {}).items():
        if name in ("signal", "gradient") and len(stats["layers"]) > 1:
            parts.append(f"{name} slope {number(typical(slope))}{interval(slope)}")
    parts += [f"{verdict.verdict}: {statement(verdict.name)}" for verdict in verdicts if verdict.verdict in STYLES]
    return "  ".join(parts)
