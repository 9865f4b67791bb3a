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


def record_of(plan: Plan, job: Job, path: Path) -> dict[str, str]:
    """The files of `.hydra`, by name.

    Args:
        path: the job's folder, absolute.
    """
    hydra = plan.head["hydra"]
    own = {
        **hydra,
        "mode": "MULTIRUN",
        "overrides": {"hydra": [*hydra["overrides"]["hydra"], "hydra.mode=MULTIRUN"], "task": job.words},
        "job": job_of(hydra, job.number, job.words),
        "runtime": {
            **hydra["runtime"],
            "output_dir": str(path),
            "choices": {**hydra["runtime"]["choices"], **job.choices},
        },
    }
    return {
        "config.yaml": _dump(plan.config(job)),
        "hydra.yaml": _dump({"hydra": own}),
        "overrides.yaml": _dumped(json.dumps(job.words)),
    }


def _dump(sections: Mapping[str, Any], depth: int = 2) -> str:
    """YAML of nested sections, section by section: most are those of the job before, and not made again."""
    text = []
    for name, value in sections.items():
        if depth and isinstance(value, dict) and value:
            text.append(f"{name}:\n{textwrap.indent(_dump(value, depth - 1), '  ')}")
        else:
            text.append(_dumped(json.dumps({name: value})))
    return "".join(text)


@functools.lru_cache(maxsize=4096)
def _dumped(content: str) -> str:
    return yaml.dump(json.loads(content), Dumper=DUMPER, sort_keys=False, allow_unicode=True)


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
