"""Configs and words that were read from a record: data, which may name keys of a run and plain values only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kancli.config.catalogue import TOP_LEVEL, catalogue
from kancli.config.grammar import parse
from kancli.config.nested import flatten
from kancli.config.overrides import SELECTORS
from kancli.errors import ConfigError
from kancli.inits.plugins import code_policy
from kancli.spelling import show
from kancli.stats.options import Verdicts, recorded_bounds

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

    from kancli.config.presets import Presets

INTERPOLATION = "${"
KNOB = re.compile(r"init\.\w+")  # a user's scheme may have any
PLAIN_TEXT = re.compile(r"[\w.:@%+,-]*")
LAUNCHERS = ("kancli", "basic", "joblib", "ray", "ray_aws", "submitit_local", "submitit_slurm")
# The keys of launchers that set a number or a name. Others set commands, files or machines.
LAUNCHER_KEYS = frozenset(
    f"hydra.launcher.{name}"
    for name in (
        *("n_jobs", "backend", "prefer", "require", "verbose", "timeout", "batch_size", "timeout_min", "nodes"),
        *("cpus_per_task", "gpus_per_node", "tasks_per_node", "mem_gb", "name", "stderr_to_stdout", "partition"),
        *("qos", "comment", "constraint", "exclude", "gres", "cpus_per_gpu", "gpus_per_task", "mem_per_gpu"),
        *("mem_per_cpu", "account", "signal_delay_s", "max_num_timeout", "array_parallelism"),
        *("ray.init.num_cpus", "ray.init.num_gpus", "ray.remote.num_cpus", "ray.remote.num_gpus"),
    )
)
# Hydra's keys that have no effect on a sweep once it is planned.
WITHOUT_EFFECT = (
    *("hydra.sweep.", "hydra.run.", "hydra.sweeper.", "hydra/sweeper", "hydra.verbose", "hydra.job.name"),
    *("hydra/job_logging", "hydra.job_logging.", "hydra/hydra_logging", "hydra.hydra_logging."),
)


def check_config(config: Mapping[str, Any], source: Path) -> None:
    """Check that a recorded config has only keys of a run, and values without interpolations.

    Args:
        source: the file that the config was read from.

    Raises:
        ConfigError: it has others.
    """
    legal = {*TOP_LEVEL, *SELECTORS, *(key.path for key in catalogue())}
    faults = []
    for path, value in flatten(config, ""):
        if path not in legal and not KNOB.fullmatch(path):
            faults.append(f"{source}: damaged: its config has {path}={show(value)}, which is no key of a run")
        elif any(INTERPOLATION in text for text in _texts(value)):
            faults.append(f"{source}: damaged: {path}={show(value)}: a record holds values, not interpolations")
    if faults:
        raise ConfigError(faults[:3])


def with_legal_bounds(config: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """A recorded config in which defaults replace the bounds of verdicts that this kancli refuses.

    Bounds are no part of what a run computed. Where they are refused, an older kancli judged another number by them.

    Returns:
        The config, and a text for each replaced pair by the name of its verdict.
    """
    recorded = config.get("verdicts")
    if not isinstance(recorded, Mapping):
        return dict(config), {}
    legal = recorded_bounds(config)
    defaults = {
        name: list(bounds) for name, bounds in vars(Verdicts()).items() if name in recorded and name not in legal
    }
    texts = {
        name: f"verdicts.{name}={show(recorded[name])} is not legal in this kancli, its default is {show(default)}"
        for name, default in defaults.items()
    }
    return {**config, "verdicts": {**recorded, **defaults}}, texts


def launcher_words(planned: Sequence[str], typed: Sequence[str], presets: Presets, source: Path) -> list[str]:
    """The overrides of Hydra's own keys that a planned sweep is resumed with: those of its launcher.

    With `allow_code=true` they are all that were planned.

    Args:
        planned: the words of the plan.
        typed: the words typed now; a key among them replaces that of the plan.
        source: the file that the plan was read from.

    Raises:
        ConfigError: the plan has a key that could run code or write files.
    """
    words = [word for word in planned if word.lstrip("+~").startswith("hydra")]
    if code_policy().anywhere:
        return words
    retyped = {override.key_or_group for override in parse(typed)}
    overrides = [override for override in parse(words) if override.key_or_group not in retyped]
    launchers = {*LAUNCHERS, *presets.options("hydra/launcher")}
    rest = [override for override in overrides if not override.key_or_group.startswith(WITHOUT_EFFECT)]
    if faults := [
        f"{source}: planned with {override.input_line}: a plan may choose a launcher and its numbers only;"
        " type it again to have it, or add allow_code=true"
        for override in rest
        if not _is_allowed(override, launchers)
    ]:
        raise ConfigError(faults[:3])
    return [override.input_line or "" for override in rest]


def check_job_words(words: Sequence[str], source: Path) -> None:
    """Check that the planned overrides of a job set keys of a run only, to plain values.

    Args:
        source: the file that the plan was read from.

    Raises:
        ConfigError: they set others, and `allow_code=true` is not given.
    """
    if code_policy().anywhere:
        return
    for override in parse(words):
        text = override.input_line or ""
        if override.is_hydra_override() or override.package is not None or INTERPOLATION in text:
            raise ConfigError(
                [f"{source}: a job was planned with {text}: a plan sets keys of a run to plain values;"
                 " to have it run add allow_code=true"]
            )  # fmt: skip


def _is_allowed(override: Override, launchers: set[str]) -> bool:
    """Whether a plan may hold this override of one of Hydra's keys."""
    if override.package is not None or override.is_delete() or override.is_sweep_override():
        return False
    value = override.value()
    if override.key_or_group == "hydra/launcher":
        return value in launchers
    is_plain = value is None or isinstance(value, (bool, int, float)) or PLAIN_TEXT.fullmatch(str(value)) is not None
    return override.key_or_group in LAUNCHER_KEYS and is_plain


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, entry in value.items():
            yield str(name)
            yield from _texts(entry)
    elif isinstance(value, Sequence):
        for entry in value:
            yield from _texts(entry)
