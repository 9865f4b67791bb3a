"""One job by Hydra's config, as Hydra and its launchers call it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.hydra_config import HydraConfig

from kancli import signals
from kancli.compose import settings_of
from kancli.hydra_shell import plain, record_of
from kancli.progress import progress

if TYPE_CHECKING:
    from omegaconf import DictConfig


def task(config: DictConfig) -> None:
    """One job, by Hydra's config: compute, record, print.

    Raises:
        NonFiniteError: after everything was recorded, if a value of the forward pass is infinite or NaN.
    """
    with signals.held():
        from kancli.recording import record_run

    signals.raise_received()
    hydra = HydraConfig.get()
    record_run(
        settings_of(plain(config)),
        Path(hydra.runtime.output_dir),
        record_of(config, hydra),
        overrides=list(hydra.overrides.task),
        brief=hydra.mode is not None and hydra.mode.name == "MULTIRUN",
        progress=progress,
    )
    signals.raise_received()
