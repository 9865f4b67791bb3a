"""Hydra's own record of a job, `.hydra/`, as its launchers leave it, without composing each job for it."""

from __future__ import annotations

import functools
import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from kancli.sweeps.plan import Job, Plan, job_of

DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # libyaml's, eight times as fast


class HydraRecord:
    """What `.hydra` holds of the jobs of one plan: most sections are the same in all, and written once."""

    def __init__(self, plan: Plan) -> None:
        self.hydra, self.base = plan.head["hydra"], plan.head["base"]
        self.texts = {name: _indented({name: value}) for name, value in self.hydra.items()}
        self.base_texts = {name: _dump({name: value}) for name, value in self.base.items()}

    def files(self, job: Job, path: Path) -> dict[str, str]:
        """The files, by name.

        Args:
            path: the job's folder, absolute.
        """
        hydra = self.hydra
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
        texts = {**self.texts, **{name: _indented({name: value}) for name, value in own.items()}}
        config = {**self.base_texts, **{name: _dump({name: value}) for name, value in job.changes.items()}}
        return {
            "config.yaml": "".join(config.values()),
            "hydra.yaml": "hydra:\n" + "".join(texts.values()),
            "overrides.yaml": _dumped(json.dumps(job.words)),
        }


def _indented(sections: Mapping[str, Any]) -> str:
    return textwrap.indent(_dump(sections), "  ")


def _dump(sections: Mapping[str, Any], depth: int = 1) -> str:
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
