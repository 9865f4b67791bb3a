"""Loss and gradients of regression by matrix products and a backward pass without automatic differentiation.

For layers on shared, uniform knots. The work is cut into items, a block of one member's samples each, small enough to
stay in the cache; their gradients are added in order, so the numbers depend on neither threads nor other members.

Samples are the last axis, so that sums over bases and broadcasts run along memory.

Shapes: s members, n samples of a block, i inputs, o outputs, K basis functions, rows = K i + i of a table: all inputs
for each basis, then for b(x).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from kancli.kan.base_functions import derivative_of
from kancli.kan.layer import KANLayer
from kancli.training.objectives import Evaluation, RegressionObjective
from kancli.training.parameters import ParameterRows
from kancli.training.shares import in_threads

NUMBERS_OF_A_BLOCK = 2**16  # bases of the widest layer


class DenseRegression(RegressionObjective):
    """`RegressionObjective` without automatic differentiation."""

    def __init__(self, rows: ParameterRows, members: Sequence[int], *args: Any, **options: Any) -> None:
        super().__init__(rows, members, *args, **options)
        widest = max(layer.n_in * layer.n_basis for layer in self.model.layers)
        self.block = max(64, NUMBERS_OF_A_BLOCK // widest)

    def evaluate(self, step: int) -> Evaluation:
        x, y = (tensor.expand(len(self.members), *tensor.shape[-2:]) for tensor in self.batch_of(step))
        with torch.enable_grad():
            weights = [weight for layer in self.model.layers for weight in _weights(layer)]
        plain = [weight.detach() for weight in weights]
        n_blocks = -(-x.shape[1] // self.block)
        n_items = n_blocks * len(self.members)
        losses = torch.zeros(len(self.members), n_blocks, dtype=torch.float64)
        parts: list[list[Tensor]] = [[] for _ in range(n_items)]

        def some_items(first: int, last: int) -> None:
            with torch.no_grad():
                for item in range(first, last):
                    member, block = divmod(item, n_blocks)
                    part = slice(block * self.block, (block + 1) * self.block)
                    own = [weight[member] for weight in plain]
                    losses[member, block], parts[item] = self._item(own, x[member, part], y[member, part], y[0].numel())

        in_threads(some_items, n_items)
        totals = [torch.stack([_sum(parts, member, n_blocks, place) for member in range(len(self.members))])
                  for place in range(len(weights))]  # fmt: skip
        trained = self.rows.tensors()
        pairs = [pair for pair in zip(weights, totals, strict=True) if pair[0].requires_grad]  # all but absent biases
        # Not by grad_outputs: torch would load sympy for them, which takes half a second.
        with torch.enable_grad():
            total = torch.stack([(weight * grad).sum() for weight, grad in pairs]).sum()
        grads = torch.autograd.grad(total, trained, allow_unused=True)
        filled = [
            torch.zeros_like(tensor) if grad is None else grad for grad, tensor in zip(grads, trained, strict=True)
        ]
        loss = (losses.sum(1) / y[0].numel()).to(x.dtype)
        return Evaluation(loss, loss, self.rows.join(filled), None)

    def _item(self, weights: list[Tensor], x: Tensor, y: Tensor, n_numbers: int) -> tuple[Tensor, list[Tensor]]:
        """Sum of squared errors of some samples of one member, and its share of the gradients by the weights."""
        passed, value = [], x.T.contiguous()  # [i, n]
        for number, layer in enumerate(self.model.layers):
            factors, slopes = dense_factors(layer, value, slopes=number > 0)
            passed.append((factors, slopes))
            table, bias = weights[2 * number : 2 * number + 2]
            value = torch.addmm(bias, table, factors)
        errors = value - y.T
        grad, grads = errors * (2 / n_numbers), []
        for number in range(len(passed) - 1, -1, -1):
            layer, (factors, slopes) = self.model.layers[number], passed[number]
            grads[:0] = [grad @ factors.T, grad.sum(1, keepdim=True)]
            if slopes is not None:
                products = (weights[2 * number].T @ grad).mul_(slopes).view(layer.n_basis + 1, layer.n_in, -1)
                grad = products[:-1].sum(0).mul_(-layer.k * _per_step(layer)).add_(products[-1])
        return errors.double().square().sum(), grads


def _weights(layer: KANLayer) -> tuple[Tensor, Tensor]:
    """Table `[s, o, rows]` and bias `[s, o, 1]`, differentiable by the parameters."""
    coef, _, scale_base = layer.weights()
    bases = coef.permute(0, 2, 3, 1).flatten(2) / math.factorial(layer.k)  # [s, o, K i]
    bias = coef.new_zeros(coef.shape[0], layer.n_out) if layer.bias is None else layer.bias
    return torch.cat([bases, scale_base.mT], dim=2), bias.unsqueeze(-1)


def _sum(parts: list[list[Tensor]], member: int, n_blocks: int, place: int) -> Tensor:
    total = parts[member * n_blocks][place]
    for item in range(member * n_blocks + 1, (member + 1) * n_blocks):
        total = total + parts[item][place]
    return total


def _per_step(layer: KANLayer) -> float:
    low, high = layer.grid_range
    return layer.grid / (high - low)


def dense_factors(layer: KANLayer, x: Tensor, *, slopes: bool) -> tuple[Tensor, Tensor | None]:
    """k! times all bases, and b(x), `[rows, n]`; and if wanted their derivatives, the bases' over -k / step; k above 1.

    A basis at the distance d from its middle is, with a = (k + 1) / 2 - |d| in steps, the sum over j of
    (-1)^j binomial(k + 1, j) max(a - j, 0)^k / k! (de Boor, A Practical Guide to Splines, chapter IX).

    Args:
        x: `[i, n]`.
    """
    k, n_basis, middle = layer.k, layer.n_basis, (layer.k + 1) / 2
    middles = torch.arange(n_basis, dtype=x.dtype, device=x.device).add_(middle - k).view(-1, 1, 1)
    height = (x - layer.grid_range[0]).mul_(_per_step(layer)) - middles  # [K, i, n]
    sign = height.sign() if slopes else None
    height = torch.rsub(height.abs_(), middle)
    factors = x.new_empty(n_basis + 1, *x.shape)
    slope = torch.empty_like(factors) if slopes else None
    for j in range(math.ceil(middle)):
        above = height.relu_() if j == 0 else height.sub(j).relu_()
        power, weight = above, (-1) ** j * math.comb(k + 1, j)
        for _ in range(k - 2):
            power = power * above
        if j == 0:
            torch.mul(power, above, out=factors[:-1])
            total = power
        else:
            factors[:-1].addcmul_(power, above, value=weight)
            total = torch.add(total, power, alpha=weight)  # pyright: ignore[reportPossiblyUnbound]
    factors[-1] = layer.base_fun(x)
    if slope is not None and sign is not None:
        torch.mul(total, sign, out=slope[:-1])  # pyright: ignore[reportPossiblyUnbound]
        slope[-1] = derivative_of(layer.base_fun)(x)
    return factors.flatten(0, 1), None if slope is None else slope.flatten(0, 1)
