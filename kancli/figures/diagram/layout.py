"""Positions in a network diagram, in inches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

Array = np.ndarray

FRAMES_PER_ROW = 16
MAX_DOTS = 64  # a layer with more nodes is drawn as a bar
LAYERS_PER_COLUMN = 8
MARGIN = 0.45
GUTTER = 2.7  # at the right of a column, for maps of scores
MAP_SIDE = 1.45
GROUP_GAP = 0.3


@dataclass(frozen=True)
class Layout:
    """The positions of nodes, frames and score maps.

    Layers stand above one another, those of a deep network in several columns. The frames of a layer stand in order
    from left to right; beyond `frames_per_row` they alternate between rows. A layer that shows a subset of its edges
    has its frames in groups, and a map of all scores in the gutter.

    Args:
        widths: nodes per layer.
        n_shown: edges shown per layer.
        is_subset: per layer, whether it has more edges than it shows.
        n_groups: number of groups of such a layer.
        foot, head: height left free for names and the legend.
        min_frame: minimum side of a frame, if there is room.
        frames_per_row: frames side by side.
    """

    widths: Sequence[int]
    n_shown: Sequence[int]
    is_subset: Sequence[bool]
    n_groups: int
    foot: float
    head: float
    min_frame: float = 0.0
    frames_per_row: int = FRAMES_PER_ROW

    @cached_property
    def body_width(self) -> float:
        """The width of a column without its gutter."""
        min_width = 8.6 if any(self.is_subset) else 5.0
        pitch = max(0.8, self.min_frame / self._fill)
        n_dots = max(n if n <= MAX_DOTS else 0 for n in self.widths)
        width = max(*(min(edges, self.frames_per_row) * pitch for edges in self.n_shown), min(n_dots, 8) * pitch)
        return float(np.clip(width, min_width, 9 if self.min_frame == 0 else 40))

    @property
    def column_width(self) -> float:
        return self.body_width + GUTTER * any(self.is_subset)

    @property
    def n_columns(self) -> int:
        return -(-len(self.n_shown) // LAYERS_PER_COLUMN)

    @property
    def layers_per_column(self) -> int:
        return -(-len(self.n_shown) // self.n_columns)

    @property
    def width(self) -> float:
        return self.column_width * self.n_columns

    @cached_property
    def height(self) -> float:
        return max(self.top(layer) for layer in range(len(self.n_shown))) + 0.22 + self.head

    def n_rows(self, layer: int) -> int:
        """The number of rows of frames."""
        return 1 if self.is_subset[layer] else -(-self.n_shown[layer] // self.frames_per_row)

    def frame_side(self, layer: int) -> float:
        """The side of a frame."""
        room = self.body_width - 2 * MARGIN - GROUP_GAP * (self.n_groups - 1) * self.is_subset[layer]
        return min(self._fill * room * self.n_rows(layer) / self.n_shown[layer], max(0.85, self.min_frame))

    @property
    def _fill(self) -> float:
        """The share of a row that its frames fill; lower where tick labels stand between them."""
        return 0.58 if self.min_frame else 0.8

    def node_diameter(self, layer: int) -> float:
        return min(0.16, 0.5 * (self.body_width - 2 * MARGIN) / self.widths[layer])

    def bottom(self, layer: int) -> float:
        """The height of the input nodes of a layer."""
        return self.foot + 0.15 + sum(self._pitch(below) for below in range(self._first_in_column(layer), layer))

    def top(self, layer: int) -> float:
        """The height of the output nodes of a layer."""
        return self.bottom(layer) + self._pitch(layer)

    def left(self, layer: int) -> float:
        """The left edge of the column that holds a layer."""
        return self.column_width * (layer // self.layers_per_column)

    def node_x(self, layer: int, node_layer: int) -> Array:
        """The x positions `[n]` of the nodes of `node_layer`, in the column that holds the edges of `layer`."""
        return self._spread(layer, self.widths[node_layer])

    def frame_centres(self, layer: int) -> tuple[Array, Array]:
        """The centres of a layer's frames: x and y, `[e]` each."""
        count, side = self.n_shown[layer], self.frame_side(layer)
        row = np.arange(count) % self.n_rows(layer)
        y = self.bottom(layer) + self._gap + (1.15 * row + 0.5) * side
        if not self.is_subset[layer]:
            return self._spread(layer, count), y
        per_group = count // self.n_groups
        pitch = (self.body_width - 2 * MARGIN - GROUP_GAP * (self.n_groups - 1)) / count
        shift = GROUP_GAP * (np.arange(count) // per_group)
        return self.left(layer) + MARGIN + pitch * (np.arange(count) + 0.5) + shift, y

    def frame_edges(self, layer: int) -> tuple[Array, Array, Array, Array]:
        """Left, right, bottom and top of a layer's frames, `[e]` each."""
        side = self.frame_side(layer)
        x, y = self.frame_centres(layer)
        return x - side / 2, x + side / 2, y - side / 2, y + side / 2

    def map_box(self, layer: int) -> tuple[float, float, float, float]:
        """Left, bottom, right and top of the map of a layer's scores."""
        left = self.left(layer) + self.body_width + 0.35
        bottom = (self.bottom(layer) + self.top(layer)) / 2 - MAP_SIDE / 2
        return left, bottom, left + MAP_SIDE, bottom + MAP_SIDE

    def _first_in_column(self, layer: int) -> int:
        return layer - layer % self.layers_per_column

    def _pitch(self, layer: int) -> float:
        """The distance between the input and output nodes of a layer."""
        band = (1.15 * self.n_rows(layer) - 0.15) * self.frame_side(layer)
        return max(2 * self._gap + band, (MAP_SIDE + 0.85) * self.is_subset[layer])

    @property
    def _gap(self) -> float:
        """The distance between a row of nodes and the frames."""
        return 0.55 + 0.035 * self.body_width

    def _spread(self, layer: int, count: int) -> Array:
        return self.left(layer) + MARGIN + (self.body_width - 2 * MARGIN) * (np.arange(count) + 0.5) / count
