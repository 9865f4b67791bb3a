"""Memory of large tensors."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

LARGE = 2**22  # bytes, from which numpy asks for large pages
ALIGNMENT = 64  # bytes, as torch's


def empty(*shape: int, dtype: torch.dtype, device: torch.device | str) -> Tensor:
    """As `torch.empty`, but a large tensor on the CPU has large pages of the system's, where it grants them.

    To touch fresh memory for the first time then takes a fifth of the time. Torch does not ask for such pages.
    """
    like, n_bytes = torch.empty(0, dtype=dtype, device=device), math.prod(shape) * dtype.itemsize
    if n_bytes < LARGE or like.device.type != "cpu" or type(like) is not Tensor:
        return torch.empty(*shape, dtype=dtype, device=device)
    memory = np.empty(n_bytes + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return torch.from_numpy(memory[start : start + n_bytes]).view(dtype).reshape(shape)
