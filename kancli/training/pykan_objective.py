"""What `KAN.fit` minimises: a loss of the caller's plus pykan's regularisation.

Shapes: s members, n samples, i inputs, o outputs, P trained numbers of a member.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from kancli.kan.network import KAN, as_kan
from kancli.tasks.task import Samples
from kancli.training.dense_bases import DenseBases, has_dense_bases
from kancli.training.objectives import SampleObjective
from kancli.training.parameters import ParameterRows
from kancli.training.regularisation import Penalty

LossFunction = Callable[[Tensor, Tensor], Tensor]


class FitObjective(SampleObjective):
    """The loss of a batch, plus lamb times the regularisation.

    Args:
        batch, seeds: as of `SampleObjective`.
        loss_fn: of prediction `[n, o]` and label to a number; None for the mean squared error.
        lamb: weight of the regularisation.
        penalty: the regularisation without that weight.

    Attributes:
        measures_reg: whether the regularisation is computed, which takes as long as the loss; with lamb it always is.
        last_reg: of the last evaluation, `[s]`.
    """

    def __init__(
        self,
        rows: ParameterRows,
        members: Sequence[int],
        samples: Samples,
        *,
        batch: int | None,
        seeds: Sequence[int],
        loss_fn: LossFunction | None,
        lamb: float,
        penalty: Penalty,
    ) -> None:
        super().__init__(rows, members, samples, batch, seeds)
        self.loss_fn, self.lamb, self.penalty = loss_fn, lamb, penalty
        self.measures_reg = False
        self.first: DenseBases | None = None
        self.last_reg = rows.values.new_zeros(len(self.members))

    @property
    def model(self) -> KAN:
        return as_kan(self.rows.model)

    @torch.no_grad()
    def loss(self, step: int) -> Tensor:
        """Loss on the samples of a step, `[s]`."""
        x, y = self.batch_of(step)
        return self._losses(self._outputs(x), y, is_batch=x.dim() > 2)

    def forget_bases(self) -> None:
        """To be called after a change of the knots."""
        self.first = None

    def _loss(self, step: int) -> tuple[Tensor, Tensor, Tensor | None]:
        x, y = self.batch_of(step)
        if self.lamb or self.measures_reg:
            output, reg = self.penalty.forward(self.model, x, self._first_bases(x))
        else:
            output, reg = self._outputs(x), self.rows.values.new_zeros(len(self.members))
        loss = self._losses(output, y, is_batch=x.dim() > 2)
        self.last_reg = reg.detach()
        return loss, loss + self.lamb * reg if self.lamb else loss, None

    def _outputs(self, x: Tensor) -> Tensor:
        """`[s, n, o]`."""
        if (bases := self._first_bases(x)) is None:
            return self.model(x)
        for layer, following in zip(self.model.layers, self.model.layers[1:]):
            bases = DenseBases.of(following, bases.outputs(layer))
        return bases.outputs(self.model.layers[-1])

    def _first_bases(self, x: Tensor) -> DenseBases | None:
        """Those of the first layer, which stay from step to step unless the samples or knots change."""
        if not has_dense_bases(self.model):
            return None
        if self.first is None or self.batch is not None:
            with torch.no_grad():
                members = x if x.dim() > 2 else x.expand(len(self.members), *x.shape)
                self.first = DenseBases.of(self.model.layers[0], members)
        return self.first

    def _losses(self, output: Tensor, y: Tensor, *, is_batch: bool) -> Tensor:
        """`[s]`; output `[s, n, o]`, y `[n, ...]`, or `[s, n, ...]` of members' own batches."""
        if self.loss_fn is None:
            return (output - y).square().mean((-2, -1))
        labels = y if is_batch else [y] * len(output)
        losses = [self.loss_fn(*pair) for pair in zip(output, labels, strict=True)]
        if wrong := [loss for loss in losses if not isinstance(loss, Tensor) or loss.dim()]:
            given = f"shape {list(wrong[0].shape)}" if isinstance(wrong[0], Tensor) else type(wrong[0]).__qualname__
            raise TypeError(f"loss_fn returned {given}: allowed: a tensor of one number, such as a mean over samples")
        return torch.stack(losses)
