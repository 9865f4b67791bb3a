"""The pass of a network whose parameters are folded into tables first, which all blocks of samples read.

Shapes: s members, n samples, i inputs, o outputs, P parameters of a member, Q numbers of its tables.
"""

from __future__ import annotations

import weakref

import numpy as np
import torch

from kancli.kan.compiled import memory, passes
from kancli.kan.compiled.kernels import BLOCK, CHUNK
from kancli.kan.compiled.tables import Layout, fold_members, join_members
from kancli.kan.network import KAN
from kancli.kan.shares import in_threads
from kancli.kan.threads import copying

NAMES = ("coef", "scale_base", "scale_sp", "bias")  # of a layer's parameters, in the order of a row
MAX_PARTS = 16  # of a member's samples: the tables of all parts are held at once


class TablePass:
    """A model's parameters and samples as the kernels take them.

    Its arrays' memory is reused once it is freed, so every thread at work holds a reference to it.

    Args:
        x: `[1 or s, n, i]`.
        keeps_nodes: whether gradients are to follow.
    """

    def __init__(self, model: KAN, x: np.ndarray, *, keeps_nodes: bool) -> None:
        n_members = model.n_members or 1
        self.x = x
        tensors = [getattr(layer, name) for layer in model.layers for name in NAMES]
        rows = [tensor.detach().reshape(n_members, -1) for tensor in tensors if tensor is not None]
        self.ends = np.cumsum([row.shape[1] for row in rows])  # of the parameters in a member's row
        self.values = memory.take((n_members, int(self.ends[-1])), x.dtype)  # [s, P]
        with copying():
            torch.cat(rows, 1, out=torch.from_numpy(self.values))
        masks = [layer.mask.reshape(n_members, -1) for layer in model.layers if layer.mask is not None]
        self.mask = (torch.cat(masks, 1) if masks else torch.zeros(n_members, 0, dtype=torch.bool)).numpy()
        self.layout = layout = Layout.of(model)
        self.where = (layout.layers, layout.grid, layout.ends, x)
        self.tables = memory.take((n_members, layout.table_size), x.dtype)
        fold_members(layout, self.values, self.mask, self.tables)
        self.n_blocks = -(-x.shape[1] // BLOCK)
        kept = n_members * self.n_blocks if keeps_nodes else 0
        self.nodes = memory.take((kept, BLOCK * int(layout.layers[:-2, 2].sum())), x.dtype)
        weakref.finalize(self, _give_back, self.values, self.tables, self.nodes)

    def outputs(self) -> np.ndarray:
        """`[s, n, o]`; keeps what gradients need."""
        y = np.empty((len(self.values), self.x.shape[1], self.layout.layers[-1, 0]), self.x.dtype)

        def some_blocks(first: int, last: int) -> None:
            passes.set_outputs(first, last, *self.where, self.tables, self.nodes, y)

        in_threads(some_blocks, len(self.values) * self.n_blocks, self.layout.least_share(BLOCK))
        return y

    def gradients(self, out_grads: np.ndarray, *, wants_x: bool) -> tuple[np.ndarray, list[np.ndarray]]:
        """By x, `[s, n, i]`, or `[0, n, i]` where they are not wanted, and by each parameter, `[s, ...]`.

        Args:
            out_grads: by the outputs, `[s, n, o]`.
        """
        n_members, (_, n, n_in) = len(self.values), self.x.shape
        # A fixed division, so that the bits do not depend on threads.
        blocks = max(CHUNK // BLOCK, -(-self.n_blocks // MAX_PARTS))
        n_parts = max(1, -(-self.n_blocks // blocks))
        parts = memory.take((n_members, n_parts, self.layout.table_size), self.x.dtype)
        x_grads = np.empty((n_members if wants_x else 0, n, n_in), self.x.dtype)
        grads = np.empty_like(self.values)

        def some_parts(first: int, last: int) -> None:
            where = (*self.where, self.tables, self.nodes)
            passes.set_gradients(first, last, blocks, *where, out_grads, parts, x_grads)

        in_threads(some_parts, n_members * n_parts, self.layout.least_share(BLOCK * blocks))
        join_members(self.layout, self.values, self.mask, parts, grads)
        memory.give_back(parts)
        return x_grads, np.split(grads, self.ends[:-1], 1)


def _give_back(*arrays: np.ndarray) -> None:
    for array in arrays:
        memory.give_back(array)
