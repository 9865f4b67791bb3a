"""Sweeps by a sweeper other than Hydra's basic one, such as Optuna's. It chooses jobs as it goes, by the objectives of
the earlier ones."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from kancli.config.hydra import BASIC_SWEEPER, instantiate_sweeper, multirun, plain_config
from kancli.errors import SWEEP, ConfigError, KanError, one_line
from kancli.runs import signals
from kancli.runs.pool import reuse_pools
from kancli.sweeps import launch
from kancli.sweeps.claim import claimed_folder, remove_claim
from kancli.sweeps.finish import print_results, write_and_print
from kancli.sweeps.objective import check_names, objective_names
from kancli.sweeps.plan import PLAN, Plan, has_plan, read_plan
from kancli.sweeps.planning import initial_head
from kancli.sweeps.product import sweep_overrides

if TYPE_CHECKING:
    from kancli.config.hydra import Hydra
    from kancli.config.overrides import ResolvedOverrides
    from kancli.config.presets import Presets


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
    head = initial_head(config, typed, presets, plain_config(config))
    plan = Plan(folder, head, [])  # kancli's launcher adds the jobs
    is_complete = False
    with claimed_folder(plan, config):
        if not launch.is_own(config):
            (folder / PLAN).unlink()  # which would never list the jobs
        try:
            is_complete = _run_sweeper(hydra, config, resolved, presets, task)
        finally:
            with signals.deferred_signals():
                code = _finish(folder, config)
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
    hydra_launcher.register()
    is_own = launch.is_own(config)
    call = task if is_own else launch.prepare_foreign(config, task)
    logs = _logs_on_stderr() if is_own else contextlib.nullcontext()  # other launchers make Hydra's loggers print
    with multirun(hydra, config) as context, reuse_pools(), logs:
        try:
            sweeper = instantiate_sweeper(context, call, config)
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


def _finish(folder: Path, config: DictConfig) -> int:
    """Write and print the results of a search; without a run, remove its folder."""
    if has_plan(folder) and (plan := read_plan(folder)).jobs:
        return write_and_print(plan)
    if any(folder.glob("**/run.json")):  # by another launcher, which writes no plan
        from kancli.sweeps import results

        return print_results(results.collect([folder], folder), folder, config.objective)
    remove_claim(folder)  # a mistake in the first job leaves nothing, like every mistake
    return SWEEP
