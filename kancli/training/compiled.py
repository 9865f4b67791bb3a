"""Objectives computed by numba kernels: the same numbers as `objectives`, to rounding, many times faster.

Shapes: s members, n samples, P parameters of a member.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kancli.kan.compiled.kernels import BLOCK, CHUNK
from kancli.kan.compiled.tables import fold_members, join_members
from kancli.kan.jets import needed
from kancli.kan.shares import in_threads
from kancli.tasks.task import Differential
from kancli.training import equation_kernel as equation
from kancli.training import regression_kernel as kernel
from kancli.training.compiled_evaluation import squared_errors_by_tables
from kancli.training.member_tables import MemberTables
from kancli.training.objectives import DifferentialObjective, Evaluation, RegressionObjective
from kancli.training.parameters import ParameterRows


class CompiledRegression(RegressionObjective):
    """`RegressionObjective` by the kernels of `regression_kernel`."""

    kernel = "numba"

    def __init__(self, rows: ParameterRows, members: Sequence[int], *args: Any, **options: Any) -> None:
        super().__init__(rows, members, *args, **options)
        self.tables = MemberTables(rows)

    def loss(self, step: int) -> Tensor:
        return squared_errors_by_tables(self.tables, self.samples) / self.samples.y.numel()

    def evaluate(self, step: int) -> Evaluation:
        x, y = (tensor.unsqueeze(0) if tensor.dim() < 3 else tensor for tensor in self.batch_of(step))
        x, y = x.contiguous().numpy(), y.contiguous().numpy()
        tables, n_members = self.tables, len(self.members)
        values = tables.values()
        losses, grads = np.zeros(n_members), np.empty_like(values)
        layout = tables.layout
        where = (layout.layers, layout.grid, layout.ends)

        def some_members(first: int, last: int) -> None:
            kernel.member_gradients(first, last, *where, x, y, values, tables.mask, losses, grads)

        n_chunks = -(-x.shape[1] // CHUNK)
        if n_members >= torch.get_num_threads() or n_chunks == 1:
            in_threads(some_members, n_members, layout.least_share(x.shape[1]))
        else:
            for member in range(n_members):
                own_x, own_y = x[min(member, len(x) - 1)], y[min(member, len(y) - 1)]
                losses[member] = self._by_chunks(member, own_x, own_y, values[member], grads[member])
        loss = torch.from_numpy(losses).to(self.rows.values.dtype)
        return Evaluation(loss, loss, tables.trained(grads), None)

    def _by_chunks(self, member: int, x: Any, y: Any, values: Any, grads: Any) -> float:
        """The loss of one member, whose chunks the threads share; sets its gradients `[P]`."""
        layout, mask = self.tables.layout, self.tables.mask[member]
        table = np.empty(layout.table_size, values.dtype)
        kernel.fold(layout.layers, layout.grid, values, mask, table)
        n_chunks = -(-len(x) // CHUNK)
        losses, parts = np.zeros(n_chunks), np.empty((n_chunks, len(table)), values.dtype)

        def some_chunks(first: int, last: int) -> None:
            kernel.chunk_parts(first, last, layout.layers, layout.grid, layout.ends, x, y, table, losses, parts)

        in_threads(some_chunks, n_chunks, layout.least_share(CHUNK))
        return kernel.join_parts(layout.layers, layout.grid, values, mask, y.size, losses, parts, grads)


class CompiledDifferential(DifferentialObjective):
    """`DifferentialObjective` by the kernels of `equation_kernel`, and of `regression_kernel` at the boundary.

    The residual itself, a function of the network's output and its derivatives, is torch's.
    """

    kernel = "numba"

    def __init__(self, rows: ParameterRows, members: Sequence[int], data: Differential) -> None:
        super().__init__(rows, members, data)
        self.tables = MemberTables(rows, narrow=False)
        layout, like = self.tables.layout, rows.values.numpy()
        self.derivatives = needed(data.derivatives)
        index = {derivative: number for number, derivative in enumerate(self.derivatives)}
        self.components = np.array(
            [
                (len(d), d[0] if len(d) == 1 else 0, *((index[(axis,)] for axis in d) if len(d) == 2 else (0, 0)))
                for d in self.derivatives
            ],
            dtype=np.int64,
        )
        self.n_chunks = -(-len(self.x) // CHUNK)
        n_items, n_jet = len(members) * self.n_chunks, len(self.components)
        n_blocks = -(-min(CHUNK, len(self.x)) // BLOCK)
        n_numbers = int(layout.layers[:-1, 2].sum()) * BLOCK
        self.nodes = np.zeros((n_items, n_blocks, n_jet, n_numbers), like.dtype)
        self.member_tables = np.zeros((len(members), layout.table_size), like.dtype)
        self.parts = np.zeros((n_items, layout.table_size), like.dtype)

    def evaluate(self, step: int) -> Evaluation:
        tables, n_members, x = self.tables, len(self.members), self.x.contiguous().numpy()
        layout, values = tables.layout, tables.values()
        where = (layout.layers, layout.grid, layout.ends, self.components, x, self.member_tables, self.nodes)
        outputs = np.empty((n_members, len(self.components), len(x)), values.dtype)
        fold_members(layout, values, tables.mask, self.member_tables)
        in_threads(lambda a, b: equation.forward_items(a, b, *where, outputs), len(self.parts))
        residual_loss, output_grads, weights = self._residual_loss(torch.from_numpy(outputs))
        in_threads(lambda a, b: equation.backward_items(a, b, *where, output_grads, self.parts), len(self.parts))
        grads, boundary_grads, losses = np.empty_like(values), np.empty_like(values), np.zeros(n_members)
        parts = self.parts.reshape(n_members, self.n_chunks, -1)
        join_members(layout, values, tables.mask, parts, grads)
        at = (layout.layers, layout.grid, layout.ends, *self._boundary(), values, tables.mask)
        in_threads(lambda a, b: kernel.member_gradients(a, b, *at, losses, boundary_grads), n_members)
        loss = residual_loss + torch.from_numpy(losses).to(residual_loss.dtype)
        return Evaluation(loss, loss, tables.trained(grads + boundary_grads), weights)

    def _boundary(self) -> tuple[np.ndarray, np.ndarray]:
        """x `[1, m, i]` and y `[1, m, o]`."""
        x, y = self.boundary.x, self.boundary.y
        return x.unsqueeze(0).contiguous().numpy(), y.unsqueeze(0).contiguous().numpy()

    @torch.enable_grad()
    def _residual_loss(self, outputs: Tensor) -> tuple[Tensor, np.ndarray, Tensor | None]:
        """The residual's part of the loss `[s]`, its gradients by the jets `[s, c, n]`, and the next weights."""
        jet = [part.unsqueeze(-1).requires_grad_() for part in outputs.unbind(1)]  # c of [s, n, 1]
        residual = self.data.residual(self.inputs(0), dict(zip(self.derivatives, jet, strict=True)))
        loss, weights = self._residual_part(residual)
        grads = torch.autograd.grad(loss.sum(), jet, materialize_grads=True)
        return loss.detach(), torch.cat(grads, dim=-1).mT.contiguous().numpy(), weights
