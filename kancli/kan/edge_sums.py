"""The sums of a forward pass, in a fixed order: the bits depend neither on threads nor on other samples or members.

Shapes:
    s  members of an ensemble
    n  samples
    i  inputs of the layer
    o  outputs of the layer
    K  basis functions, G + k
    t  terms of one edge: k + 1 bases and the further factors

`[(s,) ...]` has the member axis in an ensemble and lacks it in a single model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from kancli.kan.cached import cached_property
from kancli.kan.splines import LocalBasis
from kancli.kan.threads import one_thread
from kancli.kan.tracing import is_transformed

MAX_DENSE_BASES = 24  # up to here a backward pass with dense products is faster than one that skips the zeros
MIN_INPUTS_LAST = 16  # from here on the input axis is laid out last, for long runs of memory
VECTOR_SIZE = 64  # a multiple of the vector width of every CPU, in numbers


@dataclass(frozen=True)
class EdgeTerms:
    """Factors of every edge, for sums with a table of weights: phi = sum_t factor_t weight_t.

    The factors are the values of the k + 1 non-zero bases, then further ones such as b(x). A table `[(s,) rows, o]` has
    a row for each basis of each input, then one row for each input and each further factor; rows = i (K + n_further).
    """

    # [(s,) n, i]  index of the first non-zero basis, -k to K - 1; indices outside 0 to K - 1 do not exist
    first: Tensor
    n_basis: int  # K
    n_further: int
    factors: Sequence[Tensor]  # t of [(s,) n, i]

    def sum_over_inputs(self, table: Tensor) -> Tensor:
        """Sum over factors and inputs, `[(s,) n, o]`."""
        if is_transformed():
            return self._dense() @ table
        if self.n_basis <= MAX_DENSE_BASES and torch.is_grad_enabled():
            return _NodeSums.apply(self.first, self.n_basis, self.n_further, table, *self.factors)  # pyright: ignore
        return self.sum_rows_over_inputs(table)

    def sum_rows_over_inputs(self, table: Tensor) -> Tensor:
        """As `sum_over_inputs`, with torch's own backward pass."""
        if self.first.shape[-1] < MIN_INPUTS_LAST:
            rows, factors = self._stacked  # [(s,) n, i, t]
        else:
            rows, factors = self._rows(-2), torch.stack(list(self.factors), dim=-2)  # [(s,) n, t, i]
        return _sum_rows(rows.flatten(-2), factors.flatten(-2), self._pad(table))

    def per_edge(self, table: Tensor, *, bases_only: bool = False) -> Tensor:
        """Sum over the factors, `[(s,) n, i, o]`; `bases_only` leaves out the last factor, b(x)."""
        rows, factors = self._stacked
        if bases_only:  # b(x) may be infinite, so a weight of 0 is not enough
            factors = factors.clone()
            factors[..., -1] = 0
        return _sum_rows(rows, factors, self._pad(table))

    @property
    def bases(self) -> LocalBasis:
        """The factors that are values of bases."""
        return LocalBasis(self.factors[: self._k + 1], self.first, self.n_basis)

    def of_samples(self, samples: slice) -> EdgeTerms:
        """The factors of some samples."""
        factors = [factor[..., samples, :] for factor in self.factors]
        return EdgeTerms(self.first[..., samples, :], self.n_basis, self.n_further, factors)

    def _dense(self) -> Tensor:
        """The factor of each row of a table, 0 for bases that are zero, `[(s,) n, rows]`."""
        return torch.cat([self.bases.dense().flatten(-2), *self.factors[self._k + 1 :]], dim=-1)

    @property
    def _k(self) -> int:
        return len(self.factors) - self.n_further - 1

    @cached_property
    def _stacked(self) -> tuple[Tensor, Tensor]:
        """Row in the padded table and value of each factor, `[(s,) n, i, t]` each."""
        return self._rows(-1), torch.stack(list(self.factors), dim=-1)

    def _rows(self, axis: int) -> Tensor:
        """Row of each factor in the padded table (see `_pad`), along a new axis of size t."""
        *members, _, n_in = self.first.shape
        block, device = self.n_basis + self._k, self.first.device  # rows of one input's bases, padding included
        n_rows = n_in * (block + self.n_further) + self._k  # of one member
        dtype = torch.int32 if n_rows * math.prod(members) < 2**31 else torch.int64
        starts = torch.arange(math.prod(members), dtype=dtype, device=device).view(*members, 1, 1) * n_rows
        inputs = torch.arange(n_in, dtype=dtype, device=device)
        first = self.first.to(dtype) + (inputs * block + starts)  # [(s,) n, i]
        shape = list(first.shape)
        shape.insert(len(shape) + 1 + axis, len(self.factors))
        rows = first.new_empty(shape)
        bases, further = rows.split([self._k + 1, self.n_further], dim=axis)
        for step, basis in enumerate(bases.unbind(axis)):
            torch.add(first, self._k + step, out=basis)
        for number, factor in enumerate(further.unbind(axis)):
            factor.copy_(inputs + starts + n_in * (block + number) + self._k)
        return rows

    def _pad(self, table: Tensor) -> Tensor:
        """Tables of all members one after the other, `[rows, o]`, with rows of 0 for bases that do not exist.

        There are k such rows before the first input's bases and k after the bases of each input.
        """
        n_in, n_bases, block = self.first.shape[-1], self.first.shape[-1] * self.n_basis, self.n_basis + self._k
        *members, n_rows, n_out = table.shape
        padded = table.new_zeros(*members, self._k + n_in * self._k + n_rows, n_out)
        end = self._k + n_in * block
        bases = padded[..., self._k : end, :].unflatten(-2, (n_in, block))[..., : self.n_basis, :]  # [(s,) i, K, o]
        bases.copy_(table[..., :n_bases, :].unflatten(-2, (n_in, self.n_basis)))
        padded[..., end:, :] = table[..., n_bases:, :]
        return padded.flatten(0, -2)


def _sum_rows(rows: Tensor, factors: Tensor, table: Tensor) -> Tensor:
    """sum_t factors_t table[rows_t]: rows and factors `[..., t]`, table `[rows, o]`, to `[..., o]`.

    Each sum is computed alone and in order, so its bits depend on neither threads nor batch.
    """
    *leading, n_terms = rows.shape
    rows, factors = rows.reshape(-1, n_terms), factors.reshape(-1, n_terms)
    sums = nn.functional.embedding_bag(rows, table, per_sample_weights=factors, mode="sum")
    if sums.requires_grad:
        sums = _TwiceDifferentiable.apply(sums, rows, factors, table)
    return sums.view(*leading, table.shape[-1])


def apply_elementwise(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Apply an elementwise function so that each result is independent of vectorisation and thread count.

    torch rounds some functions, silu among them, differently in vectorised loops than in the scalar loops for the
    remainder of a thread's share. On one thread and whole vectors there is no remainder.
    """
    if is_transformed():
        return function(x)
    flat = x.reshape(-1)
    with one_thread():
        padded = function(nn.functional.pad(flat, (0, -len(flat) % VECTOR_SIZE)))
    return padded[: len(flat)].view(x.shape)


class _TwiceDifferentiable(torch.autograd.Function):
    """The identity on the sums of `embedding_bag`, whose derivative torch cannot differentiate again.

    The backward pass goes on to that derivative, or with `create_graph=True` takes its place by plain operations.
    """

    @staticmethod
    def forward(sums: Tensor, rows: Tensor, factors: Tensor, table: Tensor) -> Tensor:
        return sums.view_as(sums)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[1:])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (grad,) = grads  # [n, o]
        if not torch.is_grad_enabled():
            return grad, None, None, None
        rows, factors, table = ctx.saved_tensors
        rows = rows.long()
        factor_grad = (table[rows] @ grad.unsqueeze(-1)).squeeze(-1)
        products = factors.unsqueeze(-1) * grad.unsqueeze(-2)  # [n, t, o]
        table_grad = torch.zeros_like(table).index_add(0, rows.flatten(), products.flatten(0, -2))
        return None, None, factor_grad, table_grad


class _NodeSums(torch.autograd.Function):
    """`EdgeTerms.sum_rows_over_inputs` with a backward pass by dense products, several times faster on small grids."""

    @staticmethod
    def forward(first: Tensor, n_basis: int, n_further: int, table: Tensor, *factors: Tensor) -> Tensor:
        return EdgeTerms(first, n_basis, n_further, factors).sum_rows_over_inputs(table)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        first, ctx.n_basis, ctx.n_further, *tensors = inputs
        ctx.save_for_backward(first, *tensors)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (grad,), (first, table, *factors) = grads, ctx.saved_tensors  # grad [(s,) n, o]
        n_bases = first.shape[-1] * ctx.n_basis  # i K
        local = LocalBasis(factors[: len(factors) - ctx.n_further], first, ctx.n_basis)
        further = factors[len(factors) - ctx.n_further :]
        factor_grads: list[Tensor | None] = [None] * len(factors)
        if any(ctx.needs_input_grad[4:]):
            products = grad @ table.transpose(-2, -1)  # [(s,) n, rows]
            # reshape: unflatten has no batching rule, which jacobian(vectorize=True) needs
            basis_grads = products[..., :n_bases].reshape(*products.shape[:-1], -1, ctx.n_basis)  # [(s,) n, i, K]
            further_grads = products[..., n_bases:].reshape(*products.shape[:-1], ctx.n_further, -1)
            factor_grads = [*local.take(basis_grads), *further_grads.unbind(-2)]
        dense = table.new_zeros(*first.shape[:-1], table.shape[-2])  # [(s,) n, rows]
        local.add_to_(dense[..., :n_bases].unflatten(-1, (-1, ctx.n_basis)))
        dense[..., n_bases:] = torch.cat(further, dim=-1)
        return None, None, None, dense.transpose(-2, -1) @ grad, *factor_grads
