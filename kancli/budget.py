"""Whether a run fits into the memory there is: asked before anything is allocated."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from kancli import memory


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
        free = memory.available()
        full = self.level == "full"
        width, n_basis = "-".join(map(str, self.width)), self.grid + self.k
        one = memory.model_bytes(self.width, n_basis, self.item)
        if one > free:
            return [
                f"width={width} grid={self.grid}: the model needs {memory.gib(one)}, {memory.gib(free)} are free;"
                " take a smaller width or grid"
            ]
        model = memory.model_bytes(self.width, n_basis, self.item, self.members)
        if self.members > 1:
            model += memory.member_bytes(self.width, self.members, full)
            if model > free:
                return [
                    f"n_seeds={self.members}: the members need {memory.gib(model)}, {memory.gib(free)} are free;"
                    " take fewer"
                ]
        fit = memory.fit_bytes(self.grid, self.k) if self.adapts else 0
        if model + fit > free:
            return [
                f"grid={self.grid}: the fit of grid.adapt=samples needs {memory.gib(fit)},"
                f" {memory.gib(free)} are free; take a smaller grid"
            ]
        group = min(self.members, memory.group_size(self.width, n_basis, self.samples))
        samples = group * memory.sample_bytes(self.width, self.samples, self.item)
        if model + samples > free:
            return [
                f"inputs.n={self.samples}: the samples need {memory.gib(samples)}, {memory.gib(free)} are free;"
                " take fewer"
            ]
        trace = memory.kept_bytes(self.width, self.kept, self.item)
        chunk = memory.chunk_bytes(self.width, n_basis, self.item)
        report = 0
        if self.level != "none":
            report = memory.report_bytes(self.width, self.first, self.item, full, self.members > 1)
        back = memory.backward_bytes(self.width, n_basis, self.backward, os.cpu_count() or 1) if full else 0
        if model + samples + back > free:
            return [
                f"stats=full: the way back of {self.backward} samples needs {memory.gib(back)}, {memory.gib(free)} are"
                " free; take a smaller stats.ntk.n or stats=basic"
            ]
        if model + samples + chunk + report > free:
            return [
                f"width={width}: model and statistics need {memory.gib(model + chunk + report)},"
                f" {memory.gib(free)} are free; take stats=none, a smaller stats.first.n or a smaller width"
            ]
        if model + samples + trace + chunk + report > free:
            return [
                f"inputs.n={self.samples}: the activations of {self.kept} samples need {memory.gib(trace)},"
                f" {memory.gib(free)} are free; keep fewer with activations.n=1000, or take fewer samples"
            ]
        return []
