"""The KAN itself: parameters, forward pass, trace. How the parameters are drawn is the business of `inits`.

Shapes: s members, n samples, i inputs, o outputs, K = G + k basis functions. A single model is an ensemble without
the member axis: `[(s,) ...]` is an axis that an ensemble has and a single model lacks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from kancli.kan import splines
from kancli.kan.base_functions import derivative_of
from kancli.kan.edge_sums import EdgeTerms, apply_elementwise
from kancli.kan.splines import LocalBasis

STANDARD_EPS = 1e-5  # added to a basis's variance where it is standardised, as in jaxKAN


@dataclass(frozen=True)
class LayerTrace:
    """What happened in one layer during a forward pass."""

    preacts: Tensor  # [(s,) n, i]     what enters the edges
    base: Tensor  # [(s,) n, i]        b(x) of it
    postacts: Tensor  # [(s,) n, i, o] phi(x) = scale_base b(x) + scale_sp spline(x)
    output: Tensor  # [(s,) n, o]      the layer's values
    terms: EdgeTerms
    spline_table: Tensor

    @cached_property
    def spline(self) -> Tensor:
        """`[(s,) n, i, o]`: sum_m coef_m B_m(x), before scale_sp. Computed when first asked for."""
        return self.terms.per_edge(self.spline_table, bases_only=True)


class KANLayer(nn.Module):
    """n_in x n_out edges, each phi(x) = scale_base b(x) + scale_sp sum_m coef_m B_m(x).

    Args:
        n_in, n_out: nodes before and after.
        grid: G, intervals of the spline grid on `grid_range`.
        k: order of the B-splines.
        base_fun: b(x), elementwise; base_name: its name, where it has one.
        bias: whether a trainable `[(s,) o]` is added to the layer's values.
        standardise: whether each B_m is replaced by (B_m - mean) / sqrt(var + 1e-5), mean and variance being those
            over the batch at hand, or over the samples given to `KAN.with_basis_statistics`.
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
        self.basis_statistics: BasisStatistics | None = (
            None  # what the bases are standardised by; None for the batch at hand
        )

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
    def per_input_knots(self) -> bool:
        """Whether each input has knots of its own."""
        return self.knots.dim() > 1

    def forward(self, x: Tensor) -> Tensor:
        """x `[(s,) n, i]` to `[(s,) n, o]`: y_j = sum_i phi_ij(x_i), plus the bias where there is one."""
        terms, coef, offset = self._terms(x)
        return self._biased(terms.sum_over_inputs(self._scaled_table(coef, offset)))

    def trace(self, x: Tensor) -> LayerTrace:
        """The forward pass with every edge kept; `output` has the bits that `forward` gives."""
        terms, coef, offset = self._terms(x)
        table = self._scaled_table(coef, offset)
        output = self._biased(terms.sum_over_inputs(table))
        return LayerTrace(x, terms.factors[-1], terms.per_edge(table), output, terms, self._table(coef, offset))

    def spline(self, x: Tensor) -> Tensor:
        """sum_m coef_m B_m(x) of every edge, x `[(s,) n, i]` to `[(s,) n, i, o]`, before scale_sp."""
        terms, coef, offset = self._terms(x)
        return terms.per_edge(self._table(coef, offset), bases_only=True)

    @torch.no_grad()
    def slopes(self, x: Tensor) -> Tensor:
        """d phi / d x of every edge, x `[(s,) n, i]` to `[(s,) n, i, o]`; where the bases are standardised, mean and
        variance are taken for constants.

        Raises:
            RuntimeError: the bases are standardised over a batch that was not given.
        """
        coef, _ = self._standardised(None)
        local, base = self.local_basis(x, derivative=1), apply_elementwise(derivative_of(self.base_fun), x)
        terms = EdgeTerms(local.first, self.n_basis, 1, [*local.values, base])
        return terms.per_edge(self._scaled_table(coef, None))

    def grid_ends(self) -> tuple[Tensor, Tensor]:
        """Where the grid of each input begins and ends, float64: `[i]`, or `[(s,) i]` where each has its own."""
        if self.per_input_knots:
            return self.knots[..., self.k].double(), self.knots[..., -1 - self.k].double()
        low, high = (torch.tensor(each, dtype=torch.float64).expand(self.n_in) for each in self.grid_range)
        return low, high

    def use_per_input_knots_(self) -> None:
        """Give each input, of each member, knots of its own: for the time being those that all share."""
        leading = () if self.n_members is None else (self.n_members,)
        self.knots = self.knots.expand(*leading, self.n_in, -1).clone()

    def edge_parts(self, x: Tensor, sources: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """The two parts of phi, scale_base b(x) and scale_sp spline(x), of single edges of a single model: x `[n, e]`,
        the places for edge (sources[e], targets[e]), to `[n, e]` each.

        Raises:
            RuntimeError: the bases are standardised over a batch that was not given.
        """
        coef, offset = self._standardised(None)
        local = self.local_basis(x, None if not self.per_input_knots else self.knots[sources])
        taken = local.take(coef[sources, targets].expand(*x.shape, -1))
        spline = torch.stack([value * each for value, each in zip(local.values, taken, strict=True)]).sum(0)
        if offset is not None:
            spline = spline + offset[sources, targets]
        return self.scale_base[sources, targets] * self.base_fun(x), self.scale_sp[sources, targets] * spline

    def local_basis(self, x: Tensor, knots: Tensor | None = None, derivative: int = 0) -> LocalBasis:
        """The bases at x `[(s,) n, i]`, or their derivatives, on the layer's knots or those given."""
        if self.per_input_knots:
            return splines.local_basis_on_knots(x, self.knots if knots is None else knots, self.k, derivative)
        return splines.local_basis(x, self.grid_range, self.grid, self.k, derivative)

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *rest: Any) -> None:
        name = f"{prefix}knots"
        given = state_dict.get(name)
        shared = self.n_members is not None and not self.per_input_knots
        if given is not None and shared and given.dim() == 2 and (given == given[0]).all():
            given = state_dict[name] = given[0]  # as params.safetensors has them, once for each member
        if given is not None and (given.shape != self.knots.shape or not torch.equal(given.to(self.knots), self.knots)):
            raise ValueError(f"{name}: the tensors are of another grid; make the model with their grid and range")
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def weights(self) -> tuple[Tensor, Tensor | None, Tensor]:
        """What an edge is made of, phi = sum_m coef_m B_m + offset + scale_base b(x), with scale_sp multiplied in.

        Returns:
            coef `[(s,) i, o, K]`, offset `[(s,) i, o]` or None for 0, scale_base `[(s,) i, o]`.

        Raises:
            RuntimeError: the bases are standardised over a batch that was not given.
        """
        coef, offset = self._standardised(None)
        return self.scale_sp.unsqueeze(-1) * coef, None if offset is None else self.scale_sp * offset, self.scale_base

    def _standardised(self, local: LocalBasis | None) -> tuple[Tensor, Tensor | None]:
        """Coefficients `[(s,) i, o, K]` on the bases as they are, and the constant `[(s,) i, o]` on top, if any; where
        the bases are standardised over the batch at hand, `local` is the batch."""
        if not self.standardise:
            return self.coef, None
        if self.basis_statistics is None and local is None:
            raise RuntimeError("the bases are standardised over a batch: use KAN.standardised_over(x)")
        standard = self.basis_statistics or BasisStatistics.of([local])  # pyright: ignore[reportArgumentType]
        coef = self.coef * standard.inverse_std.unsqueeze(-2)
        return coef, -(coef * standard.mean.unsqueeze(-2)).sum(-1)

    def _terms(self, x: Tensor) -> tuple[EdgeTerms, Tensor, Tensor | None]:
        """What the edges add up at x, with the constant if there is one, and b(x) last; and the coefficients and
        constants that go with it."""
        base, local = apply_elementwise(self.base_fun, x), self.local_basis(x)
        coef, offset = self._standardised(local)
        further = [base] if offset is None else [torch.ones_like(base), base]
        return EdgeTerms(local.first, self.n_basis, len(further), [*local.values, *further]), coef, offset

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
class BasisStatistics:
    """Mean and 1/sqrt(var + 1e-5) of each basis over samples, `[(s,) i, K]`."""

    mean: Tensor
    inverse_std: Tensor

    @classmethod
    def of(cls, chunks: Sequence[LocalBasis]) -> BasisStatistics:
        """Over samples that come in chunks; the variance is divided by their number."""
        # Sums in float64: a basis's mean square is as great as its variance, and nothing is lost.
        count = sum(each.first.shape[-2] for each in chunks)
        dense = [each.dense() for each in chunks]  # [(s,) n, i, K]
        mean = torch.stack([each.sum(-3, dtype=torch.float64) for each in dense]).sum(0) / count
        square = torch.stack([each.double().square().sum(-3) for each in dense]).sum(0) / count
        inverse = (square - mean.square()).clamp_min(0).add(STANDARD_EPS).rsqrt()
        return cls(*(each.to(dense[0].dtype) for each in (mean, inverse)))
