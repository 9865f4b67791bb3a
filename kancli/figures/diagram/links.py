"""The paths of links between nodes and frames.

No path crosses a frame, a tick label or a heading, and no two share a stretch. Where the frames of a layer stand in
several rows, a link passes the other rows in a lane of its own at the right of its frame's column.
"""

from __future__ import annotations

import numpy as np

from kancli.figures.diagram.curves import Array, Curves
from kancli.figures.diagram.layout import Layout


def link_paths(layout: Layout, layer: int, curves: Curves) -> tuple[list[Array], list[Array]]:
    """Polylines, `[points, 2]` each, by edge: from its input node to its frame, and from there to its output node."""
    return _lower_paths(layout, layer, curves), _upper_paths(layout, layer, curves)


def _lower_paths(layout: Layout, layer: int, curves: Curves) -> list[Array]:
    left, right, bottom, _ = layout.frame_edges(layer)
    middle, row = (left + right) / 2, layout.frame_rows(layer)
    floor = bottom - layout.tick_height
    lane = np.where(row > 0, layout.lane_x(layer), middle)
    below = np.where(row > 0, bottom - layout.row_gap(layer), floor)  # the top of the frame below
    source = layout.node_x(layer, layer)[curves.sources]
    start = layout.bottom(layer) + layout.node_rim(layer)
    return _polylines((source, start), (lane, floor.min()), (lane, below), (middle, floor), (middle, bottom))


def _upper_paths(layout: Layout, layer: int, curves: Curves) -> list[Array]:
    left, right, _, top = layout.frame_edges(layer)
    middle, row, last_row = (left + right) / 2, layout.frame_rows(layer), layout.n_rows(layer) - 1
    ceiling = top + layout.heading_height(layer)
    lane = np.where(row < last_row, layout.lane_x(layer), middle)
    above = np.where(row < last_row, top + layout.row_gap(layer) - layout.tick_height, ceiling)
    target = layout.node_x(layer, layer + 1)[curves.targets]
    end = layout.top(layer) - layout.node_rim(layer + 1)
    start = top + layout.edge_label_height(layer)
    return _polylines((middle, start), (middle, ceiling), (lane, above), (lane, layout.ceiling(layer)), (target, end))


def _polylines(*points: tuple[Array, Array | float]) -> list[Array]:
    """Join points, x and y `[e]` each, to a line for each edge; without points that repeat the one before."""
    paths = np.stack([np.stack(np.broadcast_arrays(x, y), -1) for x, y in points], axis=1)
    is_new = np.ones(paths.shape[:2], dtype=bool)
    is_new[:, 1:] = np.abs(np.diff(paths, axis=1)).max(-1) > 1e-9
    return [path[keep] for path, keep in zip(paths, is_new, strict=True)]
