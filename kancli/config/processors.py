"""The number of processors that this process may use."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

from kancli.config.control_groups import MOUNTED, OWN, control_groups


def usable_processors() -> int:
    """Number of processors that this process may use; of the machine, where the system has no such limit (macOS).

    Numerical libraries take as many threads.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processors_within_quota(mounted: Path = MOUNTED, own: Path = OWN) -> int:
    """Number of processors whose time this process gets: the usable ones, or fewer where its control groups have a
    quota, as in a container. A part of a processor counts as one.
    """
    return min([usable_processors(), *(max(1, math.ceil(quota)) for quota in _quotas(mounted, own))])


def _quotas(mounted: Path, own: Path) -> Iterator[float]:
    """Processor time of each group, in seconds a second."""
    for version, folder in control_groups("cpu", mounted, own):
        names = ("cpu.max",) if version == 2 else ("cpu.cfs_quota_us", "cpu.cfs_period_us")
        try:
            quota, period = map(int, " ".join((folder / name).read_text() for name in names).split())
        except (OSError, ValueError):  # no such group, or its quota is "max"
            continue
        if quota > 0 and period > 0:  # -1: none
            yield quota / period
