"""The KAN: a stack of layers. `inits` draws its parameters.

Shapes: s members, n samples, n_0 inputs, n_L outputs; `[(s,) ...]` has the member axis in an ensemble only.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from kancli.kan.basis_statistics import BasisStatistics
from kancli.kan.layer import KANLayer, LayerTrace
from kancli.kan.layered import LayeredNetwork


def as_kan(model: LayeredNetwork) -> KAN:
    """The model, of whose splines use is made.

    Raises:
        TypeError: it is an MLP.
    """
    if not isinstance(model, KAN):
        raise TypeError("an MLP has no grid and no splines")
    return model


class KAN(LayeredNetwork):
    """A stack of `KANLayer`.

    Args:
        width: nodes per layer, `[n_0, ..., n_L]`.
        layer_options: keyword arguments of every `KANLayer`.
    """

    layers: list[KANLayer]  # an nn.ModuleList

    def __init__(self, width: Sequence[int], **layer_options: Any) -> None:
        super().__init__(width, [KANLayer(n_in, n_out, **layer_options) for n_in, n_out in itertools.pairwise(width)])
        self.layer_options = layer_options

    def blank(self, n_members: int | None) -> KAN:
        return KAN(self.width, **{**self.layer_options, "n_members": n_members, "device": "meta"})

    @torch.no_grad()
    def trace(self, x: Tensor) -> list[LayerTrace]:
        """Values of every layer, as one `LayerTrace` each; the last `output` equals that of `forward` under no_grad."""
        x = self._add_member_axis(x)
        traces: list[LayerTrace] = []
        for layer in self.layers:
            traces.append(layer.trace(x))
            x = traces[-1].output
        return traces

    def ensemble_in_float64(self) -> KAN:
        """A float64 copy with its basis statistics; a single model becomes an ensemble of one."""
        ensemble = self.blank(self.n_members or 1)

        def as_ensemble(tensor: Tensor) -> Tensor:
            return (tensor.unsqueeze(0) if self.n_members is None else tensor).detach()

        for new, layer in zip(ensemble.layers, self.layers, strict=True):
            for name, tensor in layer.named_parameters(recurse=False):
                setattr(new, name, nn.Parameter(as_ensemble(tensor), requires_grad=False))
            new.copy_constants_(layer, as_ensemble)
        return ensemble.double()

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
