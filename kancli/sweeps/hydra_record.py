"""Hydra's own record of a job, `.hydra/`, as its basic launcher writes it. Jobs are not composed by Hydra for it."""

from __future__ import annotations

import functools
import json
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from kancli.sweeps.plan import Job, Plan

DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # libyaml's is eight times as fast


class HydraRecord:
    """The files of `.hydra/` for the jobs of one plan. Sections that all jobs share are formatted once."""

    def __init__(self, plan: Plan) -> None:
        self.hydra, self.base = plan.head["hydra"], plan.head["base"]
        self._hydra_texts = {name: _format_indented({name: section}) for name, section in self.hydra.items()}
        self._base_texts = {name: _format({name: section}) for name, section in self.base.items()}

    def files(self, job: Job, path: Path) -> dict[str, str]:
        """The files of one job, by name.

        Args:
            path: the job's folder, absolute.
        """
        hydra = self.hydra
        own = {
            "mode": "MULTIRUN",
            "overrides": {"hydra": [*hydra["overrides"]["hydra"], "hydra.mode=MULTIRUN"], "task": job.words},
            "job": job_section(hydra, job.number, job.words),
            "runtime": {
                **hydra["runtime"],
                "output_dir": str(path),
                "choices": {**hydra["runtime"]["choices"], **job.choices},
            },
        }
        sections = {**self._hydra_texts, **{name: _format_indented({name: section}) for name, section in own.items()}}
        config = {**self._base_texts, **{name: _format({name: section}) for name, section in job.changes.items()}}
        return {
            "config.yaml": "".join(config.values()),
            "hydra.yaml": "hydra:\n" + "".join(sections.values()),
            "overrides.yaml": _format_json(json.dumps(job.words)),
        }


def job_section(hydra: Mapping[str, Any], number: int, words: Sequence[str]) -> dict[str, Any]:
    """The section `hydra.job` of a job."""
    naming = hydra["job"]["config"]["override_dirname"]
    split = (word.partition("=")[::2] for word in words)
    named = (f"{key}{naming['kv_sep']}{value}" for key, value in split if key not in naming["exclude_keys"])
    return {
        **hydra["job"],
        "override_dirname": naming["item_sep"].join(sorted(named)),
        "id": str(number),
        "num": number,
    }


def _format_indented(sections: Mapping[str, Any]) -> str:
    return textwrap.indent(_format(sections), "  ")


def _format(sections: Mapping[str, Any], depth: int = 1) -> str:
    """YAML of nested sections. Formatted section by section, because most are in the cache from the job before."""
    text = []
    for name, value in sections.items():
        if depth and isinstance(value, dict) and value:
            text.append(f"{name}:\n{textwrap.indent(_format(value, depth - 1), '  ')}")
        else:
            text.append(_format_json(json.dumps({name: value})))
    return "".join(text)


@functools.lru_cache(maxsize=4096)
def _format_json(content: str) -> str:
    """YAML of JSON text, which unlike the value is hashable."""
    return yaml.dump(json.loads(content), Dumper=DUMPER, sort_keys=False, allow_unicode=True)
