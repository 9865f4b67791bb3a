"""From the jobs of a sweep to its plan, and the plan in words."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from kancli.errors import ConfigError
from kancli.identity import identity
from kancli.seeding import SEMANTICS
from kancli.sweeps import costs, local
from kancli.sweeps.expansion import Composed, Expansion
from kancli.sweeps.hydra_record import job_of
from kancli.sweeps.plan import Job, Plan

if TYPE_CHECKING:
    from kancli.presets import Presets
    from kancli.settings import Settings


def planned(found: Expansion, config: DictConfig, typed: Sequence[str], presets: Presets) -> Plan:
    """The plan of what was found, in the folder that the config names."""
    head = {**head_of(config, typed, presets, found.jobs[0].config), "swept": found.swept, "notices": found.notices,
            "dropped": found.dropped}  # fmt: skip
    jobs = [planned_job(number, each, head) for number, each in enumerate(found.jobs)]
    check_places(jobs, head)
    return Plan(Path(config.hydra.sweep.dir), head, jobs)


def head_of(config: DictConfig, typed: Sequence[str], presets: Presets, base: Mapping[str, Any]) -> dict[str, Any]:
    """The head of a plan that holds no jobs yet.

    Args:
        base: a config near that of all jobs.
    """
    return {
        "semantics": SEMANTICS,
        "typed": list(typed),
        "options": [] if presets.own is None else ["--config-dir", str(presets.own)],
        "argv": sys.argv,
        "swept": {},
        "notices": [],
        "dropped": 0,
        "hydra": OmegaConf.to_container(config.hydra, enum_to_str=True),
        "base": base,
    }


def planned_job(number: int, job: Composed, head: Mapping[str, Any]) -> Job:
    """A job as the plan holds it."""
    base, hydra = head["base"], head["hydra"]
    changes = {name: value for name, value in job.config.items() if base.get(name, base) != value}
    choices = {name: value for name, value in job.choices.items() if hydra["runtime"]["choices"].get(name) != value}
    return Job(number, job.words, changes, choices, _place(number, job, hydra), identity(job.settings))


def check_places(jobs: Sequence[Job], head: Mapping[str, Any]) -> None:
    """Check that each job has a folder of its own.

    Raises:
        ConfigError: two would share one.
    """
    places = {job.folder: job for job in reversed(jobs)}
    if len(places) < len(jobs):
        double = next(job for job in jobs if places[job.folder] is not job)
        raise ConfigError(
            [f"hydra.sweep.subdir={head['hydra']['sweep']['subdir']}: jobs {places[double.folder].number} and"
             f" {double.number} would share the folder {double.folder}; name one for each, or leave it out"]
        )  # fmt: skip


def _place(number: int, job: Composed, hydra: Mapping[str, Any]) -> str:
    """A job's folder below the sweep's."""
    template = hydra["sweep"]["subdir"]
    if template == "${hydra.job.num}":
        return str(number)
    own = {"job": job_of(hydra, number, job.words), "overrides": {**hydra["overrides"], "task": job.words}}
    return str(OmegaConf.create({**job.config, "hydra": {**hydra, **own}}).hydra.sweep.subdir)


def in_words(found: Expansion, runs: Mapping[int, Settings]) -> str:
    """The plan in words."""
    factors = [str(len(values)) for values in found.swept.values()]
    jobs, sweep = len(runs), runs[0].sweep
    product = f"{' × '.join(factors)} = {jobs + found.dropped}" if len(factors) > 1 else f"{jobs + found.dropped}"
    lines = [f"kan-run: {notice}" for notice in found.notices]
    each = list(runs.values())
    processes = max(1, min(local.processes_of(sweep.workers), jobs))
    gigabytes, seconds = costs.disk_bytes(each) / 1e9, costs.seconds(each, processes)
    left = f", {jobs} without them" if found.dropped else ""
    lines.append(
        f"kan-run: {product} job{'' if product == '1' else 's'}, {found.dropped} duplicates{left},"
        f" {gigabytes:.2g} GB, about {_duration(seconds)}"
    )
    return "\n".join(lines)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
