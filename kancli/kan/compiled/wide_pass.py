"""The pass of a network with a layer of many edges, layer by layer; `wide_layers` has its kernels.

Shapes: s members, n samples, i inputs, o outputs, K basis functions; E = i o edges.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kancli.kan.compiled import memory, wide_layers
from kancli.kan.compiled.kernels import BLOCK, CHUNK
from kancli.kan.compiled.sums import TILE
from kancli.kan.compiled.tables import Layout, least_share
from kancli.kan.compiled.wide_layers import GROUP, N_NUMBERS, SLAB
from kancli.kan.layer import KANLayer
from kancli.kan.network import KAN
from kancli.kan.shares import in_threads

MIN_EDGES = 2**16  # of a layer: with G = 5 its table has 4 MB or more, which many caches of a core cannot hold
MIN_ITEMS = 8  # of a layer's outputs, for threads to share


def is_wide(model: KAN) -> bool:
    """Whether a layer has so many edges that `WidePass` takes less time than `TablePass`; by the width alone."""
    return max(layer.n_in * layer.n_out for layer in model.layers) >= MIN_EDGES


class WidePass:
    """Outputs of a model, and gradients from those by them, from the parameters as they lie.

    Args:
        x: `[1 or s, n, i]`.
        keeps_nodes: whether gradients are to follow.
    """

    def __init__(self, model: KAN, x: np.ndarray, *, keeps_nodes: bool) -> None:
        self.x, self.n_members, self.keeps_nodes = x, model.n_members or 1, keeps_nodes
        layout = Layout.of(model)
        self.layers = [_Layer.of(layer, self.n_members, layout.grid, layout.ends) for layer in model.layers]
        kept = (self.n_members, x.shape[1]) if keeps_nodes else (0, 0)
        self.nodes = [np.empty((*kept, layer.n_out), x.dtype) for layer in self.layers[:-1]]

    def outputs(self) -> np.ndarray:
        """`[s, n, o]`; keeps what gradients need."""
        n = self.x.shape[1]
        y = np.empty((self.n_members, n, self.layers[-1].n_out), self.x.dtype)
        for member in range(self.n_members):
            for begin in range(0, n, CHUNK):
                chunk = slice(begin, begin + CHUNK)
                values = self._x_of(member)[chunk]
                for number, layer in enumerate(self.layers):
                    last = number == len(self.layers) - 1
                    if last or self.keeps_nodes:
                        out = (y if last else self.nodes[number])[member, chunk]
                    else:
                        out = np.empty((len(values), layer.n_out), y.dtype)
                    layer.set_outputs(member, values, out)
                    values = out
        return y

    def gradients(self, out_grads: np.ndarray, *, wants_x: bool) -> tuple[np.ndarray, list[np.ndarray]]:
        """By x, `[s, n, i]`, or `[0, n, i]` where they are not wanted, and by each parameter, `[s, ...]`.

        Args:
            out_grads: by the outputs, `[s, n, o]`.
        """
        x_grads = np.empty((self.n_members if wants_x else 0, *self.x.shape[1:]), self.x.dtype)
        grads = [layer.empty_grads() for layer in self.layers]
        for member in range(self.n_members):
            given = out_grads[member]
            for number, layer in reversed(list(enumerate(self.layers))):
                if number > 0:
                    values = self.nodes[number - 1][member]
                    in_grads = np.empty_like(values)
                else:
                    values = self._x_of(member)
                    in_grads = x_grads[member] if wants_x else np.empty_like(values[:0])
                layer.set_gradients(member, values, given, [grad[member] for grad in grads[number]], in_grads)
                given = in_grads
        return x_grads, [grad for own in grads for grad in own if grad.shape[1] > 0]

    def _x_of(self, member: int) -> np.ndarray:
        return self.x[min(member, len(self.x) - 1)]


@dataclass(frozen=True)
class _Layer:
    """A layer's parameters as the kernels take them, without a copy where they are contiguous."""

    n_in: int
    n_out: int
    grid: tuple[int, int, int, int, int]  # as `Layout` has it
    ends: tuple[float, float]
    coef: np.ndarray  # [s, E K]
    scale_base: np.ndarray  # [s, E]
    scale_sp: np.ndarray  # [s, E]
    bias: np.ndarray  # [s, o], or [s, 0] for none
    mask: np.ndarray  # [s, E], or [s, 0] for none

    @classmethod
    def of(
        cls, layer: KANLayer, n_members: int, grid: tuple[int, int, int, int, int], ends: tuple[float, float]
    ) -> _Layer:
        tensors = (layer.coef, layer.scale_base, layer.scale_sp, layer.bias, layer.mask)
        dtypes = (*[layer.coef.dtype] * 4, torch.bool)
        rows = (_rows(tensor, n_members, dtype) for tensor, dtype in zip(tensors, dtypes, strict=True))
        return cls(layer.n_in, layer.n_out, grid, ends, *rows)

    @property
    def n_tiles(self) -> int:
        return -(-self.n_in // TILE)

    @property
    def n_slabs(self) -> int:
        return -(-self.n_out // SLAB)

    def set_outputs(self, member: int, x: np.ndarray, out: np.ndarray) -> None:
        """Set `out` `[n, o]` at x `[n, i]`."""
        n_blocks, grid, ends = -(-len(x) // BLOCK), self.grid, self.ends
        factors = memory.take((self.n_tiles, n_blocks, 1, grid[4], N_NUMBERS), x.dtype)
        first = memory.take((self.n_tiles, n_blocks, N_NUMBERS), np.int32)
        n_groups = -(-self.n_slabs // GROUP)
        n_parts = max(1, min(n_blocks // 4, MIN_ITEMS // n_groups))
        weights = (*self._weights(member), self.bias[member])

        def some_tiles(begin: int, end: int) -> None:
            wide_layers.set_factors(begin, end, grid, ends, x, factors, first)

        def some_slabs(begin: int, end: int) -> None:
            wide_layers.set_outputs(begin, end, grid, factors, first, self.n_in, *weights, n_parts, out)

        in_threads(some_tiles, self.n_tiles, self._least_share(len(x) * TILE * SLAB))
        in_threads(
            some_slabs,
            n_groups * n_parts,
            self._least_share(len(x) * self.n_in * min(self.n_out, GROUP * SLAB) // n_parts),
        )
        memory.give_back(factors)
        memory.give_back(first)

    def set_gradients(
        self, member: int, x: np.ndarray, out_grads: np.ndarray, grads: list[np.ndarray], in_grads: np.ndarray
    ) -> None:
        """Set the gradients by a member's parameters, as `empty_grads` has them, and by x, `[n, i]` or `[0, i]` where
        they are not wanted, from those by the outputs, `[n, o]`."""
        n_blocks, grid, ends = -(-len(x) // BLOCK), self.grid, self.ends
        arranged = np.zeros((self.n_slabs, n_blocks, BLOCK * SLAB), x.dtype)
        wide_layers.arrange(out_grads, arranged)
        *grads, bias_grads = grads
        if bias_grads.size > 0:
            with np.errstate(over="ignore", invalid="ignore"):  # infinite or NaN, as by tables
                bias_grads[:] = out_grads.sum(0, dtype=np.float64)
        at = (grid, ends, x, arranged, self.n_out, *self._weights(member), *grads, in_grads)
        least = self._least_share(len(x) * TILE * self.n_out)
        in_threads(lambda begin, end: wide_layers.set_gradients(begin, end, *at), self.n_tiles, least)

    def empty_grads(self) -> list[np.ndarray]:
        """By coef, scale_base, scale_sp and bias, unset."""
        return [np.empty_like(array) for array in (self.coef, self.scale_base, self.scale_sp, self.bias)]

    def _weights(self, member: int) -> tuple[np.ndarray, ...]:
        return self.coef[member], self.scale_base[member], self.scale_sp[member], self.mask[member]

    def _least_share(self, n_sums: int) -> int:
        """Number of items whose work takes about as long as to wake a thread.

        Args:
            n_sums: of an item: its edges times its samples.
        """
        return least_share(n_sums * (self.grid[1] + 2))


def _rows(tensor: Tensor | None, n_members: int, dtype: torch.dtype) -> np.ndarray:
    if tensor is None:
        tensor = torch.empty(n_members, 0, dtype=dtype)
    return tensor.detach().resolve_neg().reshape(n_members, -1).contiguous().numpy()
