"""A network's outputs by numba kernels, as a function of torch with derivatives of any order.

The first derivatives are the kernels' too; a backward pass that is itself differentiated, or computes many at once, is
torch's, of the same network.

Shapes: s members, n samples, i inputs, o outputs, P parameters of a member, Q numbers of its tables.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kancli.kan.compiled import memory, passes
from kancli.kan.compiled.kernels import BLOCK, CHUNK
from kancli.kan.compiled.tables import Layout, fold_members, join_members
from kancli.kan.network import KAN
from kancli.kan.shares import in_threads
from kancli.kan.threads import copying

NAMES = ("coef", "scale_base", "scale_sp", "bias")  # of a layer's parameters, in the order of a row
MAX_PARTS = 16  # of a member's samples: the tables of all parts are held at once


def outputs(model: KAN, x: Tensor) -> Tensor:
    """y `[(s,) n, o]` at x `[(s,) n, i]` of a model that `kernels.serves`, called outside of torch's transforms."""
    tensors = [getattr(layer, name) for layer in model.layers for name in NAMES]
    if torch.is_grad_enabled() and any(tensor is not None and tensor.requires_grad for tensor in (x, *tensors)):
        masks = [layer.mask for layer in model.layers]
        return _Outputs.apply(model, x, *masks, *tensors)  # pyright: ignore[reportReturnType]
    return _Pass(model, x, keeps_nodes=False).outputs()


class _Outputs(torch.autograd.Function):
    """`outputs`, where gradients are wanted."""

    @staticmethod
    def forward(ctx: Any, model: KAN, x: Tensor, *tensors: Tensor | None) -> Tensor:
        ctx.model, ctx.work = model, _Pass(model, x, keeps_nodes=True)
        ctx.save_for_backward(x, *tensors)
        return ctx.work.outputs()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (grad,), needed = grads, ctx.needs_input_grad[1:]
        x, *tensors = ctx.saved_tensors  # raises an error if one was changed in place
        masks, parameters = tensors[: len(ctx.model.layers)], tensors[len(ctx.model.layers) :]
        if torch.is_grad_enabled() or not _has_numbers(grad):
            return None, *_by_torch(ctx.model, x, masks, parameters, grad, needed)
        x_grad, row_grads = ctx.work.gradients(grad, wants_x=needed[0])
        parts = iter(row_grads.split([_numel(tensor, ctx.model) for tensor in parameters if tensor is not None], 1))
        split = [None if tensor is None else next(parts).reshape(tensor.shape) for tensor in parameters]
        return None, x_grad, *(None for _ in masks), *split


class _Pass:
    """A model's parameters and samples as the kernels take them.

    Its arrays' memory is reused once it is freed, so every thread at work holds a reference to it.

    Args:
        keeps_nodes: whether gradients are to follow.
    """

    def __init__(self, model: KAN, x: Tensor, *, keeps_nodes: bool) -> None:
        n_members = model.n_members or 1
        self.shape = (*x.shape[:-1], model.width[-1])
        self.x = _numbers(_without_copies(x if x.dim() > 2 else x.unsqueeze(0)))  # [1 or s, n, i]
        tensors = [getattr(layer, name) for layer in model.layers for name in NAMES]
        rows = [tensor.detach().reshape(n_members, -1) for tensor in tensors if tensor is not None]
        n_parameters = sum(row.shape[1] for row in rows)
        self.values = memory.take((n_members, n_parameters), self.x.dtype)  # [s, P]
        with copying():
            torch.cat(rows, 1, out=torch.from_numpy(self.values))
        masks = [layer.mask.reshape(n_members, -1) for layer in model.layers if layer.mask is not None]
        self.mask = (torch.cat(masks, 1) if masks else torch.zeros(n_members, 0, dtype=torch.bool)).numpy()
        self.layout = layout = Layout.of(model)
        self.where = (layout.layers, layout.grid, layout.ends, self.x)
        self.tables = memory.take((n_members, layout.table_size), self.values.dtype)
        fold_members(layout, self.values, self.mask, self.tables)
        self.n_blocks = -(-x.shape[-2] // BLOCK)
        kept = n_members * self.n_blocks if keeps_nodes else 0
        self.nodes = memory.take((kept, BLOCK * int(layout.layers[:-2, 2].sum())), self.values.dtype)
        weakref.finalize(self, _give_back, self.values, self.tables, self.nodes)

    def outputs(self) -> Tensor:
        """`[(s,) n, o]`; keeps what gradients need."""
        y = np.empty((len(self.values), self.x.shape[1], self.shape[-1]), self.values.dtype)

        def some_blocks(first: int, last: int) -> None:
            passes.set_outputs(first, last, *self.where, self.tables, self.nodes, y)

        in_threads(some_blocks, len(self.values) * self.n_blocks, self.layout.least_share(BLOCK))
        return torch.from_numpy(y).reshape(self.shape)

    def gradients(self, grad: Tensor, *, wants_x: bool) -> tuple[Tensor | None, Tensor]:
        """By x, `[(s,) n, i]`, and by the parameters, `[s, P]`, from those by the outputs."""
        n_members, (_, n, n_in) = len(self.values), self.x.shape
        # A fixed division, so that the bits do not depend on threads.
        blocks = max(CHUNK // BLOCK, -(-self.n_blocks // MAX_PARTS))
        n_parts = max(1, -(-self.n_blocks // blocks))
        parts = memory.take((n_members, n_parts, self.layout.table_size), self.values.dtype)
        x_grads = np.empty((n_members if wants_x else 0, n, n_in), self.values.dtype)
        given = _numbers(grad).reshape(n_members, n, self.shape[-1])
        grads = np.empty_like(self.values)

        def some_parts(first: int, last: int) -> None:
            passes.set_gradients(first, last, blocks, *self.where, self.tables, self.nodes, given, parts, x_grads)

        in_threads(some_parts, n_members * n_parts, self.layout.least_share(BLOCK * blocks))
        join_members(self.layout, self.values, self.mask, parts, grads)
        memory.give_back(parts)
        x_grad = torch.from_numpy(x_grads).reshape(*self.shape[:-1], n_in) if wants_x else None
        return x_grad, torch.from_numpy(grads)


def _give_back(*arrays: np.ndarray) -> None:
    for array in arrays:
        memory.give_back(array)


def _by_torch(
    model: KAN,
    x: Tensor,
    masks: Sequence[Tensor | None],
    parameters: Sequence[Tensor | None],
    grad: Tensor,
    needed: Sequence[bool],
) -> list[Tensor | None]:
    """The gradients by all tensors, as torch computes them: differentiable, or of many backward passes at once."""
    twin = model.blank(model.n_members)
    own = iter(parameters)
    for new, layer, mask in zip(twin.layers, model.layers, masks, strict=True):
        new.copy_constants_(layer, lambda tensor: tensor)
        new.mask = mask
        for name in NAMES:
            new._parameters[name] = next(own)  # pyright: ignore[reportArgumentType]
    inputs = [x, *masks, *parameters]
    wanted = [tensor for tensor, is_needed in zip(inputs, needed, strict=True) if is_needed]
    creates_graph = torch.is_grad_enabled()
    with torch.enable_grad():
        found = iter(torch.autograd.grad(twin(x), wanted, grad, create_graph=creates_graph))
    return [next(found) if is_needed else None for is_needed in needed]


def _without_copies(x: Tensor) -> Tensor:
    """Samples that all members share, once."""
    return x[:1] if x.stride(0) == 0 else x


def _numbers(tensor: Tensor) -> np.ndarray:
    return tensor.detach().resolve_neg().contiguous().numpy()


def _has_numbers(tensor: Tensor) -> bool:
    """Whether a tensor is one that numpy can read, not a batch of tensors of torch's vmap."""
    try:
        tensor.untyped_storage()
    except (NotImplementedError, RuntimeError):
        return False
    return True


def _numel(tensor: Tensor, model: KAN) -> int:
    return math.prod(tensor.shape[1:]) if model.n_members is not None else tensor.numel()
