"""Private random streams: (seed, purpose) names one, and nothing else changes what it yields.

The global generators of torch, numpy and random are neither read nor written. Draws happen on the CPU in float64.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy.random import Generator

# Bumped, with a line in CHANGELOG.md, by any change of a law or a stream that makes old numbers unrepeatable.
SEMANTICS = 2


def stream(seed: int, purpose: str) -> Generator:
    """The random stream for one purpose under one seed.

    A Philox 4x64 counter-based generator (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3",
    SC 2011). Its 128-bit key is the BLAKE2b digest of the purpose and the seed, so that streams of different names or
    seeds (1 and 1 + 2**32 too) are unrelated. The head of a stream does not depend on how much of it is drawn.

    Args:
        seed: any integer.
        purpose: what the numbers are for, such as "layer 1/coef".
    """
    return next(streams([seed], purpose))


def streams(seeds: Iterable[int], purpose: str) -> Iterator[Generator]:
    """The streams of many seeds, one after the other: each lasts until the next is asked for.

    It is one generator that gets key after key, several times faster than a new one for each seed.
    """
    import numpy as np

    generator = np.random.Generator(np.random.Philox(key=0))
    fresh = generator.bit_generator.state
    for seed in seeds:
        digest = hashlib.blake2b(f"kancli/{purpose}/{seed}".encode(), digest_size=16).digest()
        fresh["state"]["key"] = np.frombuffer(digest, dtype="<u8")
        generator.bit_generator.state = fresh
        yield generator
