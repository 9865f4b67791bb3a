"""What a sweep will cost, told before it begins: how its jobs go together, time, bytes on disk. No torch is loaded."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kancli.config import memory
from kancli.config.settings import Settings
from kancli.config.validation import ITEM_BYTES
from kancli.sweeps.jobs import Expansion

if TYPE_CHECKING:
    from kancli.config.settings import Settings


TOGETHER = 64  # jobs at most: what is lost where a process dies, and how often progress is told
START = 2.5  # seconds, to load torch
# Seconds of one processor, measured: of a job whatever it is, of an edge told edge by edge, of a figure; and of a
# number that a sample makes in an edge's bases.
OF_JOB, OF_EDGE, OF_FIGURE, OF_TERM = 7e-3, 4e-5, 0.5, 2e-8
# Bytes on disk, measured: of a job whatever it is, of an edge in stats.json and edges.csv.
JOB_BYTES, EDGE_BYTES = 25_000, 900


def shape_of(settings: Settings) -> tuple[Any, ...] | None:
    """What runs must have in common to be computed together; None for one that cannot be with any."""
    if settings.n_seeds > 1 or settings.figures.names:
        return None
    init = settings.init
    apart = {"seed": 0, "init": None, "inputs": None, "strict": False, "overwrite": False, "verdicts": None}
    common = dataclasses.replace(settings, **apart)  # pyright: ignore[reportArgumentType]
    return common, init.has_bias, init.standardises, settings.inputs.count()


def most_together(settings: Settings) -> int:
    """How many runs of this shape go together: as many as keep within what a group of members may take."""
    kept = memory.kept_bytes(settings.width, _kept(settings), ITEM_BYTES[settings.dtype])
    group = memory.group_size(settings.width, settings.grid.size + settings.k, settings.inputs.count())
    return max(1, min(TOGETHER, group, memory.GROUP_BYTES // max(1, kept)))


def groups(runs: Mapping[int, Settings], workers: int) -> Iterator[list[int]]:
    """The numbers of runs that are computed together, those of one scheme and sampler next to each other.

    Args:
        workers: the runs of a shape are spread over so many processes.
    """
    shapes: dict[Any, list[int]] = {}
    for number, settings in runs.items():
        shape = shape_of(settings)
        shapes.setdefault(number if shape is None else shape, []).append(number)
    for numbers in shapes.values():
        kinds: dict[Any, list[int]] = {}
        for number in numbers:
            kinds.setdefault((runs[number].init, runs[number].inputs), []).append(number)
        ordered = list(itertools.chain.from_iterable(kinds.values()))
        size = min(most_together(runs[numbers[0]]), -(-len(numbers) // workers))
        for begin in range(0, len(ordered), size):
            yield ordered[begin : begin + size]


def seconds(runs: Sequence[Settings], workers: int) -> float:
    """About how long a sweep takes."""
    return START + seconds_of_jobs(runs) / workers


def seconds_of_jobs(runs: Sequence[Settings]) -> float:
    """The same for one processor, and without the start."""
    return sum(map(_seconds, runs))


def disk_bytes(runs: Sequence[Settings]) -> int:
    """About how many bytes it leaves."""
    return sum(map(_bytes, runs))


def _edges(settings: Settings) -> int:
    return sum(a * b for a, b in itertools.pairwise(settings.width))


def _kept(settings: Settings) -> int:
    n = settings.inputs.count()
    return n if settings.activations.n is None else min(n, settings.activations.n)


def _seconds(settings: Settings) -> float:
    edges, members = _edges(settings), settings.n_seeds
    terms = settings.inputs.count() * edges * (settings.k + 2)
    told = 0 if settings.stats.level == "none" else edges * OF_EDGE
    return OF_JOB + told * members**0.5 + OF_TERM * terms * members + OF_FIGURE * len(settings.figures.names)


def _bytes(settings: Settings) -> int:
    item, edges = ITEM_BYTES[settings.dtype], _edges(settings)
    parameters = settings.n_seeds * item * edges * (settings.grid.size + settings.k + 2)
    kept = memory.kept_bytes(settings.width, _kept(settings), item) // 2
    return JOB_BYTES + EDGE_BYTES * edges + parameters + kept + 60_000 * len(settings.figures.names)


def processes_of(workers: int | None) -> int:
    """How many work beside this one, by `sweep.workers`."""
    return len(os.sched_getaffinity(0)) if workers is None else workers


def format_plan(found: Expansion, runs: Mapping[int, Settings]) -> str:
    """The plan in words."""
    factors = [str(len(values)) for values in found.swept.values()]
    jobs, sweep = len(runs), runs[0].sweep
    product = f"{' × '.join(factors)} = {jobs + found.dropped}" if len(factors) > 1 else f"{jobs + found.dropped}"
    lines = [f"kan-run: {notice}" for notice in found.notices]
    each = list(runs.values())
    processes = max(1, min(processes_of(sweep.workers), jobs))
    gigabytes, duration = disk_bytes(each) / 1e9, seconds(each, processes)
    left = f", {jobs} without them" if found.dropped else ""
    lines.append(
        f"kan-run: {product} job{'' if product == '1' else 's'}, {found.dropped} duplicates{left},"
        f" {gigabytes:.2g} GB, about {_duration(duration)}"
    )
    return "\n".join(lines)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
