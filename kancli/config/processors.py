"""The number of processors that this process may use."""

from __future__ import annotations

import os


def usable_processors() -> int:
    """Number of processors that this process may use; of the machine, where the system has no such limit (macOS)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
