"""Base class of the schemes: knobs as declared keys, and a law for every tensor of a layer. Imports no torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from kancli.schema import Choice

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor
    from typing_extensions import Self

    from kancli.inits.laws import Law


STREAM = Choice(("kancli", "source"))
STREAM_HELP = "source: the numbers that the library draws for the seed; kancli: private streams"


@dataclass(frozen=True)
class LayerSize:
    """The properties of a layer that its laws may depend on."""

    n_in: int
    n_out: int
    grid: int
    k: int
    grid_range: tuple[float, float] = (-1.0, 1.0)
    base_fun: str | Callable[[Tensor], Tensor] = "silu"

    @property
    def n_basis(self) -> int:
        return self.grid + self.k


class LawError(ValueError):
    """A scheme has no law for a layer; the message says why, in one line."""


class Scheme(ABC):
    """An initialisation scheme: a frozen dataclass whose fields are its knobs, declared with `schema.key`.

    `kan-run explain` prints the docstring of a scheme: formula, source, remarks.
    """

    has_bias: ClassVar[bool] = False  # each node has a trainable bias
    standardises: ClassVar[bool] = False  # each basis is standardised over the batch
    fits_knots: ClassVar[bool] = False  # coefficients are fitted to values at all knots, by a matrix of their square

    @property
    def has_mask(self) -> bool:
        """Whether `mask` switches edges off."""
        return False

    def mask(self, size: LayerSize) -> Sequence[Sequence[bool]] | None:
        """The edges `[n_in][n_out]` that are on, now and in training; None without a mask."""
        return None

    @property
    def revision(self) -> int:
        """Part of a run's identity if not 0: to be increased where the same knobs give other numbers than before."""
        return 0

    def remarks(self, size: LayerSize) -> list[str]:
        """Lines for `kan-run explain` on numbers that the laws of a layer use and no knob shows."""
        return []

    @abstractmethod
    def laws(self, size: LayerSize) -> dict[str, Law]:
        """The law of each tensor of a layer: scale_base, scale_sp, coef, and bias if `has_bias`.

        Raises:
            LawError: a layer of that size has none.
        """

    def with_defaults_for(self, grid_range: tuple[float, float]) -> Self:
        """The scheme with the knobs filled in whose default depends on the grid range."""
        return self

    def is_finite(self, size: LayerSize) -> bool:
        """Whether the laws of a layer are known to be finite unless a knob is huge. Loads neither numpy nor torch."""
        return False

    def tensor_shapes(self, size: LayerSize) -> dict[str, tuple[int, ...]]:
        """Shape of each tensor of a layer of that size, in the order scale_base, scale_sp, coef, bias."""
        edges = (size.n_in, size.n_out)
        shapes: dict[str, tuple[int, ...]] = {"scale_base": edges, "scale_sp": edges, "coef": (*edges, size.n_basis)}
        return {**shapes, "bias": (size.n_out,)} if self.has_bias else shapes

    def source_draws(self, sizes: Sequence[LayerSize], seed: int) -> list[dict[str, np.ndarray]] | None:
        """The numbers that the source library draws for that seed, as one dict of arrays for each layer.

        Returns:
            None to sample the laws instead.
        """
        return None
