"""Estimate the memory of a run in bytes, and compare it with the free memory before anything is allocated."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

# The largest number of elements in a tensor of one chunk of the forward pass.
CHUNK_NUMBERS = 4_000_000
# The same for a group of ensemble members: larger groups take more memory without a gain in speed.
GROUP_NUMBERS = 2_000_000
# The most bytes of activations that a batch of runs keeps until they are written.
GROUP_BYTES = 2**26


def available() -> int:
    """Free memory in bytes, of the machine or of its control group if that has less; 2**62 if unknown."""
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
    """Format a number of bytes in GiB."""
    return f"{count / 2**30:.3g} GiB" if count < 1e15 else f"{count / 2**30:,.0f} GiB"


def _edges(width: Sequence[int]) -> Iterator[int]:
    return (n_in * n_out for n_in, n_out in itertools.pairwise(width))


def model_bytes(width: Sequence[int], n_basis: int, item: int, members: int = 1) -> int:
    """The parameters, and the copy of them that is written to disk. The random draws are small in comparison."""
    parameters = sum(edges * (n_basis + 2) for edges in _edges(width))
    return 2 * item * parameters * members


def member_bytes(width: Sequence[int], members: int, full: bool) -> int:
    """Two copies of the statistics of every ensemble member: about 20 numbers per edge (30 if `full`) and 50 per
    layer."""
    return members * ((480 if full else 340) * sum(_edges(width)) + 6_000 * (len(width) - 1))


def fit_bytes(grid: int, k: int) -> int:
    """The collocation matrix of one input with k + 1 points per interval, and its singular vectors, in float64."""
    return 3 * 8 * (k + 1) * grid * (grid + k)


def sample_bytes(width: Sequence[int], n: int, item: int) -> int:
    """The inputs: two float64 copies while they are sampled (three for sobol), and one in the run's dtype."""
    return n * width[0] * (24 + item)


def kept_bytes(width: Sequence[int], n: int, item: int) -> int:
    """Preactivations, splines, postactivations and outputs of n samples, and the copy that is written to disk."""
    return 2 * n * item * (sum(width) + 2 * sum(_edges(width)))


def report_bytes(width: Sequence[int], first: int, item: int, full: bool, ensemble: bool) -> int:
    """The statistics of every edge while they are collected and written (measured), and the sorted first samples."""
    statistics = (2_000 if full else 1_200) * (5 if ensemble else 1)
    return (statistics + (3 * item + (16 if full else 0)) * first) * sum(_edges(width))


def backward_bytes(width: Sequence[int], n_basis: int, n: int, threads: int) -> int:
    """The backward pass of one member per thread, in float64: splines, bases and kernel, and their factors."""
    splines, bases = max(_edges(width)), max(width[:-1]) * n_basis
    return threads * 8 * n * (3 * splines + 3 * bases + 4 * n + 2 * width[-1] * max(width))


def _widest(width: Sequence[int], n_basis: int) -> int:
    """Elements per sample in the largest tensor."""
    return max(max(_edges(width)), max(width[:-1]) * n_basis)


def chunk_size(width: Sequence[int], n_basis: int) -> int:
    """Number of samples in one chunk of the forward pass."""
    return max(1, CHUNK_NUMBERS // _widest(width, n_basis))


def group_size(width: Sequence[int], n_basis: int, n: int) -> int:
    """Number of ensemble members that are computed together."""
    pairs = max(width) ** 2  # of nodes, for the similarity statistics
    return max(1, GROUP_NUMBERS // max(min(n, chunk_size(width, n_basis)) * _widest(width, n_basis), pairs))


def chunk_bytes(width: Sequence[int], n_basis: int, item: int) -> int:
    """The tensors of one chunk and their float64 copies."""
    return 8 * chunk_size(width, n_basis) * _widest(width, n_basis) * (item + 8) // 4


@dataclass(frozen=True)
class RunSize:
    """The sizes that determine a run's memory."""

    width: Sequence[int]
    grid: int
    k: int
    item: int  # bytes per number
    members: int
    samples: int  # per member
    kept: int  # samples whose activations are kept
    adapts: bool  # whether the grid adapts to the samples
    level: str  # of the statistics
    first: int  # samples for roughness and quantiles
    backward: int  # samples in the backward pass

    def find_faults(self) -> list[str]:
        """The message for the first part that does not fit into the free memory, if any."""
        free = available()
        for part in self._parts():
            if part.total > free:
                return [f"{part.keys}: {part.name} {gib(part.size)}, {gib(free)} are free; {part.remedy}"]
        return []

    def _parts(self) -> Iterator[_Part]:
        full = self.level == "full"
        width, n_basis = "-".join(map(str, self.width)), self.grid + self.k

        one = model_bytes(self.width, n_basis, self.item)
        yield _Part(f"width={width} grid={self.grid}", "the model needs", one, one, "take a smaller width or grid")
        model = model_bytes(self.width, n_basis, self.item, self.members)
        if self.members > 1:
            model += member_bytes(self.width, self.members, full)
            yield _Part(f"n_seeds={self.members}", "the members need", model, model, "take fewer")

        fit = fit_bytes(self.grid, self.k) if self.adapts else 0
        name = "the fit of grid.adapt=samples needs"
        yield _Part(f"grid={self.grid}", name, fit, model + fit, "take a smaller grid")

        group = min(self.members, group_size(self.width, n_basis, self.samples))
        samples = group * sample_bytes(self.width, self.samples, self.item)
        yield _Part(f"inputs.n={self.samples}", "the samples need", samples, model + samples, "take fewer")

        back = backward_bytes(self.width, n_basis, self.backward, os.cpu_count() or 1) if full else 0
        name = f"the backward pass of {self.backward} samples needs"
        remedy = "take a smaller stats.ntk.n or stats=basic"
        yield _Part("stats=full", name, back, model + samples + back, remedy)

        forward = model + chunk_bytes(self.width, n_basis, self.item)
        if self.level != "none":
            forward += report_bytes(self.width, self.first, self.item, full, self.members > 1)
        remedy = "take stats=none, a smaller stats.first.n or a smaller width"
        yield _Part(f"width={width}", "model and statistics need", forward, samples + forward, remedy)

        kept = kept_bytes(self.width, self.kept, self.item)
        name = f"the activations of {self.kept} samples need"
        remedy = "keep fewer with activations.n=1000, or take fewer samples"
        yield _Part(f"inputs.n={self.samples}", name, kept, samples + forward + kept, remedy)


class _Part(NamedTuple):
    """A part of a run that takes memory, in the words of its message."""

    keys: str
    name: str  # with its verb
    size: int
    total: int  # with the other parts that are allocated at the same time
    remedy: str
