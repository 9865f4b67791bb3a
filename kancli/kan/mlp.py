"""The multilayer perceptron, the line of reference for KANs. `inits.he_normal` draws its parameters.

Shapes: s members, n samples, i inputs and o outputs of a layer; `[(s,) ...]` has the member axis in an ensemble only.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from typing_extensions import Self

from kancli.kan.edge_sums import apply_elementwise
from kancli.kan.layered import Layer, LayeredNetwork
from kancli.kan.threads import one_blas_thread


@dataclass(frozen=True)
class MLPTrace:
    """Values of one layer during a forward pass."""

    preacts: Tensor  # [(s,) n, i]  of the nodes that enter, before silu
    output: Tensor  # [(s,) n, o]


class MLPLayer(Layer):
    """y = W a(x) + b, as torch.nn.Linear after a.

    Args:
        n_in, n_out: number of inputs and outputs.
        activation: whether a is silu, as in all layers but the first; else it is the identity.
        n_members: s; None for a single model.

    The parameters are created uninitialised.
    """

    weight: nn.Parameter  # [(s,) o, i]
    bias: nn.Parameter  # [(s,) o]

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        activation: bool,
        n_members: int | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__()
        self.n_in, self.n_out, self.activation, self.n_members = n_in, n_out, activation, n_members
        members = () if n_members is None else (n_members,)
        self.weight = nn.Parameter(torch.empty(*members, n_out, n_in, dtype=dtype, device=device))
        self.bias = nn.Parameter(torch.empty(*members, n_out, dtype=dtype, device=device))

    def forward(self, x: Tensor) -> Tensor:
        """x `[(s,) n, i]` to y `[(s,) n, o]`."""
        return self.linear(nn.functional.silu(x) if self.activation else x) + self.bias.unsqueeze(-2)

    def linear(self, x: Tensor) -> Tensor:
        """W x, `[(s,) n, i]` to `[(s,) n, o]`."""
        return x @ self.weight.mT

    def trace(self, x: Tensor) -> MLPTrace:
        """The values at x `[(s,) n, i]`; a member has the same bits in any ensemble and on any number of threads."""
        entering = apply_elementwise(nn.functional.silu, x) if self.activation else x
        with one_blas_thread():
            product = np.matmul(entering.numpy(force=True), self.weight.numpy(force=True).swapaxes(-2, -1))
        return MLPTrace(x, torch.from_numpy(product).to(x.device) + self.bias.detach().unsqueeze(-2))


class MLP(LayeredNetwork):
    """Layers with silu between them and a linear output.

    Args:
        width: nodes per layer, `[n_0, ..., n_L]`.
        n_members: s; None for a single model.
    """

    layers: list[MLPLayer]  # an nn.ModuleList

    def __init__(
        self,
        width: Sequence[int],
        *,
        n_members: int | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        options = {"n_members": n_members, "dtype": dtype, "device": device}
        super().__init__(
            width,
            [
                MLPLayer(n_in, n_out, activation=number > 0, **options)
                for number, (n_in, n_out) in enumerate(itertools.pairwise(width))
            ],
        )

    def blank(self, n_members: int | None) -> Self:
        return type(self)(self.width, n_members=n_members, dtype=self.like.dtype, device="meta")

    @torch.no_grad()
    def trace(self, x: Tensor) -> list[MLPTrace]:
        """Values of every layer; a member has the same bits in any ensemble and on any number of threads."""
        x = self._add_member_axis(x)
        traces: list[MLPTrace] = []
        for layer in self.layers:
            traces.append(layer.trace(x))
            x = traces[-1].output
        return traces
