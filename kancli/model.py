"""The KAN itself: parameters, forward pass, trace. How the parameters are drawn is the business of `inits`.

Shapes: n samples, i inputs, o outputs, K = G + k basis functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from kancli import splines
from kancli.splines import Local

MOST_DENSE = 24  # bases for which products with their zeros are faster than leaving them out


@dataclass(frozen=True)
class LayerTrace:
    """What happened in one layer during a forward pass."""

    preacts: Tensor  # [n, i]     what enters the edges
    base: Tensor  # [n, i]        b(x) of it
    spline: Tensor  # [n, i, o]   sum_m coef_m B_m(x), before scale_sp
    postacts: Tensor  # [n, i, o] phi(x) = scale_base b(x) + scale_sp spline(x)
    output: Tensor  # [n, o]      the layer's values as `forward` gives them


class KANLayer(nn.Module):
    """n_in x n_out edges, each phi(x) = scale_base b(x) + scale_sp sum_m coef_m B_m(x).

    Args:
        n_in, n_out: nodes before and after.
        grid: G, intervals of the spline grid on `grid_range`.
        k: order of the B-splines.
        base_fun: b(x), elementwise; base_name: its name, where it has one.
        bias: whether a trainable `[o]` is added to the layer's values.

    Parameters are created empty: nothing is drawn here.
    """

    coef: nn.Parameter  # [i, o, K]
    scale_base: nn.Parameter  # [i, o]
    scale_sp: nn.Parameter  # [i, o]
    bias: nn.Parameter | None  # [o]
    knots: Tensor  # [G + 1 + 2k]

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
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__()
        self.n_in, self.n_out, self.grid, self.k = n_in, n_out, grid, k
        self.grid_range, self.base_fun, self.base_name = grid_range, base_fun, base_name

        def parameter(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(*shape, dtype=dtype, device=device))

        self.coef = parameter(n_in, n_out, grid + k)
        self.scale_base = parameter(n_in, n_out)
        self.scale_sp = parameter(n_in, n_out)
        self.bias = parameter(n_out) if bias else None
        self.register_buffer("knots", splines.extended_knots(grid_range, grid, k).to(dtype).to(device))

    def forward(self, x: Tensor) -> Tensor:
        """x `[n, i]` to `[n, o]`: y_j = sum_i phi_ij(x_i), plus the bias where there is one."""
        return self._node_values(self.base_fun(x), self._local_basis(x))

    def trace(self, x: Tensor) -> LayerTrace:
        """The forward pass with every edge kept; `output` has the bits that `forward` gives."""
        base, local = self.base_fun(x), self._local_basis(x)
        basis = local.dense().permute(2, 1, 0)  # [i, n, K]
        spline = basis @ self.coef.transpose(-2, -1)  # [i, n, o]
        # Both branches in one product, with b(x) as one more basis: the largest tensor is written once.
        terms = torch.cat([basis, base.T.unsqueeze(-1)], dim=-1)  # [i, n, K + 1]
        weights = torch.cat([self.scale_sp.unsqueeze(-1) * self.coef, self.scale_base.unsqueeze(-1)], dim=-1)
        postacts = terms @ weights.transpose(-2, -1)  # [i, n, o]
        return LayerTrace(x, base, spline.transpose(0, 1), postacts.transpose(0, 1), self._node_values(base, local))

    def edge_values(self, x: Tensor, sources: Tensor, targets: Tensor) -> Tensor:
        """phi of single edges: x `[n, e]`, the places for edge (sources[e], targets[e]), to `[n, e]`."""
        values, indices = self._local_basis(x).inside()  # [k + 1, n, e]
        spline = (values * self.coef[sources, targets, indices]).sum(0)
        return self.scale_base[sources, targets] * self.base_fun(x) + self.scale_sp[sources, targets] * spline

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *rest: Any) -> None:
        given = state_dict.get(f"{prefix}knots")
        if given is not None and not torch.equal(given.to(self.knots), self.knots):
            raise ValueError(
                f"{prefix}knots: the tensors are of another grid; make the model with their grid and range"
            )
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def _local_basis(self, x: Tensor) -> Local:
        return splines.local_basis(x, self.grid_range, self.grid, self.k)

    def _node_values(self, base: Tensor, local: Local) -> Tensor:
        y = base @ self.scale_base
        weights = self.scale_sp.unsqueeze(-1) * self.coef  # [i, o, K]
        if local.n_basis <= MOST_DENSE:
            y = torch.addbmm(y, local.dense(), weights.permute(2, 0, 1))
        else:
            # Only the k + 1 rows of the weights that a place needs are read: the cost does not grow with the grid.
            values, rows = local.inside()  # [k + 1, n, i]
            rows = rows + local.n_basis * torch.arange(self.n_in, device=rows.device)
            table = weights.transpose(-2, -1).flatten(0, 1)  # [i * K, o]
            bags, shares = (each.transpose(0, 1).flatten(1) for each in (rows, values))  # [n, (k + 1) * i]
            y = y + nn.functional.embedding_bag(bags, table, per_sample_weights=shares, mode="sum")
        return y if self.bias is None else y + self.bias

    def extra_repr(self) -> str:
        return f"{self.n_in}, {self.n_out}, grid={self.grid}, k={self.k}, grid_range={self.grid_range}"


class KAN(nn.Module):
    """A stack of `KANLayer`.

    Args:
        width: nodes per layer, `[n_0, ..., n_L]`; the rest as for `KANLayer`.
    """

    layers: list[KANLayer]  # an nn.ModuleList

    def __init__(
        self,
        width: Sequence[int],
        *,
        grid: int,
        k: int,
        base_fun: Callable[[Tensor], Tensor],
        base_name: str | None = None,
        grid_range: tuple[float, float] = (-1.0, 1.0),
        bias: bool = False,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__()
        self.width = tuple(width)
        self.layers = nn.ModuleList(  # pyright: ignore[reportAttributeAccessIssue]
            KANLayer(
                n_in,
                n_out,
                grid=grid,
                k=k,
                base_fun=base_fun,
                base_name=base_name,
                grid_range=grid_range,
                bias=bias,
                dtype=dtype,
                device=device,
            )
            for n_in, n_out in zip(self.width, self.width[1:])
        )

    def forward(self, x: Tensor) -> Tensor:
        """x `[n, n_0]` to `[n, n_L]`."""
        for layer in self.layers:
            x = layer(x)
        return x

    @torch.no_grad()
    def trace(self, x: Tensor) -> list[LayerTrace]:
        """One `LayerTrace` a layer for the inputs x `[n, n_0]`; the last one's `output` is the bits of `forward`."""
        traces: list[LayerTrace] = []
        for layer in self.layers:
            traces.append(layer.trace(x))
            x = traces[-1].output
        return traces
