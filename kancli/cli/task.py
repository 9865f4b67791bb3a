"""One job by Hydra's config, as Hydra and its launchers call it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.hydra_config import HydraConfig

from kancli.cli.spinner import progress
from kancli.config.compose import settings_of
from kancli.config.hydra import hydra_files, plain_config
from kancli.runs import signals

if TYPE_CHECKING:
    from omegaconf import DictConfig


def task(config: DictConfig) -> float | tuple[float, ...] | None:
    """One job, by Hydra's config: compute, record, print; return the objective, where the config names one.

    Raises:
        NonFiniteError: after everything was recorded, if a value of the forward pass is infinite or NaN.
        ConfigError: after everything was recorded, if there is no such statistic as the objective.
        KanError: the same, if it has no value.
    """
    with signals.deferred_signals():
        from kancli.runs.record import record_run

    signals.raise_pending()
    hydra = HydraConfig.get()
    settings = settings_of(plain_config(config))
    stats = record_run(
        settings,
        Path(hydra.runtime.output_dir),
        hydra_files(config, hydra),
        overrides=list(hydra.overrides.task),
        brief=hydra.mode is not None and hydra.mode.name == "MULTIRUN",
        progress=progress,
    )
    signals.raise_pending()
    if settings.objective is None:
        return None
    from kancli.sweeps.objective import objective_of
    from kancli.sweeps.table import statistics_of

    return objective_of(statistics_of(stats), settings.objective)
