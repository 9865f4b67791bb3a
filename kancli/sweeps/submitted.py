"""What submitit has in its queue. Its launcher gives up at the first task that is lost, while others are at work."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock


@contextlib.contextmanager
def noted() -> Iterator[list[Any]]:
    """Within, submitit's jobs are added to the list as they are submitted; none where it is not installed."""
    jobs: list[Any] = []
    try:
        from submitit import AutoExecutor  # pyright: ignore[reportMissingImports]
    except ImportError:
        yield jobs
        return
    submit = AutoExecutor.map_array

    def submit_and_note(*args: Any) -> list[Any]:
        made = submit(*args)
        jobs.extend(made)
        return made

    with mock.patch.object(AutoExecutor, "map_array", submit_and_note):
        yield jobs


def wait(jobs: list[Any]) -> None:
    """Wait until all jobs have ended, however they do."""
    for job in jobs:
        job.wait()
