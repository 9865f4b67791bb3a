"""How many bytes a run will need, and how many there are: asked before anything is allocated."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

# One chunk of the forward pass holds at most so many numbers in its largest tensor.
CHUNK_NUMBERS = 4_000_000
# One group of members of an ensemble aims at so many: larger ones only take more memory.
GROUP_NUMBERS = 2_000_000
# Runs that are computed together keep their activations until they are written: at most so many bytes.
GROUP_BYTES = 2**26


def available() -> int:
    """Bytes that can still be had: the machine's, or what a control group or container leaves. Huge where unknown."""
    limits = [_meminfo(), _control_group()]
    known = [limit for limit in limits if limit is not None]
    return min(known) if known else 2**62


def _meminfo() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def _control_group() -> int | None:
    folder = Path("/sys/fs/cgroup")
    try:
        return int((folder / "memory.max").read_text()) - int((folder / "memory.current").read_text())
    except (OSError, ValueError):  # no control group, or "max"
        return None


def gib(count: int) -> str:
    """A number of bytes as people read it."""
    return f"{count / 2**30:.3g} GiB" if count < 1e15 else f"{count / 2**30:,.0f} GiB"


def _edges(width: Sequence[int]) -> Iterator[int]:
    return (n_in * n_out for n_in, n_out in itertools.pairwise(width))


def model_bytes(width: Sequence[int], n_basis: int, item: int, members: int = 1) -> int:
    """Parameters, and the copy of them that is written to disk; what is drawn at a time is small beside them."""
    parameters = sum(edges * (n_basis + 2) for edges in _edges(width))
    return 2 * item * parameters * members


def member_bytes(width: Sequence[int], members: int, full: bool) -> int:
    """The statistics of every member of an ensemble, twice: some twenty numbers an edge, or thirty, and half a hundred
    a layer."""
    return members * ((480 if full else 340) * sum(_edges(width)) + 6_000 * (len(width) - 1))


def fit_bytes(grid: int, k: int) -> int:
    """The collocation matrix of one input at k + 1 places an interval, and its singular vectors, in float64."""
    return 3 * 8 * (k + 1) * grid * (grid + k)


def sample_bytes(width: Sequence[int], n: int, item: int) -> int:
    """The inputs: twice in float64 while they are drawn (three times for sobol), and as cast."""
    return n * width[0] * (24 + item)


def kept_bytes(width: Sequence[int], n: int, item: int) -> int:
    """Preacts, spline, postacts and output of n samples, once as kept and once on their way to the disk."""
    return 2 * n * item * (sum(width) + 2 * sum(_edges(width)))


def report_bytes(width: Sequence[int], first: int, item: int, full: bool, ensemble: bool) -> int:
    """The statistics of every edge as they are gathered and written, measured; and the first samples in order."""
    told = (2_000 if full else 1_200) * (5 if ensemble else 1)
    return (told + (3 * item + (16 if full else 0)) * first) * sum(_edges(width))


def backward_bytes(width: Sequence[int], n_basis: int, n: int, threads: int) -> int:
    """What a member needs on the way back, in float64: its splines, bases and kernel, and factors of them."""
    splines, bases = max(_edges(width)), max(width[:-1]) * n_basis
    return threads * 8 * n * (3 * splines + 3 * bases + 4 * n + 2 * width[-1] * max(width))


def _widest(width: Sequence[int], n_basis: int) -> int:
    """Numbers that one sample makes in the largest tensor."""
    return max(max(_edges(width)), max(width[:-1]) * n_basis)


def chunk_size(width: Sequence[int], n_basis: int) -> int:
    """How many samples go through the model at a time."""
    return max(1, CHUNK_NUMBERS // _widest(width, n_basis))


def group_size(width: Sequence[int], n_basis: int, n: int) -> int:
    """How many members of an ensemble go through at a time."""
    pairs = max(width) ** 2  # of nodes, which are compared
    return max(1, GROUP_NUMBERS // max(min(n, chunk_size(width, n_basis)) * _widest(width, n_basis), pairs))


def chunk_bytes(width: Sequence[int], n_basis: int, item: int) -> int:
    """The tensors of one chunk and their float64 copies."""
    return 8 * chunk_size(width, n_basis) * _widest(width, n_basis) * (item + 8) // 4


@dataclass(frozen=True)
class Needs:
    """What of a run costs memory."""

    width: Sequence[int]
    grid: int
    k: int
    item: int  # bytes of a number
    members: int
    samples: int  # of each member
    kept: int  # samples whose activations are kept
    adapts: bool
    level: str  # of the statistics
    first: int  # samples that roughness and quantiles are taken over
    backward: int  # samples that go the way back

    def faults(self) -> list[str]:
        """One line if more is needed than is free, telling how much in GiB and what to make smaller."""
        free = available()
        full = self.level == "full"
        width, n_basis = "-".join(map(str, self.width)), self.grid + self.k
        one = model_bytes(self.width, n_basis, self.item)
        if one > free:
            return [
                f"width={width} grid={self.grid}: the model needs {gib(one)}, {gib(free)} are free;"
                " take a smaller width or grid"
            ]
        model = model_bytes(self.width, n_basis, self.item, self.members)
        if self.members > 1:
            model += member_bytes(self.width, self.members, full)
            if model > free:
                return [f"n_seeds={self.members}: the members need {gib(model)}, {gib(free)} are free; take fewer"]
        fit = fit_bytes(self.grid, self.k) if self.adapts else 0
        if model + fit > free:
            return [
                f"grid={self.grid}: the fit of grid.adapt=samples needs {gib(fit)},"
                f" {gib(free)} are free; take a smaller grid"
            ]
        group = min(self.members, group_size(self.width, n_basis, self.samples))
        samples = group * sample_bytes(self.width, self.samples, self.item)
        if model + samples > free:
            return [f"inputs.n={self.samples}: the samples need {gib(samples)}, {gib(free)} are free; take fewer"]
        trace = kept_bytes(self.width, self.kept, self.item)
        chunk = chunk_bytes(self.width, n_basis, self.item)
        report = 0
        if self.level != "none":
            report = report_bytes(self.width, self.first, self.item, full, self.members > 1)
        back = backward_bytes(self.width, n_basis, self.backward, os.cpu_count() or 1) if full else 0
        if model + samples + back > free:
            return [
                f"stats=full: the way back of {self.backward} samples needs {gib(back)}, {gib(free)} are"
                " free; take a smaller stats.ntk.n or stats=basic"
            ]
        if model + samples + chunk + report > free:
            return [
                f"width={width}: model and statistics need {gib(model + chunk + report)},"
                f" {gib(free)} are free; take stats=none, a smaller stats.first.n or a smaller width"
            ]
        if model + samples + trace + chunk + report > free:
            return [
                f"inputs.n={self.samples}: the activations of {self.kept} samples need {gib(trace)},"
                f" {gib(free)} are free; keep fewer with activations.n=1000, or take fewer samples"
            ]
        return []
