"""The scheme of parameters that come from a file. Imports neither numpy nor torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kancli.inits.scheme import LayerSize, Scheme

if TYPE_CHECKING:
    from kancli.inits.laws import Law


@dataclass(frozen=True)
class FromCheckpoint(Scheme):
    """Parameters from a file, trained or not: the law that drew them is unknown, so nothing is held against it."""

    def laws(self, size: LayerSize) -> dict[str, Law]:
        return {}

    def is_finite(self, size: LayerSize) -> bool:
        return True
