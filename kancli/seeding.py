"""Private random streams: a stream depends on its seed and purpose, and on nothing else.

The global generators of torch, numpy and random are neither read nor written. Sampling is on the CPU in float64.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.random import Generator

# Increase it, with a line in CHANGELOG.md, with any change of a law or a stream that changes the numbers of old runs.
SEMANTICS = 2
MAX_SEED = 2**63 - 1
_KEY = struct.Struct("<2Q")


def stream(seed: int, purpose: str) -> Generator:
    """The random stream for one purpose under one seed.

    A Philox 4x64 counter-based generator (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3",
    SC 2011). Its 128-bit key is the BLAKE2b digest of purpose and seed, so streams of different purposes or seeds (such
    as 1 and 1 + 2**32) are independent. The head of a stream does not depend on how many numbers are drawn.

    Args:
        seed: any integer.
        purpose: use of the numbers, such as "layer 1/coef".
    """
    return next(streams([seed], purpose))


def streams(seeds: Iterable[int], purpose: str) -> Iterator[Generator]:
    """The streams of several seeds, one after the other; a stream is valid until the next one.

    One generator gets a new key for each seed, ten times faster than a new generator.
    """
    import numpy as np

    generator = np.random.Generator(bits := np.random.Philox(key=0))
    # Plain numbers, which the generator takes up three times as fast as arrays.
    state: dict[str, Any] = {"counter": [0] * 4, "key": [0] * 2}
    fresh: Any = {**bits.state, "buffer": [0] * 4, "state": state}
    for seed in seeds:
        digest = hashlib.blake2b(f"kancli/{purpose}/{seed}".encode(), digest_size=16).digest()
        state["key"] = _KEY.unpack(digest)
        bits.state = fresh
        yield generator
