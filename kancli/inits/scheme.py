"""What a scheme is: knobs as declared keys, and a law for every tensor of a layer. No torch at import."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kancli.inits.laws import Law


@dataclass(frozen=True)
class LayerSize:
    """All that a law may depend on."""

    n_in: int
    n_out: int
    grid: int
    k: int


class Scheme(ABC):
    """An initialisation scheme: a frozen dataclass whose fields are its knobs, made with `schema.key`."""

    @abstractmethod
    def laws(self, size: LayerSize) -> dict[str, Law]:
        """The law of each tensor of a layer of that size: scale_base, scale_sp, coef, and bias where there is one."""
