"""torch's modes that a caller may have set, put aside: the same work gives the same numbers under all of them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def standard_modes() -> Iterator[None]:
    """Context manager: no inference mode, in which torch gives no derivatives, and the CPU as default device."""
    with contextlib.ExitStack() as stack:
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
            stack.enter_context(torch.set_grad_enabled(False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        yield
