"""The sums of a forward pass, in an order of their own: the same bits with any number of threads, alone or with others.

Shapes: s members, n samples, i inputs, o outputs, K = G + k basis functions; `[(s,) ...]` is an axis that an ensemble
has and a single model lacks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from kancli.kan.splines import LocalBasis
from kancli.kan.threads import one_thread

MAX_DENSE = 24  # bases up to which, in training, products with their zeros are faster than leaving them out
FEW_INPUTS = 16  # inputs below which they are the shorter axis
VECTOR_SIZE = 64  # numbers, a multiple of what any CPU takes at a time


@dataclass(frozen=True)
class EdgeTerms:
    """What each edge adds up at each place: factors on rows of a table of weights.

    The factors are the values of the k + 1 bases that may differ from 0 and then further ones, such as b(x). A table
    `[(s,) rows, o]` has a row for each basis of each input, then one for each input and each further factor.
    """

    first: Tensor  # [(s,) n, i]  the basis of the first value; some of the k + 1 may not exist
    n_basis: int  # K
    n_further: int
    factors: Sequence[Tensor]  # [(s,) n, i] each

    def sum_over_inputs(self, table: Tensor) -> Tensor:
        """Summed over factors and inputs, `[(s,) n, o]`."""
        if self.n_basis <= MAX_DENSE and torch.is_grad_enabled():
            return _NodeSums.apply(self.first, self.n_basis, self.n_further, table, *self.factors)  # pyright: ignore
        return self.sum_rows_over_inputs(table)

    def sum_rows_over_inputs(self, table: Tensor) -> Tensor:
        """As `sum_over_inputs`, with the backward that torch makes of it."""
        if self.first.shape[-1] < FEW_INPUTS:  # the shorter axis last would make for short runs of memory
            rows, factors = self._side_by_side
        else:
            rows, factors = self._rows(-2), torch.stack(list(self.factors), dim=-2)
        return _sum_rows(rows.flatten(-2), factors.flatten(-2), self._padded(table))

    def per_edge(self, table: Tensor, *, bases_only: bool = False) -> Tensor:
        """Summed over all factors, or over those but for the last, `[(s,) n, i, o]`."""
        rows, factors = self._side_by_side
        if bases_only:  # the last factor may be infinite: it is taken out, not its row alone
            factors = factors.clone()
            factors[..., -1] = 0
        return _sum_rows(rows, factors, self._padded(table))

    @property
    def _k(self) -> int:
        return len(self.factors) - self.n_further - 1

    @cached_property
    def _side_by_side(self) -> tuple[Tensor, Tensor]:
        """Rows and factors, `[(s,) n, i, t]`."""
        return self._rows(-1), torch.stack(list(self.factors), dim=-1)

    def _rows(self, axis: int) -> Tensor:
        """The row for each factor, along a new axis, in the members' padded tables one after the other."""
        *leading, _, n_in = self.first.shape
        block, device = self.n_basis + self._k, self.first.device
        n_rows = n_in * (block + self.n_further) + self._k
        kind = torch.int32 if n_rows * math.prod(leading) < 2**31 else torch.int64
        members = torch.arange(math.prod(leading), dtype=kind, device=device).view(*leading, 1, 1) * n_rows
        inputs = torch.arange(n_in, dtype=kind, device=device)
        start = self.first.to(kind) + (inputs * block + members)
        shape = list(start.shape)
        shape.insert(len(shape) + 1 + axis, len(self.factors))
        rows = start.new_empty(shape)
        bases, further = rows.split([self._k + 1, self.n_further], dim=axis)
        for step, each in enumerate(bases.unbind(axis)):
            torch.add(start, self._k + step, out=each)
        for number, each in enumerate(further.unbind(axis)):
            each.copy_(inputs + members + n_in * (block + number) + self._k)
        return rows

    def _padded(self, table: Tensor) -> Tensor:
        """With k rows of 0 at the start and after the bases of each input, for bases that do not exist; all members'
        one after the other."""
        n_in, n_bases, block = self.first.shape[-1], self.first.shape[-1] * self.n_basis, self.n_basis + self._k
        *leading, n_rows, n_out = table.shape
        padded = table.new_zeros(*leading, self._k + n_in * self._k + n_rows, n_out)
        end = self._k + n_in * block
        bases = padded[..., self._k : end, :].unflatten(-2, (n_in, block))[..., : self.n_basis, :]
        bases.copy_(table[..., :n_bases, :].unflatten(-2, (n_in, self.n_basis)))
        padded[..., end:, :] = table[..., n_bases:, :]
        return padded.flatten(0, -2)


def _sum_rows(rows: Tensor, factors: Tensor, table: Tensor) -> Tensor:
    """sum_t factors_t table[rows_t]: rows and factors `[..., t]`, table `[rows, o]`, to `[..., o]`.

    Each sum is made alone and in order, so its bits depend neither on threads nor on what else is computed with it.
    """
    *places, count = rows.shape
    sums = nn.functional.embedding_bag(
        rows.reshape(-1, count), table, per_sample_weights=factors.reshape(-1, count), mode="sum"
    )
    return sums.view(*places, table.shape[-1])


def apply_elementwise(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """An elementwise function whose bits at one place do not depend on what stands beside it.

    torch's vectorised loops round some functions, silu among them, otherwise than the loops over single numbers that
    finish off what does not fill a vector, at the end and where the next thread begins.
    """
    flat = x.reshape(-1)
    with one_thread():
        padded = function(nn.functional.pad(flat, (0, -len(flat) % VECTOR_SIZE)))
    return padded[: len(flat)].view(x.shape)


class _NodeSums(torch.autograd.Function):
    """`Terms.sum_rows_over_inputs` with a backward by dense products, which on a small grid is several times faster."""

    @staticmethod
    def forward(first: Tensor, n_basis: int, n_further: int, table: Tensor, *factors: Tensor) -> Tensor:
        return EdgeTerms(first, n_basis, n_further, factors).sum_rows_over_inputs(table)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        first, ctx.n_basis, ctx.n_further, *tensors = inputs
        ctx.save_for_backward(first, *tensors)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (grad,), (first, table, *factors) = grads, ctx.saved_tensors
        n_bases = first.shape[-1] * ctx.n_basis  # of all inputs
        local = LocalBasis(factors[: len(factors) - ctx.n_further], first, ctx.n_basis)
        further = factors[len(factors) - ctx.n_further :]
        of_factors: list[Tensor | None] = [None] * len(factors)
        if any(ctx.needs_input_grad[4:]):
            products = grad @ table.transpose(-2, -1)  # [(s,) n, rows]
            bases = products[..., :n_bases].unflatten(-1, (-1, ctx.n_basis))
            of_further = products[..., n_bases:].unflatten(-1, (ctx.n_further, -1))
            of_factors = [*local.take(bases), *of_further.unbind(-2)]
        dense = grad.new_zeros(*grad.shape[:-1], table.shape[-2])
        local.add_to_(dense[..., :n_bases].unflatten(-1, (-1, ctx.n_basis)))
        dense[..., n_bases:] = torch.cat(further, dim=-1)
        return None, None, None, dense.transpose(-2, -1) @ grad, *of_factors
