"""`kan-run resume`: run the unfinished jobs of a planned sweep."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kancli.config.grammar import literal, parse
from kancli.config.hydra import BASIC_LAUNCHER, compose_sweep, create_hydra
from kancli.config.overrides import parse_and_resolve
from kancli.config.recorded import check_job_words, launcher_words, with_legal_bounds
from kancli.config.validation import validate
from kancli.errors import ConfigError
from kancli.runs.fork_server import fork_server
from kancli.runs.reader import ENDED
from kancli.runs.temporaries import remove_abandoned
from kancli.sweeps import WORKER, launch
from kancli.sweeps.finish import run_and_finish
from kancli.sweeps.job_state import JobState, clear, state_of
from kancli.sweeps.plan import MULTIRUN, PLAN, Plan, read_plan

if TYPE_CHECKING:
    from kancli.config.presets import Presets

MAX_FAULTS = 10  # printed


def resume(folder: Path, only: str | None, typed: Sequence[str], presets: Presets, task: Callable[[Any], Any]) -> int:
    """Run unfinished jobs of a sweep as they were planned, with the launcher that the sweep had.

    Args:
        only: "failed" for the failed jobs, or numbers such as "3,7"; None for the jobs that have not ended.
        typed: overrides of keys of the section `sweep`, and of Hydra's own such as hydra/launcher=kancli.
        task: one job, by Hydra's config, for launchers other than kancli's own.

    Returns:
        0, or `errors.SWEEP` if a job is not complete.

    Raises:
        ConfigError: there is no such sweep, another process is running it, or an override is not allowed.
    """
    plan = read_plan(folder)
    plan.check_semantics()
    if not plan.jobs:
        raise ConfigError([f"{folder}: its plan has no jobs; start the sweep again in a new folder"])
    _check_only(only, len(plan.jobs))
    changes = _sweep_section(typed)
    with plan.lock():
        for name in (PLAN, MULTIRUN):  # the other files are written again
            remove_abandoned(folder / name)
        states = {job.number: state_of(plan, job) for job in plan.jobs}
        numbers = _select(states, only)
        runs = {}
        for number in numbers:
            settings = plan.settings(plan.jobs[number])
            runs[number] = dataclasses.replace(settings, sweep=dataclasses.replace(settings.sweep, **changes))
        print(f"kan-run: {len(numbers)} of {len(plan.jobs)} jobs to do", file=sys.stderr)
        _print_refused_bounds(plan, numbers)
        _print_faults(plan, {number: states[number].fault for number in numbers})
        hydra = create_hydra(presets)
        words = launcher_words(plan.head["typed"], typed, presets, folder / PLAN)
        words += [word for word in typed if word.lstrip("+~").startswith("hydra")]
        words.append(f"hydra.sweep.dir={literal(str(folder))}")
        config = compose_sweep(hydra, parse_and_resolve(words, presets, sweeping=True))
        if config.hydra.launcher._target_ == BASIC_LAUNCHER:  # composes the jobs again, from their words
            for number in numbers:
                check_job_words(plan.jobs[number].words, folder / PLAN)

        def run() -> dict[int, str]:
            for number in numbers:
                clear(plan, plan.jobs[number])
            return launch.start(hydra, config, plan, runs, task)

        own = numbers and launch.is_own(config)
        with fork_server([WORKER]) if own else contextlib.nullcontext():
            return run_and_finish(plan, run)


def _print_refused_bounds(plan: Plan, numbers: Sequence[int]) -> None:
    """Print which bounds of verdicts, planned by an earlier kancli, are replaced in the jobs to do."""
    texts = dict.fromkeys(
        text for number in numbers for text in with_legal_bounds(plan.config(plan.jobs[number]))[1].values()
    )
    for text in list(texts)[:MAX_FAULTS]:
        print(f"kan-run: {plan.folder}: {text}: used instead", file=sys.stderr)


def _print_faults(plan: Plan, faults: Mapping[int, str | None]) -> None:
    """Print why folders of jobs are removed and their jobs computed again."""
    lines = [f"{plan.path(plan.jobs[number])}: {fault}: computed again" for number, fault in faults.items() if fault]
    for line in lines[:MAX_FAULTS]:
        print(f"kan-run: {line}", file=sys.stderr)
    if len(lines) > MAX_FAULTS:
        print(f"kan-run: ... and {len(lines) - MAX_FAULTS} more", file=sys.stderr)


def _select(states: Mapping[int, JobState], only: str | None) -> list[int]:
    """The numbers of the jobs to run."""
    if only is None:
        return [number for number, state in states.items() if state.status not in ENDED]
    if only == "failed":
        return [number for number, state in states.items() if state.status == "failed"]
    return [number for number in _parse_only(only, len(states)) if states[number].status != "complete"]


def _check_only(only: str | None, count: int) -> None:
    if only not in (None, "failed"):
        _parse_only(only, count)


def _parse_only(only: str, count: int) -> list[int]:
    try:
        numbers = sorted({int(part) for part in only.split(",")})
    except ValueError:
        numbers = [-1]
    if not 0 <= numbers[0] <= numbers[-1] < count:
        raise ConfigError([f"--only {only}: allowed: failed, or numbers of jobs from 0 to {count - 1}, such as 3,7"])
    return numbers


def _sweep_section(typed: Sequence[str]) -> dict[str, Any]:
    """The typed values of keys of the section `sweep`.

    Raises:
        ConfigError: a value is not valid, or another key is given, which would change the planned jobs.
    """
    overrides = [override for override in parse(typed) if not override.is_hydra_override()]
    faults = [f"{override.input_line}: the jobs are those that were planned; allowed: keys of sweep, such as"
              " sweep.timeout" for override in overrides if not override.key_or_group.startswith("sweep.")]  # fmt: skip
    if faults:
        raise ConfigError(faults)
    values = {override.key_or_group.removeprefix("sweep."): override.value() for override in overrides}
    section = validate({"sweep": values}).sweep
    return {name: getattr(section, name) for name in values}
