"""JAX's random numbers in numpy: the counter-based generator Threefry-2x32 and what `jax.random` makes of its bits.

Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011). Keys, `fold_in`, and bits are
those of jax.random with `jax_threefry_partitionable`, the default since JAX 0.5, to the bit; normal numbers are within
rounding of float32.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
PARITY = 0x1BD11BDA
N_GROUPS = 5  # of four rounds
WORD = 0xFFFFFFFF


class Key(NamedTuple):
    """The two words of a key."""

    high: int
    low: int


def key(seed: int) -> Key:
    """`jax.random.key(seed)` without 64-bit integers: the low word of the seed."""
    return Key(0, seed & WORD)


def fold_in(key: Key, data: int) -> Key:
    """`jax.random.fold_in(key, data)`."""
    import numpy as np

    high, low = threefry(key, np.array([0], np.uint32), np.array([data & WORD], np.uint32))
    return Key(int(high[0]), int(low[0]))


def threefry(key: Key, x0: np.ndarray, x1: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Twenty rounds of Threefry-2x32 over counters, uint32 each."""
    import numpy as np

    words = [np.uint32(word) for word in (*key, key.high ^ key.low ^ PARITY)]
    x0, x1 = x0 + words[0], x1 + words[1]
    for group in range(N_GROUPS):
        for rotation in ROTATIONS[group % 2]:
            x0 = x0 + x1
            x1 = (x1 << np.uint32(rotation)) | (x1 >> np.uint32(32 - rotation))
            x1 = x1 ^ x0
        x0 = x0 + words[(group + 1) % 3]
        x1 = x1 + words[(group + 2) % 3] + np.uint32(group + 1)
    return x0, x1


def uniform(key: Key, shape: tuple[int, ...], low: float = -1.0, high: float = 1.0) -> np.ndarray:
    """`jax.random.uniform(key, shape, float32, low, high)`."""
    import numpy as np

    counters = np.arange(math.prod(shape), dtype=np.uint64)
    one, other = threefry(key, (counters >> np.uint64(32)).astype(np.uint32), counters.astype(np.uint32))
    mantissa = ((one ^ other) >> np.uint32(9)) | np.float32(1).view(np.uint32)
    unit = mantissa.view(np.float32) - np.float32(1)
    low32, high32 = np.float32(low), np.float32(high)
    return np.maximum(low32, unit * (high32 - low32) + low32).reshape(shape)


def normal(key: Key, shape: tuple[int, ...]) -> np.ndarray:
    """`jax.random.normal(key, shape, float32)`: the inverse of the normal law's distribution function at `uniform`."""
    import numpy as np
    from scipy.special import erfinv

    above_minus_one = float(np.nextafter(np.float32(-1), np.float32(0)))
    return (math.sqrt(2) * erfinv(uniform(key, shape, above_minus_one).astype(float))).astype(np.float32)
