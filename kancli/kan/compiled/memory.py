"""Reuse the memory of the kernels' arrays: to get fresh memory from the system takes about as long as to fill it."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import numpy as np

from kancli.kan.compiled.vectors import ALIGNMENT

MAX_BYTES = 2**24  # of memory that is kept for later
_kept: deque[np.ndarray] = deque(maxlen=8)  # threads may share it: its operations are atomic


def take(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array of unknown numbers, whose first lies at a multiple of `ALIGNMENT` bytes."""
    dtype = np.dtype(dtype)
    n_bytes = math.prod(shape) * dtype.itemsize
    memory = _kept_memory(n_bytes + ALIGNMENT)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + n_bytes].view(dtype).reshape(shape)


def give_back(array: np.ndarray) -> None:
    """Keep the memory of an array of `take`, which nothing else may refer to, for later ones of its size."""
    if isinstance(memory := array.base, np.ndarray) and memory.nbytes <= MAX_BYTES:
        _kept.append(memory)


def _kept_memory(n_bytes: int) -> np.ndarray:
    for _ in range(len(_kept)):
        try:
            memory = _kept.popleft()
        except IndexError:  # another thread took the last
            break
        if memory.nbytes == n_bytes:
            return memory
        _kept.append(memory)
    return np.empty(n_bytes, np.uint8)
