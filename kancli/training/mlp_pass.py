"""Loss and gradients of an MLP's regression without automatic differentiation.

The work is cut into items, a block of one member's samples each, small enough to stay in the cache; their gradients are
added in order, so the numbers depend on neither threads nor other members.

Shapes: s members, n samples of a block, i inputs, o outputs, P trained numbers of a member.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from kancli.kan.mlp import MLPLayer
from kancli.kan.shares import in_threads
from kancli.training.objectives import Evaluation, RegressionObjective

NUMBERS_OF_A_BLOCK = 2**15  # values of the widest layer


class MLPRegression(RegressionObjective):
    """`RegressionObjective` of an MLP, all of whose parameters train, on the CPU."""

    def evaluate(self, step: int) -> Evaluation:
        x, y = (tensor.expand(len(self.members), *tensor.shape[-2:]) for tensor in self.batch_of(step))
        layers = list(zip(self.rows.split(self.rows.values)[::2], self.rows.split(self.rows.values)[1::2], strict=True))
        block = max(64, NUMBERS_OF_A_BLOCK // max(self.model.width))
        n_blocks = -(-x.shape[1] // block)
        losses = torch.zeros(len(self.members), n_blocks, dtype=torch.float64)
        parts = self.rows.values.new_empty(len(self.members), n_blocks, self.rows.values.shape[1])

        def some_items(first: int, last: int) -> None:
            with torch.no_grad():
                for item in range(first, last):
                    member, number = divmod(item, n_blocks)
                    samples = slice(number * block, (number + 1) * block)
                    own = [(weight[member], bias[member]) for weight, bias in layers]
                    losses[member, number] = self._item(
                        own, x[member, samples], y[member, samples], y[member].numel(), parts[member, number]
                    )

        in_threads(some_items, losses.numel())
        grads = parts[:, 0]
        for number in range(1, n_blocks):
            grads = grads + parts[:, number]
        loss = (losses.sum(1) / y[0].numel()).to(x.dtype)
        return Evaluation(loss, loss, grads, None)

    def _item(
        self, layers: Sequence[tuple[Tensor, Tensor]], x: Tensor, y: Tensor, n_numbers: int, out: Tensor
    ) -> Tensor:
        """Sum of squared errors of some samples of one member.

        Args:
            layers: weight and bias of each.
            out: set to their share of the gradients, `[P]`.
        """
        passed, slopes, value = [], [], x
        for layer, (weight, bias) in zip(self.model.layers, layers, strict=True):
            assert isinstance(layer, MLPLayer)
            slope = None
            if layer.activation:
                gate = torch.sigmoid(value)
                slope, value = gate * (1 + value * (1 - gate)), value * gate  # silu and its derivative
            passed.append(value)
            slopes.append(slope)
            value = torch.addmm(bias, value, weight.T)
        errors = value - y
        grad, end = errors * (2 / n_numbers), len(out)
        for (weight, bias), entering, slope in zip(reversed(layers), reversed(passed), reversed(slopes), strict=True):
            start = end - len(bias)
            torch.sum(grad, 0, out=out[start:end])
            end = start - weight.numel()
            torch.mm(grad.T, entering, out=out[end:start].view_as(weight))
            if slope is not None:
                grad = (grad @ weight).mul_(slope)
        return errors.double().square().sum()
