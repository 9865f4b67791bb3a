"""What KANs and MLPs share: a stack of layers, alone or as the members of an ensemble.

Shapes: s members, n samples, n_0 inputs, n_L outputs; `[(s,) ...]` has the member axis in an ensemble only.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from torch import Tensor, nn
from typing_extensions import Self

from kancli.kan.basis_statistics import BasisStatistics


class Layer(nn.Module):
    """n_in nodes to n_out nodes."""

    n_in: int
    n_out: int
    n_members: int | None  # None for a single model
    basis_statistics: BasisStatistics | None = None

    @property
    def n_factors(self) -> int:
        """Numbers that a sum over the layer's inputs has for each sample."""
        return self.n_in

    def copy_constants_(self, source: Self, select: Callable[[Tensor], Tensor]) -> None:
        """Take over what is no parameter of a layer, such as knots.

        Args:
            select: of a tensor with the member axis of `source`, those of the members that are copied.
        """


class Trace(Protocol):
    """Values of one layer during a forward pass."""

    @property
    def preacts(self) -> Tensor: ...  # [(s,) n, i]

    @property
    def output(self) -> Tensor: ...  # [(s,) n, o]


class LayeredNetwork(nn.Module):
    """A stack of layers.

    Args:
        width: nodes per layer, `[n_0, ..., n_L]`.
        layers: one for each pair of neighbours.
    """

    layers: Sequence[Layer]  # an nn.ModuleList

    def __init__(self, width: Sequence[int], layers: Sequence[Layer]) -> None:
        super().__init__()
        self.width = tuple(width)
        self.layers = nn.ModuleList(layers)  # pyright: ignore[reportAttributeAccessIssue]

    @property
    def n_members(self) -> int | None:
        """Number of members of an ensemble; None for a single model."""
        return self.layers[0].n_members

    @property
    def like(self) -> Tensor:
        """A parameter, for its dtype and device."""
        return next(self.parameters())

    @abstractmethod
    def blank(self, n_members: int | None) -> Self:
        """The same network of other members, its parameters on the device meta."""

    @abstractmethod
    def trace(self, x: Tensor) -> Sequence[Trace]:
        """Values of every layer at x `[(s,) n, n_0]`."""

    def forward(self, x: Tensor) -> Tensor:
        """x `[(s,) n, n_0]` to y `[(s,) n, n_L]`; with x `[n, n_0]`, all members get the same samples."""
        x = self._add_member_axis(x)
        for layer in self.layers:
            x = layer(x)
        return x

    def member(self, which: int | slice | None) -> Self:
        """A model that shares the parameters of some members, and their basis statistics.

        Args:
            which: an index for a single model, a slice for an ensemble, None for all members.
        """
        n_members = self.n_members
        if which is not None:
            n_members = None if isinstance(which, int) else len(range(*which.indices(self.n_members or 0)))
        chosen = ... if which is None else which
        part = self.blank(n_members)
        for new, layer in zip(part.layers, self.layers, strict=True):
            for name, tensor in layer.named_parameters(recurse=False):
                setattr(new, name, nn.Parameter(tensor.detach()[chosen], requires_grad=tensor.requires_grad))
            new.copy_constants_(layer, lambda tensor: tensor[chosen])
        return part

    def with_basis_statistics(self, x: Tensor, chunk: int | None = None) -> AbstractContextManager[None]:
        """Context manager: layers that standardise over samples do so over these, not over the current batch.

        Args:
            x: `[(s,) n, n_0]`.
            chunk: number of samples to process at a time; None for all.
        """
        return nullcontext()

    def _add_member_axis(self, x: Tensor) -> Tensor:
        return x if self.n_members is None or x.dim() > 2 else x.expand(self.n_members, *x.shape)
