"""The KAN: a stack of layers. `inits` draws its parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from kancli.kan.layer import BasisStatistics, KANLayer, LayerTrace


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
            mine.knots = theirs.knots[chosen] if theirs.per_input_knots else theirs.knots
            if (standard := theirs.basis_statistics) is not None:
                mine.basis_statistics = BasisStatistics(standard.mean[chosen], standard.inverse_std[chosen])
        return part

    def ensemble_in_float64(self) -> KAN:
        """A copy in float64, with the member axis in any case; what the bases are standardised by stays with it."""
        copy = KAN(self.width, **{**self.layer_options, "n_members": self.n_members or 1, "device": "meta"})

        def exact(tensor: Tensor) -> Tensor:
            return (tensor.unsqueeze(0) if self.n_members is None else tensor).detach().double()

        for mine, theirs in zip(copy.layers, self.layers, strict=True):
            for name, tensor in theirs.named_parameters():
                setattr(mine, name, nn.Parameter(exact(tensor), requires_grad=False))
            mine.knots = exact(theirs.knots) if theirs.per_input_knots else theirs.knots
            if (standard := theirs.basis_statistics) is not None:
                mine.basis_statistics = BasisStatistics(exact(standard.mean), exact(standard.inverse_std))
        return copy

    @contextmanager
    def with_basis_statistics(self, x: Tensor, chunk: int | None = None) -> Iterator[None]:
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
                    layer.basis_statistics = BasisStatistics.of([layer.local_basis(each) for each in chunks])
                    chunks = [layer(each) for each in chunks]
            yield
        finally:
            for layer in self.layers:
                layer.basis_statistics = None

    def _for_members(self, x: Tensor) -> Tensor:
        return x if self.n_members is None or x.dim() > 2 else x.expand(self.n_members, *x.shape)
