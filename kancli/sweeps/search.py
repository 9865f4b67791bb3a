"""Sweeps by a sweeper other than Hydra's basic one, such as Optuna's. It chooses jobs as it goes, by the objectives of
the earlier ones."""

from __future__ import annotations

import contextlib
import copy
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from kancli.config.hydra import BASIC_SWEEPER, OWN_LAUNCHER, instantiate_sweeper, multirun
from kancli.config.interpolations import plain_config
from kancli.errors import SWEEP, ConfigError, KanError, one_line
from kancli.runs import signals
from kancli.runs.pool import reuse_pools
from kancli.sweeps import launch
from kancli.sweeps.claim import claimed_folder, remove_claim
from kancli.sweeps.finish import write_and_print
from kancli.sweeps.objective import check_names, objective_names
from kancli.sweeps.plan import Plan, has_plan, read_plan
from kancli.sweeps.planning import initial_head
from kancli.sweeps.product import sweep_overrides

if TYPE_CHECKING:
    from kancli.config.hydra import Hydra
    from kancli.config.overrides import ResolvedOverrides
    from kancli.config.presets import Presets
    from kancli.config.settings import Settings


def is_search(config: DictConfig) -> bool:
    """Whether the config of a sweep names a sweeper other than Hydra's basic one."""
    return config.hydra.sweeper._target_ != BASIC_SWEEPER


def search(
    hydra: Hydra,
    config: DictConfig,
    resolved: ResolvedOverrides,
    typed: Sequence[str],
    presets: Presets,
    task: Callable[[Any], Any],
) -> int:
    """Run the sweeper, and write and print the results, after an exception or a signal too.

    Returns:
        0, or `errors.SWEEP` if a job is not complete or the sweeper stopped early.

    Raises:
        ConfigError: the config of the sweeper, or of a job that it chose, has faults.
    """
    _check_objective(config)
    folder = Path(config.hydra.sweep.dir)
    head = initial_head(config, typed, presets, plain_config(config, number=0))
    plan = Plan(folder, head, [])  # `hydra_launcher` adds the jobs
    is_complete = False
    with claimed_folder(plan, config):
        try:
            is_complete = _run_sweeper(hydra, config, resolved, presets, task)
        finally:
            with signals.deferred_signals():
                code = _finish(folder, _directions(config))
                if not is_complete:
                    print("kan-run: the search did not come to its end", file=sys.stderr)
    return code if is_complete else SWEEP


def _check_objective(config: DictConfig) -> None:
    """Check the objective before the first run.

    Raises:
        ConfigError: no objective is named, one is no statistic, or the number of the sweeper's directions differs.
    """
    names = objective_names(config.objective)
    if not names:
        raise ConfigError(
            [f"{_name(config)}: name the objective, a number in sweep.csv; type for example"
             " objective=propagation_signal"]
        )  # fmt: skip
    check_names(list(map(str, names)))
    direction = config.hydra.sweeper.get("direction")
    count = len(direction) if OmegaConf.is_list(direction) else 1
    if direction is not None and count != len(names):
        raise ConfigError(
            [f"hydra.sweeper.direction: {count} for {len(names)} objectives; type for example"
             " objective=[rough,linear] hydra.sweeper.direction=[minimize,maximize]"]
        )  # fmt: skip


def _run_sweeper(
    hydra: Hydra, config: DictConfig, resolved: ResolvedOverrides, presets: Presets, task: Callable[[Any], Any]
) -> bool:
    """Run the sweeper; return whether it came to its end.

    Raises:
        ConfigError: the config of the sweeper, or of a job that it chose, has faults.
    """
    from kancli.sweeps import hydra_launcher  # late, with numpy: a mistake is answered without it

    arguments = [override.input_line for override in sweep_overrides(resolved, presets)]
    planning = copy.deepcopy(config)
    planning.hydra.launcher = {"_target_": OWN_LAUNCHER}
    # Other launchers make Hydra's loggers print.
    logs = _logs_on_stderr() if launch.is_own(config) else contextlib.nullcontext()
    with multirun(hydra, config) as context, reuse_pools(), logs:

        def run_jobs(plan: Plan, runs: Mapping[int, Settings]) -> Mapping[int, str]:
            return launch.run_jobs(context, copy.deepcopy(config), plan, runs, task) if runs else {}

        hydra_launcher.register(run_jobs)
        try:
            sweeper = instantiate_sweeper(context, task, planning)
            sweeper.sweep(arguments)  # pyright: ignore[reportArgumentType]
        except ConfigError:
            raise
        except KanError as error:  # of a job
            signals.raise_pending()
            print(f"kan-run: {_name(config)}: gave up: {error}", file=sys.stderr)
            return False
        except Exception as error:
            signals.raise_pending()
            raise ConfigError([f"{_name(config)}: {one_line(error)}"]) from error
    return True


def _name(config: DictConfig) -> str:
    return f"hydra/sweeper={config.hydra.runtime.choices['hydra/sweeper']}"


@contextlib.contextmanager
def _logs_on_stderr() -> Iterator[None]:
    """Context manager: prints the sweeper's log, such as the best job, on stderr."""
    logger = logging.getLogger("hydra_plugins")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("kan-run: %(message)s"))
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def _directions(config: DictConfig) -> list[str] | None:
    """The direction of each objective, minimize unless the sweeper is told otherwise; None if it has no such key."""
    if "direction" not in config.hydra.sweeper:
        return None
    direction = config.hydra.sweeper.direction
    given = list(direction) if OmegaConf.is_list(direction) else [direction]
    names = [str(getattr(entry, "name", entry)).lower() for entry in given]
    return ["minimize" if name == "none" else name for name in names]


def _finish(folder: Path, directions: Sequence[str] | None) -> int:
    """Write and print the results of a search, its best jobs if the directions are known; without a run, remove its
    folder."""
    if has_plan(folder) and (plan := read_plan(folder)).jobs:
        return write_and_print(plan, directions=directions)
    remove_claim(folder)  # a mistake in the first job leaves nothing, like every mistake
    return SWEEP
