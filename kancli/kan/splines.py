"""The B-spline basis and its derivatives, on uniform or on any increasing knots.

Shapes: s members, n samples, i inputs, K basis functions of order k on K + k + 1 knots; `...` stands for leading axes.

Only k + 1 bases are non-zero on one interval between knots. Those are computed, by the triangular scheme of Cox (1972)
and de Boor (1972), which adds positive terms only (Piegl and Tiller, The NURBS Book, algorithm A2.2). The cost does not
grow with the number of intervals, except for the zeros of the dense form.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from kancli.kan.tracing import is_transformed


def extended_knots(grid_range: tuple[float, float], grid: int, k: int) -> Tensor:
    """The G + 1 knots that divide `grid_range` into G equal intervals, and k more on each side.

    Returns:
        `[G + 1 + 2k]`, float64, increasing. The ends of the range are exact.
    """
    return _knots_at(torch.arange(-k, grid + k + 1, dtype=torch.float64), grid_range, grid, k, torch.float64)


def _knots_at(numbers: Tensor, grid_range: tuple[float, float], grid: int, k: int, dtype: torch.dtype) -> Tensor:
    """The knots of some numbers, 0 for the left end of the range and G for its right, rounded to `dtype`.

    Args:
        numbers: whole numbers from -k to G + k, float64.
    """
    low, high = grid_range
    if _is_exact(grid_range, grid, k, dtype):  # only the division rounds, and rounds as float64 and then `dtype` do
        return numbers.to(dtype).mul(high - low).add_(grid * low).div_(grid)
    knots = (grid - numbers).mul_(low).add_(numbers * high).div_(grid)
    for number, end in ((0, low), (grid, high)):
        if end * grid / grid != end:  # rounding would move the end of the range
            knots.masked_fill_(numbers == number, end)
    return knots.to(dtype)


def _is_exact(grid_range: tuple[float, float], grid: int, k: int, dtype: torch.dtype) -> bool:
    """Whether `dtype` holds every knot times G exactly, which takes ends that are multiples of 1/64."""
    n_units = 64 * (grid + k) * max(map(abs, grid_range))
    return n_units < 1 / torch.finfo(dtype).eps and all(64 * end % 1 == 0 for end in grid_range)


@dataclass(frozen=True)
class LocalBasis:
    """The non-zero bases at each point: those with indices first, ..., first + k."""

    values: Sequence[Tensor]  # k + 1 of [..., i]
    first: Tensor  # [..., i]  int32, -k to K - 1; indices outside 0 to K - 1 belong to no basis
    n_basis: int

    @property
    def k(self) -> int:
        return len(self.values) - 1

    @cached_property
    def indices(self) -> tuple[Tensor, Tensor]:
        """Index of each value's basis, clamped to 0 to K - 1, and 1 if that basis exists, else 0; `[..., i, k + 1]`."""
        return self._compute_indices()

    def _compute_indices(self) -> tuple[Tensor, Tensor]:
        steps = torch.arange(self.k + 1, dtype=self.first.dtype, device=self.first.device)
        indices = self.first.unsqueeze(-1) + steps
        clamped = indices.clamp(0, self.n_basis - 1)
        return clamped.long(), (indices == clamped).to(self.values[0].dtype)

    def expand(self, n_members: int) -> LocalBasis:
        """The same for each of several members, from `[1, ..., i]`."""
        first, *values = (tensor.expand(n_members, *tensor.shape[1:]) for tensor in (self.first, *self.values))
        return LocalBasis(values, first, self.n_basis)

    def take(self, dense: Tensor) -> tuple[Tensor, ...]:
        """Select from `[..., i, K]` the entries of the non-zero bases, k + 1 of `[..., i]`; 0 where none exists."""
        indices, exists = self.indices
        return (dense.gather(-1, indices) * exists).unbind(-1)

    def dense(self) -> Tensor:
        """The values of all K bases, `[..., i, K]`."""
        # Not the cached indices: torch.compile cannot look into the lock of a cached property.
        indices, exists = self._compute_indices()
        zeros = self.values[0].new_zeros(*self.first.shape, self.n_basis)
        return zeros.scatter_add_(-1, indices, torch.stack(list(self.values), dim=-1) * exists)

    def add_to_(self, dense: Tensor) -> Tensor:
        """Add the values of all K bases to `[..., i, K]` in place."""
        indices, exists = self.indices
        return dense.scatter_add_(-1, indices, torch.stack(list(self.values), dim=-1) * exists)


def basis(x: Tensor, grid_range: tuple[float, float], grid: int, k: int, derivative: int = 0) -> Tensor:
    """The values, or derivatives, of all K = G + k B-splines of order k at x, on uniform knots.

    B_m is non-zero between the knots m and m + k + 1 of `extended_knots`. Intervals are half-open, except that the
    right end of the range belongs to the last interval. The bases sum to 1 on the range, to less within k intervals of
    it, and to 0 beyond.

    Args:
        x: `[..., i]`, any floating dtype.
        derivative: 0 for the values, 1 or 2 for the first or second derivative by x.

    Returns:
        `[..., i, K]` in the dtype of x. NaN inputs give NaN.
    """
    return local_basis(x, grid_range, grid, k, derivative).dense()


def local_basis(x: Tensor, grid_range: tuple[float, float], grid: int, k: int, derivative: int = 0) -> LocalBasis:
    """As `basis`, the non-zero bases only."""
    if _has_own_backward(x, k, derivative):
        first, *values = _Values.apply(x, grid_range, grid, k)  # pyright: ignore[reportGeneralTypeIssues]
        return LocalBasis(values, first, grid + k)
    return _local_basis(x, grid_range, grid, k, derivative)


def _has_own_backward(x: Tensor, k: int, derivative: int) -> bool:
    return derivative == 0 and k > 1 and x.requires_grad and torch.is_grad_enabled() and not is_transformed()


class _Values(torch.autograd.Function):
    """`_local_basis` with the B-splines' derivative as its backward pass, faster than automatic differentiation."""

    @staticmethod
    def forward(x: Tensor, grid_range: tuple[float, float], grid: int, k: int) -> tuple[Tensor, ...]:
        local = _local_basis(x, grid_range, grid, k)
        return local.first, *local.values

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        x, *ctx.grid = inputs
        ctx.save_for_backward(x)
        ctx.mark_non_differentiable(output[0])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        slopes = _local_basis(*ctx.saved_tensors, *ctx.grid, derivative=1).values
        return _sum_products(grads[1:], slopes), None, None, None


def _sum_products(factors: Sequence[Tensor], others: Sequence[Tensor]) -> Tensor:
    products = [factor * other for factor, other in zip(factors, others, strict=True)]
    return sum(products[1:], products[0])


def _local_basis(x: Tensor, grid_range: tuple[float, float], grid: int, k: int, derivative: int = 0) -> LocalBasis:
    low, high = grid_range
    step = (high - low) / grid
    # In float64: at G = 200 a float32 position would be off by 1e-5 of an interval.
    position = x.to(torch.float64, copy=True).sub_(low).div_(step)  # [..., i], 0 and G at the ends of the range
    interval = _interval(x.detach(), position.detach(), grid_range, grid, k)
    outside = None
    if k == derivative:  # steps do not fall to 0 at their ends
        outside = (position < -k) | ((position >= grid + k) & (x != high))
    # Beyond the outermost intervals u is 0 or 1, where the bases that exist are exactly 0.
    u = _clamp(_subtract(position, interval).to(x.dtype), 0, 1)
    values = _values(u, max(k - derivative, 0))
    if k < derivative:  # the derivative of a step
        values = [0 * value for value in values] * (k + 1)
    elif outside is not None:
        values = [value.masked_fill(outside, 0.0) for value in values]
    for order in _orders_to_differentiate(k, derivative):
        values = _differentiate(values, [1 / step] * order)
    first = _clamp(interval.int(), -k, grid + k - 1)  # NaN becomes an arbitrary index; the values are NaN
    return LocalBasis(values, first, grid + k)


def _interval(x: Tensor, position: Tensor, grid_range: tuple[float, float], grid: int, k: int) -> Tensor:
    """Number of the last knot at or before x, 0 for the grid's first; at the grid's right end, of the one before.
    Samples beyond the knots count as in the first or last of the intervals, -k or G + k - 1.

    Only close to a knot may the division behind `position` round a sample to the wrong side, and these are few.
    """
    if is_transformed() or x.device.type != "cpu" or not x.numel():  # elsewhere asking for the extremes costs more
        return _compared_interval(x, position, grid_range, grid, k)
    interval = position.floor()
    offset = position - interval
    low, high = torch.aminmax(offset)
    distance = _rounding(grid_range, grid, k, x.dtype)
    if not (low > distance and high < 1 - distance):  # NaN too
        near = ~((offset.amin(-1) > distance) & (offset.amax(-1) < 1 - distance))  # samples
        if near.all():
            return _compared_interval(x, position, grid_range, grid, k)
        interval[near] = _compared_interval(x[near], position[near], grid_range, grid, k)
    return interval.clamp_(-k, grid + k - 1)


def _rounding(grid_range: tuple[float, float], grid: int, k: int, dtype: torch.dtype) -> float:
    """How far, in intervals, rounding may bring a knot in `dtype` or a position in float64 from a whole number."""
    n_intervals = max(map(abs, grid_range)) / (grid_range[1] - grid_range[0]) * grid + k  # from 0 to the farthest knot
    return (n_intervals + 1) * (torch.finfo(dtype).eps + 8 * torch.finfo(torch.float64).eps)


def _compared_interval(x: Tensor, position: Tensor, grid_range: tuple[float, float], grid: int, k: int) -> Tensor:
    """As `_interval`, by a comparison with the nearest of `extended_knots`, in the dtype of x."""
    nearest = _clamp(position.round(), -k, grid + k)  # finite, as its distance from x must not be inf - inf
    knots = _knots_at(nearest, grid_range, grid, k, x.dtype)
    is_before = knots.sub_(x).sign_().relu_()  # 1 for a sample before its knot, else 0
    return _clamp(nearest.sub_(is_before.add_(x == grid_range[1])), -k, grid + k - 1)


# Fresh memory costs more than the sums, but vmap has no rule for these operations in place.
def _clamp(x: Tensor, low: float, high: float) -> Tensor:
    """Clamp a tensor that has no other use."""
    return x.clamp(low, high) if is_transformed() else x.clamp_(low, high)


def _subtract(x: Tensor, y: Tensor) -> Tensor:
    """x - y, for an x that has no other use."""
    return x - y if is_transformed() else x.sub_(y)


def _add_product(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """x + a b, for an x that has no other use."""
    return torch.addcmul(x, a, b) if is_transformed() else x.addcmul_(a, b)


def basis_on_knots(x: Tensor, knots: Tensor, k: int, derivative: int = 0) -> Tensor:
    """The values, or derivatives, of all K B-splines of order k at x, on any increasing knots.

    Args:
        x: `[..., i]`, any floating dtype.
        knots: strictly increasing; `[K + k + 1]`, `[i, K + k + 1]` for per-input knots, or `[s, i, K + k + 1]` for
            per-input knots of each member of x `[s, ..., i]`.
        derivative: 0 for the values, 1 or 2 for the first or second derivative by x.

    Returns:
        `[..., i, K]` in the dtype of x. NaN inputs give NaN. The grid's right end, knot K, belongs to the interval
        on its left.
    """
    return local_basis_on_knots(x, knots, k, derivative).dense()


def local_basis_on_knots(x: Tensor, knots: Tensor, k: int, derivative: int = 0) -> LocalBasis:
    """As `basis_on_knots`, the non-zero bases only."""
    if _has_own_backward(x, k, derivative) and not knots.requires_grad:
        first, *values = _ValuesOnKnots.apply(x, knots, k)  # pyright: ignore[reportGeneralTypeIssues]
        return LocalBasis(values, first, knots.shape[-1] - k - 1)
    return _local_basis_on_knots(x, knots, k, derivative)


class _ValuesOnKnots(torch.autograd.Function):
    """`_local_basis_on_knots` with the B-splines' derivative as its backward pass."""

    @staticmethod
    def forward(x: Tensor, knots: Tensor, k: int) -> tuple[Tensor, ...]:
        local = _local_basis_on_knots(x, knots, k)
        return local.first, *local.values

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        x, knots, ctx.k = inputs
        ctx.save_for_backward(x, knots)
        ctx.mark_non_differentiable(output[0])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        x, knots = ctx.saved_tensors
        slopes = _local_basis_on_knots(x, knots, ctx.k, derivative=1).values
        return _sum_products(grads[1:], slopes), None, None


def _local_basis_on_knots(x: Tensor, knots: Tensor, k: int, derivative: int = 0) -> LocalBasis:
    shape, n_inputs, n_basis = x.shape, x.shape[-1], knots.shape[-1] - k - 1
    knots = knots.double().broadcast_to(*knots.shape[:-2], n_inputs, knots.shape[-1])  # [(s,) i, K + k + 1]
    knots = knots.reshape(-1, *knots.shape[-2:]).contiguous()  # [s, i, K + k + 1]
    position = x.double().reshape(knots.shape[0], -1, n_inputs)  # [s, n, i]
    x = x.reshape(position.shape)
    columns = position.detach().transpose(1, 2).contiguous()  # [s, i, n]
    if is_transformed():  # vmap's rule of searchsorted warns of slowness
        n_before = (knots.unsqueeze(-2) <= columns.unsqueeze(-1)).sum(-1)  # [s, i, n]
    else:
        n_before = torch.searchsorted(knots, columns, right=True)
    interval = n_before.transpose(1, 2) - 1  # [s, n, i]
    start, right_end, end = (knots[:, None, :, index] for index in (0, n_basis, -1))  # [s, 1, i]
    at_end = x == right_end.to(x.dtype)
    interval = torch.where(at_end, n_basis - 1, interval).clamp(0, n_basis + k - 1)
    outside = (position < start) | ((position >= end) & ~at_end)
    # Knots interval - k + 1 to interval + k. Those beyond the ends continue at the spacing of the end; they affect only
    # bases that do not exist.
    steps = torch.arange(1, 2 * k + 1, device=x.device)
    extended = _extend(knots, k)[:, None].expand(-1, x.shape[1], -1, -1)  # [s, n, i, K + 3k + 1]
    near = extended.gather(-1, interval.unsqueeze(-1) + steps)  # [s, n, i, 2k]
    left = [(position - near[..., k - j]).to(x.dtype) for j in range(1, k + 1)]
    right = [(near[..., k + j - 1] - position).to(x.dtype) for j in range(1, k + 1)]
    values = [torch.ones_like(x) + 0 * x]
    for _ in range(k - derivative):
        values = _raise_order(values, left, right)
    values = [value.masked_fill(outside, 0.0) for value in values]
    if k < derivative:
        values = [0 * value for value in values] * (k + 1)
    for order in _orders_to_differentiate(k, derivative):
        spans = [(near[..., k + r] - near[..., k + r - order]).to(x.dtype) for r in range(order)]
        values = _differentiate(values, [order / span for span in spans])
    return LocalBasis([value.reshape(shape) for value in values], (interval - k).int().reshape(shape), n_basis)


def _orders_to_differentiate(k: int, derivative: int) -> range:
    return range(k - derivative + 1, k + 1) if derivative <= k else range(0)


def _extend(knots: Tensor, count: int) -> Tensor:
    """Add `count` knots at each end of `[..., m]`, at the spacing of the last interval there."""
    steps = torch.arange(1, count + 1, dtype=knots.dtype, device=knots.device)
    before = knots[..., :1] - (knots[..., 1:2] - knots[..., :1]) * steps.flip(0)
    after = knots[..., -1:] + (knots[..., -1:] - knots[..., -2:-1]) * steps
    return torch.cat([before, knots, after], dim=-1)


def _values(u: Tensor, k: int) -> list[Tensor]:
    """The k + 1 non-zero B-splines on uniform knots, at the relative position u in [0, 1] of an interval.

    The triangular scheme with all its divisions by the order joined into one factor 1/k! at the start.
    """
    if k == 0:
        return [torch.ones_like(u) + 0 * u]  # NaN stays NaN
    left = [u, *(u + j for j in range(1, k))]
    right = [j - u for j in range(1, k + 1)]
    values = [right[0] / math.factorial(k), u / math.factorial(k)]
    for order in range(2, k + 1):
        raised, saved = [], None
        for r, value in enumerate(values):
            raised.append(right[r] * value if saved is None else _add_product(saved, right[r], value))
            saved = left[order - 1 - r] * value
        values = [*raised, saved]
    return values


def _raise_order(values: Sequence[Tensor], left: Sequence[Tensor], right: Sequence[Tensor]) -> list[Tensor]:
    """One step of the triangular scheme: bases of order d - 1 to bases of order d, for x in [t_q, t_{q+1}).

    left[j-1] = x - t_{q+1-j}; right[j-1] = t_{q+j} - x.
    """
    order = len(values)
    raised, saved = [], torch.zeros_like(values[0])
    for r, value in enumerate(values):
        share = value / (right[r] + left[order - 1 - r])
        raised.append(saved + right[r] * share)
        saved = left[order - 1 - r] * share
    return [*raised, saved]


def _differentiate(values: Sequence[Tensor], factors: Sequence[Tensor | float]) -> list[Tensor]:
    """Derivatives of order-d bases from the values of the d bases of order d - 1.

    B'_{m,d} = d (B_{m,d-1} / (t_{m+d} - t_m) - B_{m+1,d-1} / (t_{m+d+1} - t_{m+1})); factors[r] is d over the r-th
    of these knot distances.
    """
    shares = [factor * value for factor, value in zip(factors, values, strict=True)]
    return [-shares[0], *(a - b for a, b in zip(shares, shares[1:])), shares[-1]]  # noqa: RUF007
