"""The KAN: a stack of layers. `inits` draws its parameters.

Shapes: s members, n samples, n_0 inputs, n_L outputs; `[(s,) ...]` has the member axis in an ensemble only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from kancli.kan.basis_statistics import BasisStatistics
from kancli.kan.layer import KANLayer, LayerTrace


class KAN(nn.Module):
    """A stack of `KANLayer`.

    Args:
        width: nodes per layer, `[n_0, ..., n_L]`.
        layer_options: keyword arguments of every `KANLayer`.
    """

    layers: list[KANLayer]  # an nn.ModuleList

    def __init__(self, width: Sequence[int], **layer_options: Any) -> None:
        super().__init__()
        self.width = tuple(width)
        self.layer_options = layer_options
        self.layers = nn.ModuleList(  # pyright: ignore[reportAttributeAccessIssue]
            KANLayer(n_in, n_out, **layer_options) for n_in, n_out in zip(self.width, self.width[1:])
        )

    @property
    def n_members(self) -> int | None:
        """Number of members of an ensemble; None for a single model."""
        return self.layers[0].n_members

    def forward(self, x: Tensor) -> Tensor:
        """x `[(s,) n, n_0]` to y `[(s,) n, n_L]`; with x `[n, n_0]`, all members get the same samples."""
        x = self._add_member_axis(x)
        for layer in self.layers:
            x = layer(x)
        return x

    @torch.no_grad()
    def trace(self, x: Tensor) -> list[LayerTrace]:
        """Values of every layer, as one `LayerTrace` each; the last `output` equals that of `forward` under no_grad."""
        x = self._add_member_axis(x)
        traces: list[LayerTrace] = []
        for layer in self.layers:
            traces.append(layer.trace(x))
            x = traces[-1].output
        return traces

    def member(self, which: int | slice | None) -> KAN:
        """A model that shares the parameters of some members, and their basis statistics.

        Args:
            which: an index for a single model, a slice for an ensemble, None for all members.
        """
        n_members = self.n_members
        if which is not None:
            n_members = None if isinstance(which, int) else len(range(*which.indices(self.n_members or 0)))
        chosen = ... if which is None else which
        part = KAN(self.width, **{**self.layer_options, "n_members": n_members, "device": "meta"})
        for new, layer in zip(part.layers, self.layers, strict=True):
            for name, tensor in layer.named_parameters(recurse=False):
                setattr(new, name, nn.Parameter(tensor.detach()[chosen], requires_grad=tensor.requires_grad))
            new.knots = layer.knots[chosen] if layer.per_input_knots else layer.knots
            new.mask = None if layer.mask is None else layer.mask[chosen]
            if (statistics := layer.basis_statistics) is not None:
                new.basis_statistics = BasisStatistics(statistics.mean[chosen], statistics.inverse_std[chosen])
        return part

    def ensemble_in_float64(self) -> KAN:
        """A float64 copy with its basis statistics; a single model becomes an ensemble of one."""
        double = KAN(self.width, **{**self.layer_options, "n_members": self.n_members or 1, "device": "meta"})

        def as_ensemble(tensor: Tensor) -> Tensor:
            return (tensor.unsqueeze(0) if self.n_members is None else tensor).detach()

        def convert(tensor: Tensor) -> Tensor:
            return as_ensemble(tensor).double()

        for new, layer in zip(double.layers, self.layers, strict=True):
            for name, tensor in layer.named_parameters(recurse=False):
                setattr(new, name, nn.Parameter(convert(tensor), requires_grad=False))
            new.knots = convert(layer.knots) if layer.per_input_knots else layer.knots
            new.mask = None if layer.mask is None else as_ensemble(layer.mask)
            if (statistics := layer.basis_statistics) is not None:
                new.basis_statistics = BasisStatistics(convert(statistics.mean), convert(statistics.inverse_std))
        return double

    @contextmanager
    def with_basis_statistics(self, x: Tensor, chunk: int | None = None) -> Iterator[None]:
        """Context manager: layers standardise their bases over these samples, not over the current batch.

        Args:
            x: `[(s,) n, n_0]`.
            chunk: number of samples to process at a time; None for all.
        """
        if not any(layer.standardise for layer in self.layers):
            yield
            return
        chunks = list(self._add_member_axis(x).split(chunk or x.shape[-2], dim=-2))
        try:
            with torch.no_grad():
                for layer in self.layers:
                    layer.basis_statistics = BasisStatistics.of([layer.local_basis(part) for part in chunks])
                    chunks = [layer(part) for part in chunks]
            yield
        finally:
            for layer in self.layers:
                layer.basis_statistics = None

    def _add_member_axis(self, x: Tensor) -> Tensor:
        return x if self.n_members is None or x.dim() > 2 else x.expand(self.n_members, *x.shape)
