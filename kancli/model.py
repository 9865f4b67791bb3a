"""The KAN itself: parameters, forward pass, trace. How the parameters are drawn is the business of `inits`.

Shapes: s members, n samples, i inputs, o outputs, K = G + k basis functions. A single model is an ensemble without
the member axis: `[(s,) ...]` is an axis that an ensemble has and a single model lacks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from kancli import splines
from kancli.splines import Local
from kancli.threads import one_thread

MOST_DENSE = 24  # bases up to which, in training, products with their zeros are faster than leaving them out
FEW = 16  # inputs
VECTORS = 64  # numbers, a multiple of what any CPU takes at a time
STANDARD_EPS = 1e-5  # added to a basis's variance where it is standardised, as in jaxKAN


@dataclass(frozen=True)
class Terms:
    """What each edge adds up at each place: factors on rows of a table of weights.

    The factors are the values of the k + 1 bases that may differ from 0 and then further ones, such as b(x). A table
    `[(s,) rows, o]` has a row for each basis of each input, then one for each input and each further factor.
    """

    first: Tensor  # [(s,) n, i]  the basis of the first value; some of the k + 1 may not exist
    n_basis: int  # K
    n_further: int
    factors: Sequence[Tensor]  # [(s,) n, i] each

    def nodes(self, table: Tensor) -> Tensor:
        """Summed over factors and inputs, `[(s,) n, o]`."""
        if self.n_basis <= MOST_DENSE and torch.is_grad_enabled():
            return _NodeSums.apply(self.first, self.n_basis, self.n_further, table, *self.factors)  # pyright: ignore
        return self.sum_nodes(table)

    def sum_nodes(self, table: Tensor) -> Tensor:
        if self.first.shape[-1] < FEW:  # the shorter axis last would make for short runs of memory
            rows, factors = self._side_by_side
        else:
            rows, factors = self._rows(-2), torch.stack(list(self.factors), dim=-2)
        return _sum_rows(rows.flatten(-2), factors.flatten(-2), self._padded(table))

    def edges(self, table: Tensor, *, bases_only: bool = False) -> Tensor:
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
        n_in, pad = self.first.shape[-1], nn.functional.pad
        bases = table[..., : n_in * self.n_basis, :].unflatten(-2, (n_in, self.n_basis))
        bases = pad(pad(bases, (0, 0, 0, self._k)).flatten(-3, -2), (0, 0, self._k, 0))
        return torch.cat([bases, table[..., n_in * self.n_basis :, :]], dim=-2).flatten(0, -2)


def _sum_rows(rows: Tensor, factors: Tensor, table: Tensor) -> Tensor:
    """sum_t factors_t table[rows_t]: rows and factors `[..., t]`, table `[rows, o]`, to `[..., o]`.

    Each sum is made alone and in order, so its bits depend neither on threads nor on what else is computed with it.
    """
    *places, count = rows.shape
    sums = nn.functional.embedding_bag(
        rows.reshape(-1, count), table, per_sample_weights=factors.reshape(-1, count), mode="sum"
    )
    return sums.view(*places, table.shape[-1])


def _evenly(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """An elementwise function whose bits at one place do not depend on what stands beside it.

    torch's vectorised loops round some functions, silu among them, otherwise than the loops over single numbers that
    finish off what does not fill a vector, at the end and where the next thread begins.
    """
    flat = x.reshape(-1)
    with one_thread():
        padded = function(nn.functional.pad(flat, (0, -len(flat) % VECTORS)))
    return padded[: len(flat)].view(x.shape)


class _NodeSums(torch.autograd.Function):
    """`Terms.sum_nodes` with a backward by dense products, which on a small grid is several times faster."""

    @staticmethod
    def forward(first: Tensor, n_basis: int, n_further: int, table: Tensor, *factors: Tensor) -> Tensor:
        return Terms(first, n_basis, n_further, factors).sum_nodes(table)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        first, ctx.n_basis, ctx.n_further, *tensors = inputs
        ctx.save_for_backward(first, *tensors)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (grad,), (first, table, *factors) = grads, ctx.saved_tensors
        n_bases = first.shape[-1] * ctx.n_basis  # of all inputs
        local = Local(factors[: len(factors) - ctx.n_further], first, ctx.n_basis)
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


@dataclass(frozen=True)
class LayerTrace:
    """What happened in one layer during a forward pass."""

    preacts: Tensor  # [(s,) n, i]     what enters the edges
    base: Tensor  # [(s,) n, i]        b(x) of it
    postacts: Tensor  # [(s,) n, i, o] phi(x) = scale_base b(x) + scale_sp spline(x)
    output: Tensor  # [(s,) n, o]      the layer's values
    terms: Terms
    spline_table: Tensor

    @cached_property
    def spline(self) -> Tensor:
        """`[(s,) n, i, o]`: sum_m coef_m B_m(x), before scale_sp. Computed when first asked for."""
        return self.terms.edges(self.spline_table, bases_only=True)


class KANLayer(nn.Module):
    """n_in x n_out edges, each phi(x) = scale_base b(x) + scale_sp sum_m coef_m B_m(x).

    Args:
        n_in, n_out: nodes before and after.
        grid: G, intervals of the spline grid on `grid_range`.
        k: order of the B-splines.
        base_fun: b(x), elementwise; base_name: its name, where it has one.
        bias: whether a trainable `[(s,) o]` is added to the layer's values.
        standardise: whether each B_m is replaced by (B_m - mean) / sqrt(var + 1e-5), mean and variance being those
            over the batch at hand, or over the samples given to `KAN.standardised_over`.
        n_members: s; None for a single model.

    Parameters are created empty: nothing is drawn here.
    """

    coef: nn.Parameter  # [(s,) i, o, K]
    scale_base: nn.Parameter  # [(s,) i, o]
    scale_sp: nn.Parameter  # [(s,) i, o]
    bias: nn.Parameter | None  # [(s,) o]
    knots: Tensor  # [G + 1 + 2k], or [(s,) i, G + 1 + 2k] where each input has its own

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        grid: int,
        k: int,
        base_fun: Callable[[Tensor], Tensor],
        base_name: str | None = None,
        grid_range: tuple[float, float] = (-1.0, 1.0),
        bias: bool = False,
        standardise: bool = False,
        n_members: int | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__()
        self.n_in, self.n_out, self.grid, self.k, self.n_members = n_in, n_out, grid, k, n_members
        self.grid_range, self.base_fun, self.base_name = grid_range, base_fun, base_name
        self.standardise = standardise
        self.standard: Standard | None = None  # what the bases are standardised by; None for the batch at hand

        def parameter(*shape: int) -> nn.Parameter:
            leading = () if n_members is None else (n_members,)
            return nn.Parameter(torch.empty(*leading, *shape, dtype=dtype, device=device))

        self.coef = parameter(n_in, n_out, grid + k)
        self.scale_base = parameter(n_in, n_out)
        self.scale_sp = parameter(n_in, n_out)
        self.bias = parameter(n_out) if bias else None
        self.register_buffer("knots", splines.extended_knots(grid_range, grid, k).to(dtype).to(device))

    @property
    def n_basis(self) -> int:
        return self.grid + self.k

    @property
    def own_knots(self) -> bool:
        """Whether each input has knots of its own."""
        return self.knots.dim() > 1

    def forward(self, x: Tensor) -> Tensor:
        """x `[(s,) n, i]` to `[(s,) n, o]`: y_j = sum_i phi_ij(x_i), plus the bias where there is one."""
        terms, coef, offset = self._terms(x)
        return self._biased(terms.nodes(self._scaled_table(coef, offset)))

    def trace(self, x: Tensor) -> LayerTrace:
        """The forward pass with every edge kept; `output` has the bits that `forward` gives."""
        terms, coef, offset = self._terms(x)
        table = self._scaled_table(coef, offset)
        output = self._biased(terms.nodes(table))
        return LayerTrace(x, terms.factors[-1], terms.edges(table), output, terms, self._table(coef, offset))

    def spline(self, x: Tensor) -> Tensor:
        """sum_m coef_m B_m(x) of every edge, x `[(s,) n, i]` to `[(s,) n, i, o]`, before scale_sp."""
        terms, coef, offset = self._terms(x)
        return terms.edges(self._table(coef, offset), bases_only=True)

    def grid_ends(self) -> tuple[Tensor, Tensor]:
        """Where the grid of each input begins and ends, float64: `[i]`, or `[(s,) i]` where each has its own."""
        if self.own_knots:
            return self.knots[..., self.k].double(), self.knots[..., -1 - self.k].double()
        low, high = (torch.tensor(each, dtype=torch.float64).expand(self.n_in) for each in self.grid_range)
        return low, high

    def take_own_knots_(self) -> None:
        """Give each input, of each member, knots of its own: for the time being those that all share."""
        leading = () if self.n_members is None else (self.n_members,)
        self.knots = self.knots.expand(*leading, self.n_in, -1).clone()

    def edge_values(self, x: Tensor, sources: Tensor, targets: Tensor) -> Tensor:
        """phi of single edges of a single model: x `[n, e]`, the places for edge (sources[e], targets[e]), to `[n, e]`.

        Raises:
            RuntimeError: the bases are standardised over a batch that was not given.
        """
        if self.standardise and self.standard is None:
            raise RuntimeError("the bases are standardised over a batch: use KAN.standardised_over(x)")
        local = self.local_basis(x, None if not self.own_knots else self.knots[sources])
        coef, offset = self._standardised(local)
        taken = local.take(coef[sources, targets].expand(*x.shape, -1))
        spline = torch.stack([value * each for value, each in zip(local.values, taken, strict=True)]).sum(0)
        if offset is not None:
            spline = spline + offset[sources, targets]
        return self.scale_base[sources, targets] * self.base_fun(x) + self.scale_sp[sources, targets] * spline

    def local_basis(self, x: Tensor, knots: Tensor | None = None) -> Local:
        """The bases at x `[(s,) n, i]`, on the layer's knots or those given."""
        if self.own_knots:
            return splines.local_basis_on_knots(x, self.knots if knots is None else knots, self.k)
        return splines.local_basis(x, self.grid_range, self.grid, self.k)

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *rest: Any) -> None:
        given = state_dict.get(f"{prefix}knots")
        if given is not None and (given.shape != self.knots.shape or not torch.equal(given.to(self.knots), self.knots)):
            raise ValueError(
                f"{prefix}knots: the tensors are of another grid; make the model with their grid and range"
            )
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def _standardised(self, local: Local) -> tuple[Tensor, Tensor | None]:
        """Coefficients `[(s,) i, o, K]` on the bases as they are, and the constant `[(s,) i, o]` on top, if any."""
        if not self.standardise:
            return self.coef, None
        standard = self.standard or Standard.of([local])
        coef = self.coef * standard.inverse_std.unsqueeze(-2)
        return coef, -(coef * standard.mean.unsqueeze(-2)).sum(-1)

    def _terms(self, x: Tensor) -> tuple[Terms, Tensor, Tensor | None]:
        """What the edges add up at x, with the constant if there is one, and b(x) last; and the coefficients and
        constants that go with it."""
        base, local = _evenly(self.base_fun, x), self.local_basis(x)
        coef, offset = self._standardised(local)
        further = [base] if offset is None else [torch.ones_like(base), base]
        return Terms(local.first, self.n_basis, len(further), [*local.values, *further]), coef, offset

    def _scaled_table(self, coef: Tensor, offset: Tensor | None) -> Tensor:
        offset = None if offset is None else self.scale_sp * offset
        return self._table(self.scale_sp.unsqueeze(-1) * coef, offset, self.scale_base)

    def _table(self, coef: Tensor, offset: Tensor | None, scale_base: Tensor | None = None) -> Tensor:
        """The weights that go with `_terms`, `[(s,) rows, o]`; those of b(x) are 0 where none are given."""
        scale_base = torch.zeros_like(self.scale_base) if scale_base is None else scale_base
        further = [scale_base] if offset is None else [offset, scale_base]
        return torch.cat([coef.transpose(-2, -1).flatten(-3, -2), *further], dim=-2)

    def _biased(self, y: Tensor) -> Tensor:
        return y if self.bias is None else y + self.bias.unsqueeze(-2)

    def extra_repr(self) -> str:
        members = "" if self.n_members is None else f", n_members={self.n_members}"
        return f"{self.n_in}, {self.n_out}, grid={self.grid}, k={self.k}, grid_range={self.grid_range}{members}"


@dataclass(frozen=True)
class Standard:
    """Mean and 1/sqrt(var + 1e-5) of each basis over samples, `[(s,) i, K]`."""

    mean: Tensor
    inverse_std: Tensor

    @classmethod
    def of(cls, chunks: Sequence[Local]) -> Standard:
        """Over samples that come in chunks; the variance is divided by their number."""
        # Sums in float64: a basis's mean square is as great as its variance, and nothing is lost.
        count = sum(each.first.shape[-2] for each in chunks)
        dense = [each.dense() for each in chunks]  # [(s,) n, i, K]
        mean = torch.stack([each.sum(-3, dtype=torch.float64) for each in dense]).sum(0) / count
        square = torch.stack([each.double().square().sum(-3) for each in dense]).sum(0) / count
        inverse = (square - mean.square()).clamp_min(0).add(STANDARD_EPS).rsqrt()
        return cls(*(each.to(dense[0].dtype) for each in (mean, inverse)))


class KAN(nn.Module):
    """A stack of `KANLayer`.

    Args:
        width: nodes per layer, `[n_0, ..., n_L]`.
        layer: the rest as for `KANLayer`.
    """

    layers: list[KANLayer]  # an nn.ModuleList

    def __init__(self, width: Sequence[int], **layer: Any) -> None:
        super().__init__()
        self.width = tuple(width)
        self.layer_options = layer
        self.layers = nn.ModuleList(  # pyright: ignore[reportAttributeAccessIssue]
            KANLayer(n_in, n_out, **layer) for n_in, n_out in zip(self.width, self.width[1:])
        )

    @property
    def n_members(self) -> int | None:
        """How many models this is; None for a single one without a member axis."""
        return self.layers[0].n_members

    def forward(self, x: Tensor) -> Tensor:
        """x `[(s,) n, n_0]` to `[(s,) n, n_L]`; members may share `[n, n_0]`."""
        x = self._for_members(x)
        for layer in self.layers:
            x = layer(x)
        return x

    @torch.no_grad()
    def trace(self, x: Tensor) -> list[LayerTrace]:
        """One `LayerTrace` a layer for the inputs x; the last one's `output` is that of `forward` under no_grad."""
        x = self._for_members(x)
        traces: list[LayerTrace] = []
        for layer in self.layers:
            traces.append(layer.trace(x))
            x = traces[-1].output
        return traces

    def member(self, which: int | slice | None) -> KAN:
        """Some members as a model that shares their parameters: an index gives a single model, a slice an ensemble,
        None all there is. What the bases are standardised by at the moment stays with it."""
        count = self.n_members
        if which is not None:
            count = None if isinstance(which, int) else len(range(*which.indices(self.n_members or 0)))
        chosen = ... if which is None else which
        part = KAN(self.width, **{**self.layer_options, "n_members": count, "device": "meta"})
        for mine, theirs in zip(part.layers, self.layers, strict=True):
            for name, tensor in theirs.named_parameters():
                setattr(mine, name, nn.Parameter(tensor.detach()[chosen], requires_grad=tensor.requires_grad))
            mine.knots = theirs.knots[chosen] if theirs.own_knots else theirs.knots
            if (standard := theirs.standard) is not None:
                mine.standard = Standard(standard.mean[chosen], standard.inverse_std[chosen])
        return part

    @contextmanager
    def standardised_over(self, x: Tensor, chunk: int | None = None) -> Iterator[None]:
        """Within, layers that standardise their bases do so over these samples, whatever batch is at hand.

        Args:
            x: `[(s,) n, n_0]`.
            chunk: how many samples to hold at a time.
        """
        if not any(layer.standardise for layer in self.layers):
            yield
            return
        chunks = list(self._for_members(x).split(chunk or x.shape[-2], dim=-2))
        try:
            with torch.no_grad():
                for layer in self.layers:
                    layer.standard = Standard.of([layer.local_basis(each) for each in chunks])
                    chunks = [layer(each) for each in chunks]
            yield
        finally:
            for layer in self.layers:
                layer.standard = None

    def _for_members(self, x: Tensor) -> Tensor:
        return x if self.n_members is None or x.dim() > 2 else x.expand(self.n_members, *x.shape)
