"""Find the first infinite or NaN value of a layer, by member, edge and branch.

Shapes: s members (1 for a single model), i inputs, o outputs.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from kancli.kan.layer import KANLayer, LayerTrace
from kancli.stats.nodes import NodeValues
from kancli.stats.running_moments import Array


class NonFiniteCounts:
    """Counts infinite and NaN values of one layer.

    Args:
        preacts, output: the values entering and leaving the layer, accumulated by the caller before each update.
    """

    def __init__(self, layer: KANLayer, preacts: NodeValues, output: NodeValues) -> None:
        self.layer, self.preacts, self.output = layer, preacts, output
        self.counts: dict[str, Array] = {}  # [s, i, o] by branch; empty as long as every output is finite

    def update(self, trace: LayerTrace) -> None:
        """Count the values of one chunk of samples."""
        if self.output.finite.all():  # so far, and in this chunk
            return
        layer = self.layer
        branches = {
            "base": layer.scale_base.unsqueeze(-3) * trace.base.unsqueeze(-1),
            "spline": layer.scale_sp.unsqueeze(-3) * trace.spline,
            "sum": trace.postacts,
        }
        for name, values in branches.items():
            count = (~torch.isfinite(with_member_axis(values, layer))).sum(dim=1).cpu().numpy()
            self.counts[name] = self.counts.get(name, 0) + count

    def messages(self) -> list[str | None]:
        """By member, the location of the first value that is not finite; None where there is none.

        Edges come first, input by input, then nodes.
        """
        finite = self.preacts.finite & self.output.finite
        return [None if is_finite else self._message(member) for member, is_finite in enumerate(finite.tolist())]

    def _message(self, member: int) -> str:
        if self.counts and self.counts["sum"][member].any():
            source, target = np.argwhere(self.counts["sum"][member])[0]
            branches = [name for name in ("base", "spline") if self.counts[name][member, source, target]]
            branch = " and ".join(branches) or "sum of the two"
            count = self.counts["sum"][member, source, target]
            n = self.preacts.moments.n
            return f"edge {source} -> {target}, {branch} branch: not finite for {count} of {n} samples"
        if not self.preacts.finite[member]:
            return f"node {self.preacts.first_non_finite(member)} entering: not finite"
        node = self.output.first_non_finite(member)
        return f"node {node}: the sum of its incoming edges, each finite, is not finite"


def with_member_axis(tensor: Tensor, layer: KANLayer) -> Tensor:
    """Detach a tensor of a layer, and add the member axis that a single model lacks."""
    tensor = tensor.detach()
    return tensor.unsqueeze(0) if layer.n_members is None else tensor
