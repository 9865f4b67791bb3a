"""`kan-run -m`: expand the overrides into jobs, write the plan, run it, and print the table."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from omegaconf import DictConfig

from kancli.config.hydra import KanConfigLoader, compose_job, compose_sweep, create_hydra
from kancli.config.overrides import parse_and_resolve
from kancli.errors import ConfigError
from kancli.runs import signals
from kancli.runs.pool import check_room
from kancli.sweeps import launch
from kancli.sweeps.claim import claimed_folder
from kancli.sweeps.costs import count_workers, format_plan
from kancli.sweeps.finish import run_and_finish
from kancli.sweeps.jobs import expand
from kancli.sweeps.planning import make_plan
from kancli.sweeps.product import product_of
from kancli.sweeps.search import is_search, search

if TYPE_CHECKING:
    from kancli.config.presets import Presets
    from kancli.sweeps.jobs import ComposedJob


def sweep(
    presets: Presets,
    typed: Sequence[str],
    task: Callable[[Any], Any],
    *,
    check: Callable[[Sequence[ComposedJob]], None] | None = None,
    dry_run: bool = False,
) -> tuple[int, Path]:
    """Plan all combinations of the typed values, and run them.

    Args:
        task: one job, by Hydra's config, for launchers other than kancli's own.
        check: called with the jobs before anything is written; it may raise `ConfigError`.
        dry_run: stop once the plan is written.

    Returns:
        0, or `errors.SWEEP` if a job is not complete; and the sweep's folder.

    Raises:
        ConfigError: a job's config has faults; nothing was run or written.
    """
    hydra = create_hydra(presets)
    resolved = parse_and_resolve(typed, presets, sweeping=True)
    config = compose_sweep(hydra, resolved)
    if is_search(config):
        if dry_run:
            raise ConfigError(["--dry-run: this sweeper chooses its jobs as it goes: there is no plan to show"])
        return search(hydra, config, resolved, typed, presets, task), Path(config.hydra.sweep.dir)

    compose = functools.partial(compose_job, cast(KanConfigLoader, hydra.config_loader), config)
    product = product_of(resolved, presets)
    expansion = expand(product, presets, compose)
    if check is not None:
        check(expansion.jobs)
    plan = make_plan(expansion, config, typed, presets)
    _check_devices({job.settings.device for job in expansion.jobs})
    if not dry_run and (workers := _count_workers(config, len(expansion.jobs))):
        check_room(workers)  # before anything is written
    with claimed_folder(plan, config):
        print(format_plan(expansion), file=sys.stderr)
        if dry_run:
            print(f"planned: start it with kan-run resume {plan.folder}", file=sys.stderr)
            print(plan.folder, flush=True)
            return 0, plan.folder
        runs = {number: job.settings for number, job in enumerate(expansion.jobs)}
        return run_and_finish(plan, lambda: launch.start(hydra, config, plan, runs, task)), plan.folder


def jobs_of(presets: Presets, typed: Sequence[str]) -> list[ComposedJob]:
    """The jobs that `sweep` would run; nothing is run or written.

    Raises:
        ConfigError: a job's config has faults.
    """
    hydra = create_hydra(presets)
    resolved = parse_and_resolve(typed, presets, sweeping=True)
    compose = functools.partial(compose_job, cast(KanConfigLoader, hydra.config_loader), compose_sweep(hydra, resolved))
    return expand(product_of(resolved, presets), presets, compose).jobs


def _count_workers(config: DictConfig, n_jobs: int) -> int:
    """Number of workers of kancli's own launcher."""
    return min(count_workers(config.sweep.workers), n_jobs) if launch.is_own(config) else 0


def _check_devices(devices: set[str]) -> None:
    if devices == {"cpu"}:
        return
    with signals.deferred_signals():
        from kancli.runs.build import device_of

    for device in sorted(devices):
        device_of(device)
