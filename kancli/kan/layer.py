"""One layer of a KAN: parameters, forward pass, trace. `inits` draws the parameters.

Shapes:
    s  members of an ensemble
    n  samples
    i  inputs of the layer
    o  outputs of the layer
    K  basis functions, G + k
    e  selected edges

`[(s,) ...]` has the member axis in an ensemble and lacks it in a single model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from kancli.kan import splines
from kancli.kan.allocation import empty
from kancli.kan.base_functions import derivative_of
from kancli.kan.basis_statistics import STANDARDISED, BasisStatistics
from kancli.kan.cached import cached_property
from kancli.kan.edge_sums import EdgeTerms, apply_elementwise
from kancli.kan.layered import Layer
from kancli.kan.splines import LocalBasis
from kancli.kan.tracing import is_transformed

LOAD_HINT = "load a run's folder as it is with kancli.KAN.load(RUN)"


@dataclass(frozen=True)
class LayerTrace:
    """Values of one layer during a forward pass."""

    preacts: Tensor  # [(s,) n, i]        x, the layer's inputs
    base: Tensor  # [(s,) n, i]           b(x)
    output: Tensor  # [(s,) n, o]         sum of phi over the inputs, plus bias
    terms: EdgeTerms
    phi_table: Tensor  # [(s,) rows, o]     weights of `terms` that give phi
    spline_table: Tensor  # [(s,) rows, o]  weights of `terms` that give the spline

    @cached_property
    def postacts(self) -> Tensor:
        """phi(x) = scale_base b(x) + scale_sp spline(x) of every edge, `[(s,) n, i, o]`. Computed on first use."""
        return self.terms.per_edge(self.phi_table)

    def leading_postacts(self, n: int) -> Tensor:
        """`postacts` of the first n samples."""
        if "postacts" in vars(self) or n >= self.preacts.shape[-2]:
            return self.postacts[..., :n, :, :]
        return self.terms.of_samples(slice(n)).per_edge(self.phi_table)

    @cached_property
    def spline(self) -> Tensor:
        """sum_m coef_m B_m(x) of every edge, before scale_sp, `[(s,) n, i, o]`. Computed on first use."""
        return self.terms.per_edge(self.spline_table, bases_only=True)


class KANLayer(Layer):
    """n_in x n_out edges, each phi(x) = scale_base b(x) + scale_sp sum_m coef_m B_m(x).

    Args:
        n_in, n_out: number of inputs and outputs.
        grid: G, intervals of the spline grid on `grid_range`.
        k: order of the B-splines.
        base_fun: b(x), elementwise.
        base_name: name of `base_fun` in `base_functions`, or None.
        bias: whether a trainable bias is added to the outputs.
        standardise: whether each B_m is replaced by (B_m - mean) / sqrt(var + 1e-5), with mean and variance over the
            current batch, or over the samples of `KAN.with_basis_statistics`.
        masked: whether a fixed `mask`, which is not trained, switches edges off: phi = 0 there, and so are the
            gradients of their parameters. It starts with all edges on.
        n_members: s; None for a single model.

    The parameters are created uninitialised.
    """

    coef: nn.Parameter  # [(s,) i, o, K]
    scale_base: nn.Parameter  # [(s,) i, o]
    scale_sp: nn.Parameter  # [(s,) i, o]
    bias: nn.Parameter | None  # [(s,) o]
    mask: Tensor | None  # [(s,) i, o]  bool, False for an edge that is off
    knots: Tensor  # [G + 1 + 2k], or [(s,) i, G + 1 + 2k] with per-input knots
    basis_statistics: BasisStatistics | None  # None: those of the current batch, if `standardise`

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
        masked: bool = False,
        n_members: int | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__()
        self.n_in, self.n_out, self.grid, self.k, self.n_members = n_in, n_out, grid, k, n_members
        self.grid_range, self.base_fun, self.base_name = grid_range, base_fun, base_name
        self.standardise, self.basis_statistics = standardise, None

        members = () if n_members is None else (n_members,)

        def parameter(*shape: int) -> nn.Parameter:
            return nn.Parameter(empty(*members, *shape, dtype=dtype, device=device))

        self.coef = parameter(n_in, n_out, grid + k)
        self.scale_base = parameter(n_in, n_out)
        self.scale_sp = parameter(n_in, n_out)
        self.bias = parameter(n_out) if bias else None
        mask = torch.ones(*members, n_in, n_out, dtype=torch.bool, device=device) if masked else None
        self.register_buffer("mask", mask)
        self.register_buffer("knots", splines.extended_knots(grid_range, grid, k).to(dtype).to(device))

    @property
    def n_basis(self) -> int:
        return self.grid + self.k

    @property
    def n_factors(self) -> int:
        return self.n_in * (self.k + 2)  # the bases that are not 0, and b(x)

    def copy_constants_(self, source: KANLayer, select: Callable[[Tensor], Tensor]) -> None:
        self.knots = select(source.knots) if source.per_input_knots else source.knots
        self.mask = None if source.mask is None else select(source.mask)
        if (statistics := source.basis_statistics) is not None:
            self.basis_statistics = BasisStatistics(select(statistics.mean), select(statistics.inverse_std))

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> KANLayer:
        """Convert or move the basis statistics along with the tensors."""
        super()._apply(fn, recurse)
        if (statistics := self.basis_statistics) is not None:
            self.basis_statistics = BasisStatistics(fn(statistics.mean), fn(statistics.inverse_std))
        return self

    @property
    def per_input_knots(self) -> bool:
        """Whether each input has knots of its own."""
        return self.knots.dim() > 1

    def forward(self, x: Tensor) -> Tensor:
        """y_j = sum_i phi_ij(x_i) + bias_j; x `[(s,) n, i]` to y `[(s,) n, o]`."""
        terms, coef, constant = self._edge_terms(x)
        return self._add_bias(terms.sum_over_inputs(self._phi_table(coef, constant)))

    def trace(self, x: Tensor) -> LayerTrace:
        """Forward pass that knows the values of every edge; `output` equals that of `forward` bit for bit.

        Args:
            x: `[(s,) n, i]`.
        """
        terms, coef, constant = self._edge_terms(x)
        table = self._phi_table(coef, constant)
        output = self._add_bias(terms.sum_over_inputs(table))  # [(s,) n, o]
        return LayerTrace(x, terms.factors[-1], output, terms, table, self._spline_table(coef, constant))

    def spline(self, x: Tensor) -> Tensor:
        """sum_m coef_m B_m(x) of every edge, x `[(s,) n, i]` to `[(s,) n, i, o]`, before scale_sp."""
        terms, coef, constant = self._edge_terms(x)
        return terms.per_edge(self._spline_table(coef, constant), bases_only=True)

    @torch.no_grad()
    def slope_terms(self, x: Tensor) -> tuple[EdgeTerms, Tensor]:
        """Factors and weights whose sums are d phi / d x at x `[(s,) n, i]`; basis statistics count as constants.

        Raises:
            RuntimeError: the layer standardises its bases and has no `basis_statistics`.
        """
        coef, _ = self._coef_and_constant(None)
        local = self.local_basis(x, derivative=1)
        base_slope = apply_elementwise(derivative_of(self.base_fun), x)  # [(s,) n, i]
        return EdgeTerms(local.first, self.n_basis, 1, [*local.values, base_slope]), self._phi_table(coef, None)

    @torch.no_grad()
    def slopes(self, x: Tensor) -> Tensor:
        """d phi / d x of every edge, x `[(s,) n, i]` to `[(s,) n, i, o]`, as `slope_terms` has it."""
        terms, table = self.slope_terms(x)
        return terms.per_edge(table)

    def grid_ends(self) -> tuple[Tensor, Tensor]:
        """First and last grid point of each input, as rounded to the layer's dtype; float64 `[i]`, or `[(s,) i]` with
        per-input knots."""
        knots = (self.knots if self.per_input_knots else self.knots.expand(self.n_in, -1)).double()
        return knots[..., self.k], knots[..., -1 - self.k]

    def use_per_input_knots_(self) -> None:
        """Switch from shared knots to a copy of them for each input of each member."""
        members = () if self.n_members is None else (self.n_members,)
        self.knots = self.knots.expand(*members, self.n_in, -1).clone()

    def edge_parts(self, x: Tensor, sources: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """The two parts of phi, scale_base b(x) and scale_sp spline(x), for selected edges of a single model.

        Args:
            x: inputs of the edges, `[n, e]`.
            sources, targets: input and output of each edge, `[e]`.

        Returns:
            `[n, e]` each.

        Raises:
            RuntimeError: the layer standardises its bases and has no `basis_statistics`.
        """
        coef, constant = self._coef_and_constant(None)
        local = self.local_basis(x, self.knots[sources] if self.per_input_knots else None)
        edge_coef = local.take(coef[sources, targets].expand(*x.shape, -1))  # k + 1 of [n, e]
        products = [value * weight for value, weight in zip(local.values, edge_coef, strict=True)]
        spline = torch.stack(products).sum(0)  # [n, e]
        if constant is not None:
            spline = spline + constant[sources, targets]
        scale_base, scale_sp = (scale[sources, targets] for scale in self.masked_scales())
        return scale_base * self.base_fun(x), scale_sp * spline

    def local_basis(self, x: Tensor, knots: Tensor | None = None, derivative: int = 0) -> LocalBasis:
        """Non-zero bases, or their derivatives, at x `[(s,) n, i]`; `knots` replaces the layer's per-input knots."""
        if self.per_input_knots:
            return splines.local_basis_on_knots(x, self.knots if knots is None else knots, self.k, derivative)
        return splines.local_basis(x, self.grid_range, self.grid, self.k, derivative)

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if self.standardise and (metadata := getattr(destination, "_metadata", None)) is not None:
            metadata[prefix[:-1]][STANDARDISED] = True

    def _load_from_state_dict(
        self, state_dict: dict[str, Tensor], prefix: str, local_metadata: dict[str, Any], *rest: Any
    ) -> None:
        """Take per-input knots, which adaptation to samples moves. Refuse shared knots of another grid, which torch
        would copy without a word: the bases are computed from `grid_range`.

        Raises:
            ValueError: shared knots differ from the layer's, or their number is another one; or the parameters are
                those of standardised bases, which the layer's are not.
        """
        if local_metadata.get(STANDARDISED) and not self.standardise:
            raise ValueError(
                f"{prefix}coef: of bases that are standardised over each batch; build the model with the same init, or"
                f" {LOAD_HINT}"
            )
        name = f"{prefix}knots"
        if (knots := state_dict.get(name)) is not None:
            members = () if self.n_members is None else (self.n_members,)
            is_per_input = knots.shape == (*members, self.n_in, self.knots.shape[-1])
            shared = self.n_members is not None and not self.per_input_knots
            if shared and knots.dim() == 2 and (knots == knots[0]).all():
                knots = state_dict[name] = knots[0]  # params.safetensors repeats shared knots for every member
            if is_per_input and not self.per_input_knots:
                self.use_per_input_knots_()
            elif not is_per_input and not (
                knots.shape == self.knots.shape and torch.equal(knots.to(self.knots), self.knots)
            ):
                raise ValueError(
                    f"{name}: the knots are of another grid; build the model with their grid and range, or {LOAD_HINT}"
                )
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)

    def weights(self) -> tuple[Tensor, Tensor | None, Tensor]:
        """Weights of phi = sum_m coef_m B_m + constant + scale_base b(x), with scale_sp and mask multiplied in.

        Returns:
            coef `[(s,) i, o, K]`, constant `[(s,) i, o]` or None for 0, scale_base `[(s,) i, o]`.

        Raises:
            RuntimeError: the layer standardises its bases and has no `basis_statistics`.
        """
        coef, constant = self._coef_and_constant(None)
        return self._scaled(coef, constant)

    def masked_scales(self) -> tuple[Tensor, Tensor]:
        """scale_base and scale_sp, 0 for edges that are off, `[(s,) i, o]` each."""
        if self.mask is None:
            return self.scale_base, self.scale_sp
        return self.scale_base.masked_fill(~self.mask, 0), self.scale_sp.masked_fill(~self.mask, 0)

    def _scaled(self, coef: Tensor, constant: Tensor | None) -> tuple[Tensor, Tensor | None, Tensor]:
        scale_base, scale_sp = self.masked_scales()
        return scale_sp.unsqueeze(-1) * coef, None if constant is None else scale_sp * constant, scale_base

    def _coef_and_constant(self, local: LocalBasis | None) -> tuple[Tensor, Tensor | None]:
        """coef `[(s,) i, o, K]` and constant `[(s,) i, o]`: spline = sum_m coef_m B_m + constant on the original bases.

        Args:
            local: bases of the current batch, used where the layer standardises and has no `basis_statistics`.
        """
        if not self.standardise:
            return self.coef, None
        if self.basis_statistics is None and local is None:
            raise RuntimeError("the bases are standardised over a batch: use KAN.with_basis_statistics(x)")
        statistics = self.basis_statistics or BasisStatistics.of([local])  # pyright: ignore[reportArgumentType]
        coef = self.coef * statistics.inverse_std.unsqueeze(-2)  # [(s,) i, o, K]
        return coef, -(coef * statistics.mean.unsqueeze(-2)).sum(-1)

    def _edge_terms(self, x: Tensor) -> tuple[EdgeTerms, Tensor, Tensor | None]:
        """Factors of every edge at x: the bases, 1 if there is a constant, and b(x); and `_coef_and_constant`."""
        once = x[:1] if self._serves_members_alike(x) else x
        base, local = apply_elementwise(self.base_fun, once), self.local_basis(once)
        if once is not x:
            base, local = base.expand(x.shape), local.expand(len(x))
        coef, constant = self._coef_and_constant(local)
        further = [base] if constant is None else [torch.ones_like(base), base]
        return EdgeTerms(local.first, self.n_basis, len(further), [*local.values, *further]), coef, constant

    def _serves_members_alike(self, x: Tensor) -> bool:
        """Whether x `[(s,) n, i]` is that of one member, expanded, and the factors are the same for all."""
        if is_transformed() or x.dim() < 3 or x.stride(0) or self.per_input_knots:
            return False
        return not (x.requires_grad and torch.is_grad_enabled())  # the gradient by x is a sum over the members

    def _phi_table(self, coef: Tensor, constant: Tensor | None) -> Tensor:
        """Weights of `_edge_terms` that give phi, `[(s,) rows, o]`."""
        return self._table(*self._scaled(coef, constant))

    def _spline_table(self, coef: Tensor, constant: Tensor | None) -> Tensor:
        """Weights of `_edge_terms` that give the spline, before scale_sp, `[(s,) rows, o]`."""
        return self._table(coef, constant, torch.zeros_like(self.scale_base))

    def _table(self, coef: Tensor, constant: Tensor | None, scale_base: Tensor) -> Tensor:
        further = [scale_base] if constant is None else [constant, scale_base]
        return torch.cat([coef.transpose(-2, -1).flatten(-3, -2), *further], dim=-2)  # [(s,) i K + i or 2i, o]

    def _add_bias(self, y: Tensor) -> Tensor:
        return y if self.bias is None else y + self.bias.unsqueeze(-2)

    def extra_repr(self) -> str:
        members = "" if self.n_members is None else f", n_members={self.n_members}"
        return f"{self.n_in}, {self.n_out}, grid={self.grid}, k={self.k}, grid_range={self.grid_range}{members}"
