"""The function that Hydra and its launchers call for one job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from kancli.cli.spinner import progress, training_bar
from kancli.config.compose import settings_of
from kancli.config.interpolations import plain_config
from kancli.runs import signals

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from kancli.config.settings import Settings
    from kancli.runs.print_run import Style


def task(config: DictConfig) -> float | tuple[float, ...] | None:
    """Run a job that another launcher composed, in its process; the rest is as for `run_job`."""
    return run_job(settings_of(plain_config(config)), config)


def run_job(settings: Settings, config: DictConfig, *, style: Style = "short") -> float | tuple[float, ...] | None:
    """Compute, record and print one job; return the objective, where the settings name one.

    Args:
        settings: the job's settings.
        config: the composed config that they came from, for the record.
        style: how much to print of a single run; a job of a sweep has one line.

    Raises:
        NonFiniteError: after everything was recorded, if a value of the forward pass is infinite or NaN.
        ConfigError: after everything was recorded, if there is no such statistic as the objective.
        NonFiniteError: the same, if it has no value.
    """
    with signals.deferred_signals():
        from kancli.runs.record import record_run

    hydra = HydraConfig.get()
    is_sweep = hydra.mode is not None and hydra.mode.name == "MULTIRUN"
    stats = record_run(
        settings,
        Path(hydra.runtime.output_dir),
        _hydra_files(config, hydra),
        overrides=list(hydra.overrides.task),
        style="line" if is_sweep else style,
        progress=progress,
        bar=training_bar,
    )
    signals.raise_pending()
    if settings.objective is None:
        return None
    from kancli.sweeps.objective import objective_of
    from kancli.sweeps.table import select_statistics

    return objective_of(select_statistics(stats), settings.objective)


def _hydra_files(config: DictConfig, hydra_config: Any) -> dict[str, str]:
    """The files of `.hydra` for one job, by name, with the content that Hydra would write."""
    hydra_only = OmegaConf.create({"hydra": hydra_config})
    return {
        "config.yaml": OmegaConf.to_yaml(config),
        "hydra.yaml": OmegaConf.to_yaml(hydra_only),
        "overrides.yaml": OmegaConf.to_yaml(hydra_config.overrides.task),
    }
