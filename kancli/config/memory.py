"""Estimate the memory of a run in bytes, and compare it with the free memory before anything is allocated."""

from __future__ import annotations

import importlib.util
import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from kancli.config.control_groups import MOUNTED, OWN, control_groups
from kancli.config.processors import usable_processors
from kancli.spelling import show_bytes

# The largest number of elements in a tensor of one chunk of the forward pass.
CHUNK_NUMBERS = 4_000_000
# The same for a group of ensemble members: larger groups take more memory without a gain in speed.
GROUP_NUMBERS = 2_000_000
# The most bytes of activations that a batch of runs keeps until they are written.
GROUP_BYTES = 2**26


# Measured: a process with torch and the other libraries; what drawing adds to it; what numba with its kernels does.
PROCESS_BYTES, MATPLOTLIB_BYTES, KERNEL_BYTES = 265_000_000, 40_000_000, 50_000_000
MIN_KERNEL_NUMBERS = 2**22  # as in stats.kernels, which loads numpy
CGROUP_FILES = {  # of each version of control groups: the limit, the usage, the cache in it
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    2: ("memory.max", "memory.current", "inactive_file"),
}


def available() -> int:
    """Free memory in bytes: of the machine, its control groups and the process (ulimit -v); 2**62 if unknown."""
    limits = [_meminfo(), _address_space(), *_control_groups()]
    return min([limit for limit in limits if limit is not None], default=2**62)


def _address_space() -> int | None:
    import resource

    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if limit == resource.RLIM_INFINITY else limit


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


def _control_groups(mounted: Path = MOUNTED, own: Path = OWN) -> Iterator[int]:
    """What is left in each of the control groups that this process is in, inner ones first."""
    for version, folder in control_groups("memory", mounted, own):
        if (left := _left_in(folder, *CGROUP_FILES[version])) is not None:
            yield left


def _left_in(folder: Path, limit: str, usage: str, cache: str) -> int | None:
    try:
        left = int((folder / limit).read_text()) - int((folder / usage).read_text())
        stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # no such group, or its limit is "max"
        return None
    return left + int(stat.get(cache, 0))  # the kernel drops its cache of files when a group needs room


def _edges(width: Sequence[int]) -> Iterator[int]:
    return (n_in * n_out for n_in, n_out in itertools.pairwise(width))


def model_bytes(width: Sequence[int], n_basis: int, item: int, members: int = 1) -> int:
    """The parameters, and the copies of them while they are written."""
    parameters = sum(edges * (n_basis + 2) for edges in _edges(width))
    return 4 * item * parameters * members


def member_bytes(width: Sequence[int], members: int, full: bool) -> int:
    """Two copies of the statistics of every ensemble member: about 20 numbers per edge (30 if `full`) and 50 per
    layer."""
    return members * ((480 if full else 340) * sum(_edges(width)) + 6_000 * (len(width) - 1))


def knot_noise_bytes(grid: int, n_basis: int) -> int:
    """The fit of coefficients to noise at the knots: copies (measured) of the matrix, in float64."""
    return 7 * 8 * n_basis * (grid + 1)


def fit_bytes(width: Sequence[int], n_basis: int, n_points: int) -> int:
    """The fit of adapted knots, in float64 (measured): copies of the collocation matrix of one input, or the bases and
    splines of all inputs of a layer, whichever is more.
    """
    by_layer = (n_in * (2.6 * n_basis + 2 * n_out) for n_in, n_out in itertools.pairwise(width))
    return round(8 * n_points * max(11 * n_basis, *by_layer))


def sample_bytes(width: Sequence[int], n: int, item: int) -> int:
    """The inputs: in float64 while they are sampled, and in the run's dtype."""
    return n * width[0] * (8 + item)


def kept_bytes(width: Sequence[int], n: int, item: int) -> int:
    """Preactivations, splines, postactivations and outputs of n samples, and the copy that is written to disk."""
    return 2 * n * item * (sum(width) + 2 * sum(_edges(width)))


def report_bytes(width: Sequence[int], n_basis: int, full: bool, ensemble: bool) -> int:
    """The statistics of every edge while they are written, and those of the largest layer's parameters (measured)."""
    statistics = (800 if full else 500) * (5 if ensemble else 1)
    return statistics * sum(_edges(width)) + 96 * max(_edges(width)) * n_basis


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


def chunk_bytes(width: Sequence[int], n_basis: int, k: int, item: int, samples: int) -> int:
    """The tensors of one chunk (measured): numbers of each edge, and of each input's k + 1 non-zero bases."""
    numbers = 3.2 * max(_edges(width)) + 17 * max(width[:-1]) * (k + 1)
    return round(min(samples, chunk_size(width, n_basis)) * numbers * item)


def kernel_bytes(width: Sequence[int], n: int, members: int) -> int:
    """The kernels that sum over samples, where they are worth loading."""
    pays = sum(width[:-1]) * n * members >= MIN_KERNEL_NUMBERS
    return KERNEL_BYTES if pays and importlib.util.find_spec("numba") is not None else 0


def figure_pixels(width: Sequence[int], figures: Sequence[str], scale: float, dpi: int) -> int:
    """Pixels of all figures, from their sizes in inches (measured). `scale` is that of the network figure alone."""
    edges = max(_edges(width))
    column = 11.7 if edges > 64 else min(9.0, max(5.0, 0.8 * edges))
    network = column * 2.8 * (len(width) - 1) * scale**2
    inches = sum(network if name == "network" else 45.0 for name in figures)
    return round(inches * dpi**2)


@dataclass(frozen=True)
class RunSize:
    """The sizes that determine a run's memory."""

    width: Sequence[int]
    grid: int  # 0 of an MLP
    k: int
    item: int  # bytes per number
    members: int
    samples: int  # per member
    kept: int  # samples whose activations are kept
    fit_points: int  # where coefficients are fitted to adapted knots; 0 if the grid does not adapt
    level: str  # of the statistics
    first: int  # samples for roughness and quantiles
    backward: int  # samples in the backward pass
    figures: Sequence[str] = ()
    scale: float = 1.0  # of the network figure
    dpi: int = 0  # of PNG files; 0 if there are none
    fits_knots: bool = False  # whether the scheme fits coefficients to noise at the knots
    task: int = 0  # bytes of the data of the task
    training: int = 0  # bytes that training adds

    def find_faults(self) -> list[str]:
        """The message for the first part that does not fit into the free memory, if any."""
        free = available()
        for part in self._parts():
            if part.total + PROCESS_BYTES > free:
                return [f"{part.keys}: {part.name} {show_bytes(part.size)}, {show_bytes(free)} are free; {part.remedy}"]
        return []

    def _parts(self) -> Iterator[_Part]:
        full = self.level == "full"
        width, n_basis = "-".join(map(str, self.width)), self.grid + self.k

        one = model_bytes(self.width, n_basis, self.item) // 2  # without the copies that are written
        keys = f"width={width} grid={self.grid}" if self.grid else f"model=mlp, of width {width}"
        yield _Part(keys, "the model needs", one, one, "take a smaller width or grid")
        model = model_bytes(self.width, n_basis, self.item, self.members)
        if self.members > 1:
            model += member_bytes(self.width, self.members, full) if self.level != "none" else 0
            yield _Part(f"n_seeds={self.members}", "the members need", model, model, "take fewer")

        knots = knot_noise_bytes(self.grid, n_basis) if self.fits_knots else 0
        remedy = "take a smaller grid or another init"
        yield _Part(f"grid={self.grid}", "the fit to noise at the knots needs", knots, model + knots, remedy)

        fit = fit_bytes(self.width, n_basis, self.fit_points)
        if self.fit_points:
            name = f"the fit of adapted knots at {self.fit_points} points needs"
            yield _Part(f"grid={self.grid}", name, fit, model + fit, "take a smaller grid or fewer samples")

        yield _Part("task", "its data need", self.task, self.task, "take a smaller task.n and task.test_n")

        group = min(self.members, group_size(self.width, n_basis, self.samples))
        samples = group * sample_bytes(self.width, self.samples, self.item)
        yield _Part(f"inputs.n={self.samples}", "the samples need", samples, model + samples, "take fewer")

        back = backward_bytes(self.width, n_basis, self.backward, usable_processors()) if full else 0
        name = f"the backward pass of {self.backward} samples needs"
        remedy = "take a smaller stats.ntk.n or stats=basic"
        yield _Part("stats=full", name, back, model + samples + back, remedy)

        forward = model + group * chunk_bytes(self.width, n_basis, self.k, self.item, self.samples)
        forward += kernel_bytes(self.width, self.samples, self.members) if self.grid else 0
        if self.level != "none":
            forward += report_bytes(self.width, n_basis, full, self.members > 1)
        remedy = "take stats=none, smaller stats.first.n and stats.quantiles.n or a smaller width"
        yield _Part(f"width={width}", "model and statistics need", forward, samples + forward, remedy)

        kept = 2 * kept_bytes(self.width, self.kept, self.item)
        name = f"the activations of {self.kept} samples need"
        remedy = "keep fewer with activations.n=1000, or take fewer samples"
        total = samples + max(forward + kept + back, model + fit)
        yield _Part(f"inputs.n={self.samples}", name, kept, total, remedy)

        remedy = "take a smaller train.batch, width, grid or n_seeds, fewer samples or a coarser train.refine"
        yield _Part(f"width={width}", "training needs", self.training, model + samples + self.training, remedy)

        if self.figures:
            pixels = figure_pixels(self.width, self.figures, self.scale, self.dpi)
            image = 4 * pixels + MATPLOTLIB_BYTES
            keys, name = f"figures.scale={self.scale:g} figures.dpi={self.dpi}", f"{pixels:.2g} pixels need"
            yield _Part(keys, name, image, total + image, "take a smaller figures.scale or figures.dpi")

    def estimate(self) -> int:
        """The most bytes that the process will hold."""
        return PROCESS_BYTES + max(part.total for part in self._parts())


class _Part(NamedTuple):
    """A part of a run that takes memory, in the words of its message."""

    keys: str
    name: str  # with its verb
    size: int
    total: int  # with the other parts that are allocated at the same time
    remedy: str
