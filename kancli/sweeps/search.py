"""Sweeps by a sweeper that is not Hydra's basic one, such as Optuna's: it decides on jobs as it goes, by the objectives
of those before."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from kancli.config.hydra import BASIC_SWEEPER, instantiate_sweeper, multirun, plain_config
from kancli.errors import ConfigError, KanError, one_line
from kancli.runs import signals
from kancli.runs.pool import reuse_pools
from kancli.sweeps import launch as launching
from kancli.sweeps.jobs import overrides_of
from kancli.sweeps.objective import check_names, objective_names
from kancli.sweeps.plan import Plan, write_plan
from kancli.sweeps.planning import initial_head

if TYPE_CHECKING:
    from kancli.config.hydra import Hydra
    from kancli.config.overrides import ResolvedOverrides
    from kancli.config.presets import Presets

log = logging.getLogger("kancli")


def is_search(config: DictConfig) -> bool:
    """Whether the config of a sweep leaves its jobs to a sweeper of others'."""
    return config.hydra.sweeper._target_ != BASIC_SWEEPER


def check(config: DictConfig) -> None:
    """Check that the sweeper can be told how good a run is.

    Raises:
        ConfigError: no objective is named, there is none of that name, or the sweeper has not a direction for each.
    """
    names = objective_names(config.objective)
    if not names:
        raise ConfigError(
            [f"{_name(config)}: name what it is told of each run, a number in sweep.csv: objective=propagation_signal"]
        )
    check_names(list(map(str, names)))
    direction = config.hydra.sweeper.get("direction")
    count = len(direction) if OmegaConf.is_list(direction) else 1
    if direction is not None and count != len(names):
        raise ConfigError(
            [f"hydra.sweeper.direction: {count} for {len(names)} objectives; type for example"
             " objective=[rough,linear] hydra.sweeper.direction=[minimize,maximize]"]
        )  # fmt: skip


def begin(config: DictConfig, typed: Sequence[str], presets: Presets) -> Plan:
    """Freeze a plan without jobs in the sweep's folder: kancli's launcher adds to it."""
    head = initial_head(config, typed, presets, plain_config(config))
    plan = Plan(Path(config.hydra.sweep.dir), head, [])
    write_plan(plan)
    return plan


def search(
    hydra: Hydra, config: DictConfig, resolved: ResolvedOverrides, presets: Presets, task: Callable[[Any], Any]
) -> bool:
    """Have the sweeper run its jobs; return whether it came to its end.

    Raises:
        ConfigError: the sweeper's own config has faults, or that of a job which it came upon.
    """
    from kancli.sweeps import hydra_launcher as launcher  # late, with numpy: a mistake is answered without it

    arguments = [each.input_line for each in overrides_of(resolved, presets)]
    launcher.register()
    own = launching.is_own(config)
    calls = task if own else launching.for_others(config, task)
    telling = _told() if own else contextlib.nullcontext()  # other launchers make Hydra's loggers print
    with multirun(hydra, config) as context, reuse_pools(), telling:
        try:
            sweeper = instantiate_sweeper(context, calls, config)
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
def _told() -> Iterator[None]:
    """Within, what the sweeper logs is told on stderr, such as the best that it found."""
    theirs = logging.getLogger("hydra_plugins")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("kan-run: %(message)s"))
    before = theirs.level
    theirs.setLevel(logging.INFO)
    theirs.addHandler(handler)
    try:
        yield
    finally:
        theirs.removeHandler(handler)
        theirs.setLevel(before)
