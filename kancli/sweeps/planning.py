"""Make the plan of a sweep from its composed jobs."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from kancli.config.identity import identity
from kancli.errors import ConfigError
from kancli.seeding import SEMANTICS
from kancli.sweeps.hydra_record import job_section
from kancli.sweeps.plan import Job, Plan, is_below

if TYPE_CHECKING:
    from kancli.config.presets import Presets
    from kancli.sweeps.jobs import ComposedJob, Expansion


def make_plan(expansion: Expansion, config: DictConfig, typed: Sequence[str], presets: Presets) -> Plan:
    """The plan of a sweep, for the folder that the config names.

    Raises:
        ConfigError: two jobs would have the same folder.
    """
    head = {
        **initial_head(config, typed, presets, expansion.jobs[0].config),
        "swept": expansion.swept,
        "notices": expansion.notices,
        "dropped": expansion.dropped,
    }
    jobs = [plan_job(number, job, head) for number, job in enumerate(expansion.jobs)]
    check_folders(jobs, head)
    return Plan(Path(config.hydra.sweep.dir), head, jobs)


def initial_head(config: DictConfig, typed: Sequence[str], presets: Presets, base: Mapping[str, Any]) -> dict[str, Any]:
    """The head of a plan without jobs.

    Args:
        base: a config from which those of the jobs differ in few sections.
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


def plan_job(number: int, job: ComposedJob, head: Mapping[str, Any]) -> Job:
    """A job as the plan stores it."""
    base, hydra = head["base"], head["hydra"]
    changes = {name: value for name, value in job.config.items() if base.get(name, base) != value}
    choices = {name: value for name, value in job.choices.items() if hydra["runtime"]["choices"].get(name) != value}
    return Job(number, job.words, changes, choices, _folder_name(number, job, hydra), identity(job.settings))


def check_folders(jobs: Sequence[Job], head: Mapping[str, Any]) -> None:
    """Check that each job has a folder of its own below the sweep's.

    Raises:
        ConfigError: two share one, or one lies elsewhere.
    """
    if outside := next((job for job in jobs if not is_below(job.folder)), None):
        raise ConfigError(
            [f"hydra.sweep.subdir={head['hydra']['sweep']['subdir']}: the folder of job {outside.number} would be"
             f" {outside.folder}; allowed: a name below the sweep's folder, such as job_${{hydra.job.num}}"]
        )  # fmt: skip
    first_in = {job.folder: job for job in reversed(jobs)}
    if len(first_in) < len(jobs):
        second = next(job for job in jobs if first_in[job.folder] is not job)
        raise ConfigError(
            [f"hydra.sweep.subdir={head['hydra']['sweep']['subdir']}: jobs {first_in[second.folder].number} and"
             f" {second.number} would share the folder {second.folder}; name one for each, or leave it out"]
        )  # fmt: skip


def _folder_name(number: int, job: ComposedJob, hydra: Mapping[str, Any]) -> str:
    """The folder of a job, relative to the sweep's."""
    template = hydra["sweep"]["subdir"]
    if template == "${hydra.job.num}":  # the default; resolving it takes longer than the rest of the plan
        return str(number)
    own = {
        "job": job_section(hydra, number, job.words),
        "overrides": {**hydra["overrides"], "task": job.words},
        "runtime": {**hydra["runtime"], "choices": {**hydra["runtime"]["choices"], **job.choices}},
    }
    return str(OmegaConf.create({**job.config, "hydra": {**hydra, **own}}).hydra.sweep.subdir)
