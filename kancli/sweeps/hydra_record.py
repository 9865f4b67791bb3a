"""Hydra's own record of a job, `.hydra/`, as its launchers leave it, without composing each job for it."""

from __future__ import annotations

import functools
import json
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from kancli.sweeps.plan import Job, Plan

DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # libyaml's, eight times as fast
OF_A_JOB = ("mode", "overrides", "job", "runtime")  # the sections that differ from job to job


def record_of(plan: Plan, job: Job, path: Path) -> dict[str, str]:
    """The files of `.hydra`, by name.

    Args:
        path: the job's folder, absolute.
    """
    hydra = plan.head["hydra"]
    own = {
        "mode": "MULTIRUN",
        "overrides": {"hydra": [*hydra["overrides"]["hydra"], "hydra.mode=MULTIRUN"], "task": job.words},
        "job": job_of(hydra, job.number, job.words),
        "runtime": {
            **hydra["runtime"],
            "output_dir": str(path),
            "choices": {**hydra["runtime"]["choices"], **job.choices},
        },
    }
    shared = _shared(json.dumps({name: each for name, each in hydra.items() if name not in OF_A_JOB}))
    return {
        "config.yaml": "".join(_section(json.dumps({name: value})) for name, value in plan.config(job).items()),
        "hydra.yaml": f"hydra:\n{shared}{textwrap.indent(_dump(own), '  ')}",
        "overrides.yaml": _dump(job.words),
    }


def job_of(hydra: Mapping[str, Any], number: int, words: Sequence[str]) -> dict[str, Any]:
    """What Hydra's record calls `job`."""
    naming = hydra["job"]["config"]["override_dirname"]
    split = (word.partition("=")[::2] for word in words)
    named = (f"{key}{naming['kv_sep']}{value}" for key, value in split if key not in naming["exclude_keys"])
    return {
        **hydra["job"],
        "override_dirname": naming["item_sep"].join(sorted(named)),
        "id": str(number),
        "num": number,
    }


@functools.lru_cache(maxsize=1)
def _shared(hydra: str) -> str:
    return textwrap.indent(_dump(json.loads(hydra)), "  ")


@functools.lru_cache(maxsize=1024)
def _section(section: str) -> str:
    """A section of a config; most are those of the job before."""
    return _dump(json.loads(section))


def _dump(value: Mapping[str, Any] | list[str]) -> str:
    return yaml.dump(value, Dumper=DUMPER, sort_keys=False, allow_unicode=True)
