"""What training minimises, for all members at once, by automatic differentiation.

Shapes: s members, n samples, m boundary samples, i inputs, o outputs, P trained numbers of a member.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kancli.kan.jets import jets
from kancli.kan.layered import LayeredNetwork
from kancli.kan.network import as_kan
from kancli.seeding import streams
from kancli.tasks.task import Differential, Regression, Samples
from kancli.training.evaluation import mean_squared_error
from kancli.training.parameters import ParameterRows
from kancli.training.regularisation import Penalty

RBA_DECAY, RBA_RATE = 0.999, 0.01  # Anagnostopoulos et al., "Residual-based attention", CMAME 2024


@dataclass(frozen=True)
class Evaluation:
    """An objective and its gradients on the data of one step."""

    loss: Tensor  # [s]  without the penalty
    total: Tensor  # [s]  with it
    grads: Tensor  # [s, P]  of the total
    rba: Tensor | None  # [s, n, 1]  residual-based weights of the next step


class Objective:
    """The loss of some members, and its gradients.

    Attributes:
        members: which of all members these are, `[s]`.
        rba: residual-based weights, `[s, n, 1]`, of a `DifferentialObjective` that has them; the caller sets them to
            those of an `Evaluation` once the step is made.
    """

    rba: Tensor | None = None

    def __init__(self, rows: ParameterRows, members: Sequence[int]) -> None:
        self.rows, self.members = rows, list(members)

    @property
    def model(self) -> LayeredNetwork:
        return self.rows.model

    def evaluate(self, step: int) -> Evaluation:
        """Loss and gradients on the data of a step."""
        with torch.enable_grad():
            loss, total, rba = self._loss(step)
            grads = torch.autograd.grad(total.sum(), self.rows.tensors(), materialize_grads=True)
        return Evaluation(loss.detach(), total.detach(), self.rows.join(grads), rba)

    def loss(self, step: int) -> Tensor:
        """Loss on all training samples, `[s]`."""
        raise NotImplementedError

    def inputs(self, step: int) -> Tensor:
        """The samples of a step that enter the network, `[s, n, i]`."""
        raise NotImplementedError

    def _loss(self, step: int) -> tuple[Tensor, Tensor, Tensor | None]:
        """Loss without and with the penalty, `[s]` each, and the next residual-based weights."""
        raise NotImplementedError


class SampleObjective(Objective):
    """A loss on samples, or on a batch of them.

    Args:
        batch: number of samples of a step, drawn without replacement; None for all.
        seeds: of the members, for the batches.
    """

    def __init__(
        self, rows: ParameterRows, members: Sequence[int], samples: Samples, batch: int | None, seeds: Sequence[int]
    ) -> None:
        super().__init__(rows, members)
        self.samples, self.seeds = samples, [seeds[member] for member in members]
        self.batch = batch if batch is not None and batch < len(samples.x) else None

    def inputs(self, step: int) -> Tensor:
        x, _ = self.batch_of(step)
        return x if x.dim() > 2 else x.expand(len(self.members), *x.shape)

    def batch_of(self, step: int) -> tuple[Tensor, Tensor]:
        """Samples of a step: all, `[n, .]`, or each member's batch, `[s, batch, .]`."""
        x, y = self.samples.x, self.samples.y
        if self.batch is None:
            return x, y
        chosen = batch_indices(self.seeds, step, len(x), self.batch).to(x.device)
        return x[chosen], y[chosen]


class RegressionObjective(SampleObjective):
    """The mean squared error over samples and outputs; arguments as of `SampleObjective`."""

    def __init__(
        self,
        rows: ParameterRows,
        members: Sequence[int],
        data: Regression,
        *,
        batch: int | None,
        seeds: Sequence[int],
        penalty: Penalty | None,
    ) -> None:
        super().__init__(rows, members, cast_samples(data.train, rows.values), batch, seeds)
        self.penalty = penalty

    @torch.no_grad()
    def loss(self, step: int) -> Tensor:
        return mean_squared_error(self.model, self.samples)

    def _loss(self, step: int) -> tuple[Tensor, Tensor, Tensor | None]:
        x, y = self.batch_of(step)
        if self.penalty is None:
            loss = (self.model(x) - y).square().mean((-2, -1))
            return loss, loss, None
        output, penalty = self.penalty.forward(as_kan(self.model), x)
        loss = (output - y).square().mean((-2, -1))
        return loss, loss + penalty, None


class DifferentialObjective(Objective):
    """c mean((w r)^2) over collocation points plus mean((u - y)^2) over boundary samples.

    r is the equation's residual and c its weight, both of the data.

    The weights w, 1 at first, follow |r|: w <- 0.999 w + 0.01 |r| / max |r|, before the loss is taken. With
    rba="published", gradients flow through w, as in the published study; with "detached" they do not; "none": w = 1.
    """

    def __init__(
        self,
        rows: ParameterRows,
        members: Sequence[int],
        data: Differential,
    ) -> None:
        super().__init__(rows, members)
        like = rows.values
        self.data, self.x = data, data.collocation.to(like)
        self.boundary = cast_samples(data.boundary, like)
        if data.rba != "none":
            self.rba = like.new_ones(len(self.members), len(self.x), 1)

    def loss(self, step: int) -> Tensor:
        with torch.no_grad():
            return self._loss(step)[0]

    def inputs(self, step: int) -> Tensor:
        return self.x.expand(len(self.members), *self.x.shape)

    def _loss(self, step: int) -> tuple[Tensor, Tensor, Tensor | None]:
        x = self.inputs(step)
        residual = self.data.residual(x, jets(self.model, x, self.data.derivatives))
        part, weights = self._residual_part(residual)
        boundary = self.model(self.boundary.x) - self.boundary.y
        loss = part + boundary.square().mean((-2, -1))
        return loss, loss, weights

    def _residual_part(self, residual: Tensor) -> tuple[Tensor, Tensor | None]:
        """The residual's part of the loss, `[s]`, and the next weights."""
        weights = None if self.rba is None else self._next_weights(residual, self.rba)
        weighted = residual if weights is None else weights * residual
        loss = self.data.residual_weight * weighted.square().mean((-2, -1))
        return loss, None if weights is None else weights.detach()

    def _next_weights(self, residual: Tensor, weights: Tensor) -> Tensor:
        size = residual.abs() if self.data.rba == "published" else residual.detach().abs()
        largest = size.amax(-2, keepdim=True).clamp_min(torch.finfo(size.dtype).tiny)
        return RBA_DECAY * weights + RBA_RATE * size / largest


def batch_indices(seeds: Sequence[int], step: int, n_samples: int, batch: int) -> Tensor:
    """The samples of a step for each member, `[s, batch]`: a function of seed and step alone."""
    drawn = [stream.permutation(n_samples)[:batch] for stream in streams(seeds, f"batch of step {step}")]
    return torch.stack([torch.from_numpy(indices) for indices in drawn])


def cast_samples(samples: Samples, like: Tensor) -> Samples:
    """The samples in the dtype and on the device of a tensor."""
    return Samples(samples.x.to(like), samples.y.to(like))
