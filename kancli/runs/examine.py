"""Measure a model as it is, trained or not: the statistics and verdicts of a run, without a run."""

from __future__ import annotations

import copy
import dataclasses

import torch
from torch import Tensor

from kancli.config.settings import Settings
from kancli.errors import ConfigError
from kancli.inits.initialise import init_
from kancli.kan.modes import standard_modes
from kancli.kan.network import KAN
from kancli.runs.experiment import declared_laws
from kancli.runs.forward import forward_and_measure
from kancli.runs.result import Result, make_result
from kancli.runs.stopwatch import Stopwatch
from kancli.stats.options import LEVELS

MEASURED = LEVELS[1:]


def examine(model: KAN, settings: Settings, x: Tensor, *, level: str = "basic", knows_init: bool = True) -> Result:
    """Measure a model over samples; nothing of it changes.

    Args:
        settings: those that the model was made by.
        x: `[(s,) n, n_0]`.
        level: "basic" or "full".
        knows_init: whether the settings' scheme may have drawn the parameters; if not, they are held against no law.

    Raises:
        ConfigError: there is no such level.
    """
    if level not in MEASURED:
        raise ConfigError([f"level={level}: allowed: one of {', '.join(MEASURED)}"])
    settings = dataclasses.replace(
        settings,
        stats=dataclasses.replace(settings.stats, level=level),
        figures=dataclasses.replace(settings.figures, names=()),
        grid=dataclasses.replace(settings.grid, adapt="none"),  # the knots are the model's
    )
    watch = Stopwatch()
    with standard_modes():
        drawn = knows_init and _is_as_drawn(model, settings)
        laws = declared_laws(model, settings.init) if drawn else [{} for _ in model.layers]
        return make_result(settings, model, forward_and_measure(settings, model, x, laws, watch, keep=None), watch)


def _is_as_drawn(model: KAN, settings: Settings) -> bool:
    """Whether the parameters are those that the scheme draws for the seed."""
    if settings.init.has_mask and any(layer.mask is None for layer in model.layers):
        return False  # of a run before the scheme had its mask
    drawn, now = init_(copy.deepcopy(model), settings.init, seed=settings.seed).state_dict(), model.state_dict()
    return all(torch.equal(drawn[name], tensor) for name, tensor in now.items())
