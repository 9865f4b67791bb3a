"""Detection of code that runs under a transform of torch: there, only plain differentiable operations may be used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.autograd import forward_ad

_peek_interpreter_stack: Callable[[], Any] = torch._C._functorch.peek_interpreter_stack  # pyright: ignore
_is_exporting = getattr(torch.compiler, "is_exporting", lambda: False)  # torch 2.7 and later


def is_transformed() -> bool:
    """Whether torch.func, forward-mode differentiation, torch.compile, torch.export or torch.jit.trace is at work.

    They cannot look into kernels without a batching rule or a forward derivative, nor into the thread count.
    """
    return (
        torch.compiler.is_compiling()
        or _peek_interpreter_stack() is not None
        or forward_ad._current_level >= 0
        or torch._C._is_tracing()
    )


def keeps_values() -> bool:
    """Whether tensors are those of an ordinary call, which may be kept: not the placeholders of a transform.

    torch.compile carries an assignment over; torch.export does not.
    """
    if torch.compiler.is_compiling():
        return not _is_exporting()
    return not is_transformed()
