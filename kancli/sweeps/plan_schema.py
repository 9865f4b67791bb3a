"""The types of a plan's head, as far as they are read; other entries are kept as they are."""

from __future__ import annotations

from typing import Any

import msgspec


class HydraOverrides(msgspec.Struct):
    """`hydra.overrides`."""

    hydra: list[str]


class HydraRuntime(msgspec.Struct):
    """`hydra.runtime`."""

    choices: dict[str, Any]


class OverrideDirname(msgspec.Struct):
    """`hydra.job.config.override_dirname`."""

    kv_sep: str
    item_sep: str
    exclude_keys: list[str]


class HydraJobConfig(msgspec.Struct):
    """`hydra.job.config`."""

    override_dirname: OverrideDirname


class HydraJob(msgspec.Struct):
    """`hydra.job`."""

    config: HydraJobConfig


class HydraSection(msgspec.Struct):
    """`hydra`, from which the records of jobs are written."""

    overrides: HydraOverrides
    runtime: HydraRuntime
    job: HydraJob


class PlanHead(msgspec.Struct):
    """The first line of a plan."""

    schema: int
    jobs: int
    typed: list[str]
    options: list[str]
    argv: list[str]
    swept: dict[str, list[Any]]
    notices: list[str]
    dropped: int
    hydra: HydraSection
    base: dict[str, Any]
    semantics: int | None = None
    jobs_sha256: str | None = None  # of the lines of the jobs; an older kancli wrote none
