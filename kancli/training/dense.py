"""Loss and gradients of regression by matrix products and a backward pass without automatic differentiation.

For layers on shared, uniform knots. The work is cut into items, a block of one member's samples each, small enough to
stay in the cache; their gradients are added in order, so the numbers depend on neither threads nor other members.

Samples are the last axis, so that sums over bases and broadcasts run along memory.

Shapes: s members, n samples of a block, i inputs, o outputs, K basis functions, rows = K i + i of a table: all inputs
for each basis, then for b(x).
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from kancli.kan.base_functions import derivative_of
from kancli.kan.layer import KANLayer
from kancli.kan.network import KAN, as_kan
from kancli.kan.shares import in_threads
from kancli.training.objectives import Evaluation, RegressionObjective
from kancli.training.parameters import ParameterRows

NUMBERS_OF_A_BLOCK = 2**20  # bases of the widest layer
MAX_KEPT_NUMBERS = 2**24  # of the first layer's factors


class DenseRegression(RegressionObjective):
    """`RegressionObjective` without automatic differentiation."""

    def __init__(self, rows: ParameterRows, members: Sequence[int], *args: Any, **options: Any) -> None:
        super().__init__(rows, members, *args, **options)
        widest = max(layer.n_in * layer.n_basis for layer in self.model.layers)
        self.block = max(64, NUMBERS_OF_A_BLOCK // widest)
        self.spaces = threading.local()
        self.first = self._first_factors()

    @property
    def model(self) -> KAN:
        return as_kan(self.rows.model)

    def _first_factors(self) -> list[Factors] | None:
        """Those of the first layer by block, which all members and steps share; None for batches, or if too large."""
        if self.batch is not None:
            return None
        layer, x = self.model.layers[0], self.batch_of(0)[0]
        if len(x) * layer.n_in * (layer.n_basis + 1) > MAX_KEPT_NUMBERS:
            return None
        return [Factors.of(layer, part.T.contiguous(), Space(), slopes=False) for part in x.split(self.block)]

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
                    samples = x[member, part] if self.first is None else self.first[block]
                    losses[member, block], parts[item] = self._item(own, samples, y[member, part], y[0].numel())

        in_threads(some_items, n_items)
        totals = [torch.stack([_sum(parts, member, n_blocks, place) for member in range(len(self.members))])
                  for place in range(len(weights))]  # fmt: skip
        pairs = [pair for pair in zip(weights, totals, strict=True) if pair[0].requires_grad]  # all but absent biases
        # Not by grad_outputs: torch would load sympy for them, which takes half a second.
        with torch.enable_grad():
            total = torch.stack([(weight * grad).sum() for weight, grad in pairs]).sum()
        grads = torch.autograd.grad(total, self.rows.tensors(), materialize_grads=True)
        loss = (losses.sum(1) / y[0].numel()).to(x.dtype)
        return Evaluation(loss, loss, self.rows.join(grads), None)

    def _item(
        self, weights: list[Tensor], x: Tensor | Factors, y: Tensor, n_numbers: int
    ) -> tuple[Tensor, list[Tensor]]:
        """Sum of squared errors of some samples of one member, and its share of the gradients by the weights.

        Args:
            x: the samples `[n, i]`, or the first layer's factors of them.
        """
        spaces = self.spaces.__dict__.setdefault("of", [Space() for _ in self.model.layers])
        passed: list[Factors] = []
        value = x.T.contiguous() if isinstance(x, Tensor) else torch.empty(0)  # [i, n]
        for number, layer in enumerate(self.model.layers):
            if number == 0 and isinstance(x, Factors):
                factors = x
            else:
                factors = Factors.of(layer, value, spaces[number], slopes=number > 0)
            passed.append(factors)
            table, bias = weights[2 * number : 2 * number + 2]
            value = torch.addmm(bias, table, factors.rows)
        errors = value - y.T
        grad, grads = errors * (2 / n_numbers), []
        for number in range(len(passed) - 1, -1, -1):
            grads[:0] = [grad @ passed[number].rows.T, grad.sum(1, keepdim=True)]
            if number > 0:
                grad = passed[number].gradient(weights[2 * number], grad)
        return errors.double().square().sum(), grads


def _weights(layer: KANLayer) -> tuple[Tensor, Tensor]:
    """Table `[s, o, rows]` and bias `[s, o, 1]`, differentiable by the parameters."""
    coef, _, scale_base = layer.weights()
    bases = coef.permute(0, 2, 3, 1).flatten(2)  # [s, o, K i]
    bias = coef.new_zeros(coef.shape[0], layer.n_out) if layer.bias is None else layer.bias
    return torch.cat([bases, scale_base.mT], dim=2), bias.unsqueeze(-1)


def _sum(parts: list[list[Tensor]], member: int, n_blocks: int, place: int) -> Tensor:
    total = parts[member * n_blocks][place]
    for item in range(member * n_blocks + 1, (member + 1) * n_blocks):
        total = total + parts[item][place]
    return total


class Space:
    """Memory that a thread uses again for each item: fresh pages take as long as the arithmetic in them."""

    def __init__(self) -> None:
        self.kept: dict[str, Tensor] = {}
        self.numbers = torch.arange(0)

    def take(self, name: str, shape: Sequence[int], like: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """A tensor of that shape with any content, in the memory of this name."""
        count, dtype = math.prod(shape), dtype or like.dtype
        kept = self.kept.get(name)
        if kept is None or kept.numel() < count or kept.dtype != dtype:
            kept = self.kept[name] = torch.empty(count, dtype=dtype, device=like.device)
        return kept[:count].view(*shape)

    def count(self, size: int) -> Tensor:
        """0, 1, ..., size - 1."""
        if len(self.numbers) < size:
            self.numbers = torch.arange(size)
        return self.numbers[:size]


@dataclass(frozen=True)
class Factors:
    """What a layer's sums over edges need of its inputs `[i, n]`.

    The table of bases is padded by k + 1 rows on both sides, where samples off the grid have their places.
    """

    space: Space
    rows: Tensor  # [K i + i, n]  all bases, then b(x)
    places: Tensor  # [k + 1, i n]  of each basis that is not 0, among the numbers of K + 2 k + 2 rows of i n
    slopes: Tensor | None  # [k + 1, i, n]  their derivatives
    base_slope: Tensor | None  # [i, n]

    @classmethod
    def of(cls, layer: KANLayer, x: Tensor, space: Space, *, slopes: bool) -> Factors:
        """Those of a layer of order 2 or more at x `[i, n]`, with derivatives if wanted.

        Args:
            space: for the results, which hold until it is used again.
        """
        k, n_basis, before, size = layer.k, layer.n_basis, layer.k + 1, x.numel()
        per_step = layer.grid / (layer.grid_range[1] - layer.grid_range[0])
        position = torch.sub(x, layer.grid_range[0], out=space.take("position", x.shape, x)).mul_(per_step)
        interval = torch.floor(position, out=space.take("interval", x.shape, x))
        interval.nan_to_num_(nan=layer.grid + k).clamp_(-before, layer.grid + k)
        lower, values = _local_bases(position.sub_(interval).clamp_(0, 1), k, space)
        places = space.take("places", (k + 1, size), x, torch.int64)
        places[0].copy_(interval.add_(before).view(-1)).mul_(size).add_(space.count(size))
        for r in range(1, k + 1):
            torch.add(places[0], r * size, out=places[r])
        padded = space.take("rows", (n_basis + 2 * before, *x.shape), x)
        padded[before : before + n_basis] = 0
        padded.put_(places, values.view(k + 1, size))
        # b(x) in place of a basis that does not exist
        base_slope = _set_base(layer, x, padded[before + n_basis], space, slopes=slopes)
        rows = padded[before : before + n_basis + 1].flatten(0, 1)
        if not slopes:
            return cls(space, rows, places, None, None)
        # A derivative is the difference of two neighbours of the order below (de Boor, A Practical Guide to Splines).
        derivatives = space.take("derivatives", values.shape, x)
        torch.sub(lower[:-1], lower[1:], out=derivatives[1:-1])
        torch.neg(lower[0], out=derivatives[0])
        derivatives[-1] = lower[-1]
        return cls(space, rows, places, derivatives.mul_(per_step / math.factorial(k - 1)), base_slope)

    def gradient(self, table: Tensor, grad: Tensor) -> Tensor:
        """The gradient by x `[i, n]`, from the table `[o, rows]` and the gradient by the sums `[o, n]`."""
        assert self.slopes is not None
        assert self.base_slope is not None
        n_in, n = self.base_slope.shape
        n_basis, before = table.shape[1] // n_in - 1, len(self.places)
        padded = self.space.take("gradients", (n_basis + 2 * before, n_in, n), grad)
        padded[:before] = 0
        padded[before + n_basis + 1 :] = 0
        torch.mm(table.T, grad, out=padded[before : before + n_basis + 1].view(-1, n))
        by_base = padded[before + n_basis] * self.base_slope
        padded[before + n_basis] = 0
        taken = self.space.take("taken", self.slopes.shape, grad)
        torch.index_select(padded.view(-1), 0, self.places.view(-1), out=taken.view(-1))
        return taken.mul_(self.slopes).sum(0).add_(by_base)


def _local_bases(u: Tensor, k: int, space: Space) -> tuple[Tensor, Tensor]:
    """The bases that are not 0 on an interval, at its relative position u: those of order k - 1, times (k - 1)!,
    `[k, ...]`, and of order k `[k + 1, ...]`.

    By the recursion of Cox (1972) and de Boor (1972) on uniform knots.
    """
    shape = (k, *u.shape)
    steps = torch.arange(k, dtype=u.dtype, device=u.device).view(k, *[1] * u.dim())
    rising = torch.add(u, steps.flip(0), out=space.take("rising", shape, u))  # u + k - 1, ..., u
    falling = torch.sub(steps + 1, u, out=space.take("falling", shape, u))  # 1 - u, ..., k - u
    lower, values = u, torch.stack([falling[0], u], out=space.take("order 1", (2, *u.shape), u))
    for order in range(2, k + 1):
        lower, values = values, space.take(f"order {order}", (order + 1, *u.shape), u)
        torch.mul(falling[:order], lower, out=values[:order])
        torch.mul(u, lower[-1], out=values[order])
        values[1:order].addcmul_(rising[k - order : -1], lower[:-1])
    return lower, values.mul_(1 / math.factorial(k))


def _set_base(layer: KANLayer, x: Tensor, out: Tensor, space: Space, *, slopes: bool) -> Tensor | None:
    """Set b(x), and return its derivative if wanted."""
    if layer.base_name != "silu":
        out.copy_(layer.base_fun(x))
        return derivative_of(layer.base_fun)(x) if slopes else None
    sigma = torch.sigmoid(x, out=space.take("sigma", x.shape, x))
    torch.mul(x, sigma, out=out)
    if not slopes:
        return None
    slope = torch.mul(out, sigma, out=space.take("base slope", x.shape, x))
    return torch.sub(sigma, slope, out=slope).add_(out)  # sigma + b - sigma b
