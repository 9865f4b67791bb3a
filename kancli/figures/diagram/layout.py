"""Positions in a network diagram, in inches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

Array = np.ndarray

FRAMES_PER_ROW = 16
FRAME_PITCH = 0.8
MAX_DOTS = 64  # a layer with more nodes is drawn as a bar
LAYERS_PER_COLUMN = 8
MARGIN = 0.45
GUTTER = 2.7  # at the right of a column, for maps of scores
MAP_SIDE = 1.45
GROUP_GAP = 0.3
TICK_HEIGHT = 0.13  # of the tick labels under a frame
TICK_WIDTH = 0.58  # of those at its left, relative to its side
EDGE_LABEL_HEIGHT, HEADING_HEIGHT = 0.15, 0.37  # over the frames of a layer that shows a subset: one, and both together


@dataclass(frozen=True)
class Layout:
    """The positions of nodes, frames and score maps.

    Layers stand above one another, those of a deep network in several columns. The frames of a layer stand in order
    from left to right; beyond `FRAMES_PER_ROW` they alternate between rows, in columns with lanes for links at their
    right. A layer that shows a subset of its edges has its frames in groups, and a map of all scores in the gutter.

    Args:
        widths: nodes per layer.
        n_shown: edges shown per layer.
        is_subset: per layer, whether it has more edges than it shows.
        n_groups: number of groups of such a layer.
        foot, head: height left free for names and the legend.
        min_frame: minimum side of a frame, if there is room; of frames with tick labels. 0 without tick labels.
        frame_pitch: width of a frame and the gap beside it, if there is room.
    """

    widths: Sequence[int]
    n_shown: Sequence[int]
    is_subset: Sequence[bool]
    n_groups: int
    foot: float
    head: float
    min_frame: float = 0.0
    frame_pitch: float = FRAME_PITCH

    @cached_property
    def body_width(self) -> float:
        """The width of a column without its gutter."""
        min_width = 8.6 if any(self.is_subset) else 5.0
        pitch = max(self.frame_pitch, self.min_frame / min(map(self._fill, range(len(self.n_shown)))))
        n_dots = max(n if n <= MAX_DOTS else 0 for n in self.widths)
        width = max(*(min(edges, FRAMES_PER_ROW) * pitch for edges in self.n_shown), min(n_dots, 8) * pitch)
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
        return 1 if self.is_subset[layer] else -(-self.n_shown[layer] // FRAMES_PER_ROW)

    def frame_side(self, layer: int) -> float:
        """The side of a frame."""
        return min(self._fill(layer) * self._column_pitch(layer), max(0.85, self.min_frame))

    def _column_pitch(self, layer: int) -> float:
        """The distance between the columns of frames."""
        room = self.body_width - 2 * MARGIN - GROUP_GAP * (self.n_groups - 1) * self.is_subset[layer]
        return room / self._n_frame_columns(layer)

    def _n_frame_columns(self, layer: int) -> int:
        return -(-self.n_shown[layer] // self.n_rows(layer))

    def _fill(self, layer: int) -> float:
        """The share of a row that its frames fill; lower where tick labels or links stand between them."""
        has_lanes = self.n_rows(layer) > 1
        if self.min_frame:
            return 0.5 if has_lanes else 0.58
        return 0.65 if has_lanes else 0.8

    @property
    def tick_height(self) -> float:
        """The height of the tick labels under each frame."""
        return TICK_HEIGHT if self.min_frame else 0.0

    def edge_label_height(self, layer: int) -> float:
        """The height of the label over each frame."""
        return EDGE_LABEL_HEIGHT * self.is_subset[layer]

    def heading_height(self, layer: int) -> float:
        """The height of the labels and headings over the frames."""
        return HEADING_HEIGHT * self.is_subset[layer]

    def row_gap(self, layer: int) -> float:
        """The height between two rows of frames, in which links turn from their lanes to their frames."""
        return 0.4 * self.frame_side(layer) + self.tick_height

    def node_diameter(self, layer: int) -> float:
        return min(0.16, 0.5 * (self.body_width - 2 * MARGIN) / self.widths[layer])

    def node_rim(self, node_layer: int) -> float:
        """The height of a layer's nodes above their centre, where links end; of dots they may reach the centre."""
        return 0.09 if self.widths[node_layer] > MAX_DOTS else 0.0

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

    def frame_rows(self, layer: int) -> Array:
        """The row of each frame, `[e]`, from 0 at the bottom."""
        return np.arange(self.n_shown[layer]) % self.n_rows(layer)

    def frame_centres(self, layer: int) -> tuple[Array, Array]:
        """The centres of a layer's frames: x and y, `[e]` each."""
        count, side, pitch = self.n_shown[layer], self.frame_side(layer), self._column_pitch(layer)
        y = self._floor(layer) + side / 2 + (side + self.row_gap(layer)) * self.frame_rows(layer)
        x = self.left(layer) + MARGIN + pitch * (np.arange(count) // self.n_rows(layer) + 0.5)
        if self.is_subset[layer]:
            x += GROUP_GAP * (np.arange(count) // (count // self.n_groups))
        if self.n_rows(layer) > 1:
            x -= (pitch - side) / 2 - TICK_WIDTH * side * (self.min_frame > 0)  # the lanes are at the right
        return x, y

    def lane_x(self, layer: int) -> Array:
        """The x positions `[e]` of the lanes in which links pass the other rows."""
        side, n_rows = self.frame_side(layer), self.n_rows(layer)
        space = self._column_pitch(layer) - side * (1 + TICK_WIDTH * (self.min_frame > 0))
        return self.frame_centres(layer)[0] + side / 2 + space * (self.frame_rows(layer) + 1) / (n_rows + 1)

    def ceiling(self, layer: int) -> float:
        """The height above all frames, labels and headings of a layer."""
        return self._floor(layer) + self._band(layer)

    def _floor(self, layer: int) -> float:
        """The foot of the lowest frames."""
        return self.bottom(layer) + self._gap + self.tick_height

    def _band(self, layer: int) -> float:
        """The height of all rows of frames, with their headings."""
        n_rows = self.n_rows(layer)
        rows = n_rows * self.frame_side(layer) + (n_rows - 1) * self.row_gap(layer)
        return rows + self.heading_height(layer)

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
        return max(2 * self._gap + self.tick_height + self._band(layer), (MAP_SIDE + 0.85) * self.is_subset[layer])

    @property
    def _gap(self) -> float:
        """The distance between a row of nodes and the frames."""
        return 0.55 + 0.035 * self.body_width

    def _spread(self, layer: int, count: int) -> Array:
        return self.left(layer) + MARGIN + (self.body_width - 2 * MARGIN) * (np.arange(count) + 0.5) / count
