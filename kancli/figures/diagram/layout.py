"""Where everything of a network diagram goes, in inches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

Array = np.ndarray

PER_ROW = 16
MAX_DOTS = 64  # nodes of a layer drawn one by one; beyond, they are a bar
PER_COLUMN = 8  # layers above one another
MARGIN = 0.45
GUTTER = 2.7  # at the right, for maps of scores
MAP = 1.45  # the side of such a map
BETWEEN_GROUPS = 0.3


@dataclass(frozen=True)
class Plan:
    """The diagram of a network.

    Layers stand above one another, of a deep network in several columns. The frames of a layer stand in order from left
    to right; beyond `per_row` of them they take turns in several rows. A layer of which only some edges are shown has
    its frames in groups, and a map of all scores in the gutter.

    Args:
        widths: nodes per layer.
        n_shown: edges shown per layer.
        chosen: per layer, whether these are some of many.
        n_groups: in how many groups they stand then.
        below, above: what is left free at the foot and the head, for names and the legend.
        least_frame: the side of a frame, if there is room.
        per_row: frames side by side.
    """

    widths: Sequence[int]
    n_shown: Sequence[int]
    chosen: Sequence[bool]
    n_groups: int
    below: float
    above: float
    least_frame: float = 0.0
    per_row: int = PER_ROW

    @cached_property
    def part(self) -> float:
        """The width of a column, but for its gutter."""
        least = 8.6 if any(self.chosen) else 5.0
        pitch = max(0.8, self.least_frame / self._fill)
        dots = max(n if n <= MAX_DOTS else 0 for n in self.widths)
        most = max(*(min(edges, self.per_row) * pitch for edges in self.n_shown), min(dots, 8) * pitch)
        return float(np.clip(most, least, 9 if self.least_frame == 0 else 40))

    @property
    def column(self) -> float:
        return self.part + GUTTER * any(self.chosen)

    @property
    def n_columns(self) -> int:
        return -(-len(self.n_shown) // PER_COLUMN)

    @property
    def per_column(self) -> int:
        return -(-len(self.n_shown) // self.n_columns)

    @property
    def width(self) -> float:
        return self.column * self.n_columns

    @cached_property
    def height(self) -> float:
        return max(self.top(layer) for layer in range(len(self.n_shown))) + 0.22 + self.above

    def rows(self, layer: int) -> int:
        """How many rows the frames of a layer stand in."""
        return 1 if self.chosen[layer] else -(-self.n_shown[layer] // self.per_row)

    def frame(self, layer: int) -> float:
        """The side of a frame."""
        room = self.part - 2 * MARGIN - BETWEEN_GROUPS * (self.n_groups - 1) * self.chosen[layer]
        return min(self._fill * room * self.rows(layer) / self.n_shown[layer], max(0.85, self.least_frame))

    @property
    def _fill(self) -> float:
        """How much of the room in a row its frames take; less where something is written between them."""
        return 0.58 if self.least_frame else 0.8

    def dot(self, layer: int) -> float:
        """The diameter of a node."""
        return min(0.16, 0.5 * (self.part - 2 * MARGIN) / self.widths[layer])

    def bottom(self, layer: int) -> float:
        """The height of the nodes below a layer's edges."""
        return self.below + 0.15 + sum(self._pitch(each) for each in range(self._first(layer), layer))

    def top(self, layer: int) -> float:
        """The height of the nodes above a layer's edges."""
        return self.bottom(layer) + self._pitch(layer)

    def left(self, layer: int) -> float:
        """Where the column of a layer's edges begins."""
        return self.column * (layer // self.per_column)

    def nodes(self, layer: int, number: int) -> Array:
        """The places `[n]` of the nodes of layer `number` in the column of the edges of layer `layer`."""
        return self._spread(layer, self.widths[number])

    def frames(self, layer: int) -> tuple[Array, Array]:
        """The middles of a layer's frames: x and y, `[e]` each."""
        count, side = self.n_shown[layer], self.frame(layer)
        turn = np.arange(count) % self.rows(layer)
        y = self.bottom(layer) + self._gap + (1.15 * turn + 0.5) * side
        if not self.chosen[layer]:
            return self._spread(layer, count), y
        per_group = count // self.n_groups
        pitch = (self.part - 2 * MARGIN - BETWEEN_GROUPS * (self.n_groups - 1)) / count
        shift = BETWEEN_GROUPS * (np.arange(count) // per_group)
        return self.left(layer) + MARGIN + pitch * (np.arange(count) + 0.5) + shift, y

    def map_box(self, layer: int) -> tuple[float, float, float, float]:
        """Left, bottom, right and top of the map of a layer's scores."""
        left = self.left(layer) + self.part + 0.35
        bottom = (self.bottom(layer) + self.top(layer)) / 2 - MAP / 2
        return left, bottom, left + MAP, bottom + MAP

    def _first(self, layer: int) -> int:
        """The lowest layer of the same column."""
        return layer - layer % self.per_column

    def _pitch(self, layer: int) -> float:
        """From the nodes below to those above."""
        band = (1.15 * self.rows(layer) - 0.15) * self.frame(layer)
        return max(2 * self._gap + band, (MAP + 0.85) * self.chosen[layer])

    @property
    def _gap(self) -> float:
        """From a row of nodes to the frames."""
        return 0.55 + 0.035 * self.part

    def _spread(self, layer: int, count: int) -> Array:
        return self.left(layer) + MARGIN + (self.part - 2 * MARGIN) * (np.arange(count) + 0.5) / count
