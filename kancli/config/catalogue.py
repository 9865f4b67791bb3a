"""The legal keys of a config: the sections of `Settings`, the choices whose keys depend on one of them, and all keys by
name, as the help and the hints describe them.

Imports neither numpy nor torch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kancli.config.checkpoint import SCHEME as FROM_CHECKPOINT
from kancli.config.models import MODELS
from kancli.config.settings import Activations, Grid, Settings, Study, Sweep
from kancli.figures.options import FigureOptions
from kancli.inits import SCHEMES
from kancli.inits.checkpoint import FromCheckpoint
from kancli.inputs.samplers import SAMPLERS
from kancli.schema import Kind, keys
from kancli.stats.options import FirstSamples, Ntk, Quantiles, Stats, Verdicts
from kancli.tasks.kinds import TASKS, TrainingSamples
from kancli.training.options import Train

SECTIONS: dict[str, type] = {
    "grid": Grid,
    "figures": FigureOptions,
    "stats": Stats,
    "verdicts": Verdicts,
    "train": Train,
    "activations": Activations,
    "sweep": Sweep,
    "study": Study,
}
SUBSECTIONS: dict[str, dict[str, type]] = {"stats": {"first": FirstSamples, "quantiles": Quantiles, "ntk": Ntk}}
# Sections whose keys depend on one of them: the selecting key, and the choices.
VARIANTS: dict[str, tuple[str, Mapping[str, type]]] = {
    "init": ("scheme", {**SCHEMES, FROM_CHECKPOINT: FromCheckpoint}),
    "model": ("kind", MODELS),
    "inputs": ("kind", {**SAMPLERS, "task": TrainingSamples}),
    "task": ("kind", TASKS),
}
TOP_LEVEL = (*keys(Settings), *SECTIONS, *VARIANTS)
HYDRA_FOLDERS = ("hydra.run.dir", "hydra.sweep.dir")  # of Hydra's own keys, those that people look for


@dataclass(frozen=True)
class LegalKey:
    """A key as the help and the hints describe it."""

    path: str  # dotted; bare names for a scheme's knobs
    kind: Kind
    default: Any
    unit: str
    help: str
    owners: tuple[str, ...]  # the choices that have the key; empty if every run has it


def catalogue() -> list[LegalKey]:
    """All legal keys, without duplicates."""
    catalogued: dict[str, LegalKey] = {}
    parts: list[tuple[str, type, tuple[str, ...]]] = [("", Settings, ())]
    for name, (selector, table) in VARIANTS.items():
        prefix = "" if name == "init" else f"{name}."
        parts += [(prefix, variant, (f"{selector}={choice}",)) for choice, variant in table.items()]
    for name, section in SECTIONS.items():
        parts.append((f"{name}.", section, ()))
        parts += [(f"{name}.{inner}.", part, ()) for inner, part in SUBSECTIONS.get(name, {}).items()]
    for prefix, declared, owners in parts:
        for name, field in keys(declared).items():
            path, meta = prefix + name, field.metadata
            if path in catalogued:
                legal = catalogued[path]
                catalogued[path] = dataclasses.replace(legal, owners=legal.owners + owners)
            else:
                catalogued[path] = LegalKey(path, meta["kind"], field.default, meta["unit"], meta["help"], owners)
    return list(catalogued.values())
