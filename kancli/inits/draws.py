"""Sample large float32 tensors by numba, where it is installed: the same bits as without, sooner."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from kancli.inits.knot_noise import KnotNoise, pieces
from kancli.inits.laws import Law, Uniform
from kancli.kan import compiled

if TYPE_CHECKING:
    import numpy as np
    from numpy.random import Generator

    from kancli.kan.network import KAN

MIN_NUMBERS = 2**26  # parameters of a member, which take about as long as loading numba and the kernels


def use_compiled(model: KAN) -> bool:
    """Whether kernels save time."""
    n_numbers = sum(parameter.numel() for parameter in model.parameters()) // (model.n_members or 1)
    return n_numbers >= MIN_NUMBERS and compiled.is_available()


def fill_compiled(law: Law, values: np.ndarray, *, generator: Generator) -> bool:
    """Fill `[i, ...]` in place with the numbers of `law.sample`, if there is a kernel for it; return whether.

    Args:
        generator: that has drawn nothing yet.
    """
    import numpy as np

    if values.dtype != np.float32 or not values.flags.c_contiguous:
        return False
    if type(law) is Uniform:
        from kancli.kan.compiled.draws import fill_uniform

        fill_uniform(values.reshape(-1), _key(generator), law.low, law.high - law.low)
        return True
    if type(law) is KnotNoise and law.half_width > 0:
        _fill_fits(law, values.reshape(-1, values.shape[-1]), generator)
        return True
    return False


def _fill_fits(law: KnotNoise, values: np.ndarray, generator: Generator) -> None:
    """Fill `[e, K]` with fits. A piece is fitted by `law` if the order of a sum decides how it is rounded."""
    from kancli.kan.compiled.draws import fill_fits

    solver, slack = _solver(law)
    key, fresh = _key(generator), generator.bit_generator.state
    for piece in pieces(len(values)):
        if not fill_fits(values[piece], piece.start, key, law.half_width, solver, slack):
            generator.bit_generator.state = fresh
            generator.bit_generator.advance(piece.start * len(solver) // 4)  # pyright: ignore[reportAttributeAccessIssue]
            values[piece] = law.sample(values[piece].shape, generator=generator)


def _key(generator: Generator) -> tuple[np.uint64, np.uint64]:
    import numpy as np

    first, second = generator.bit_generator.state["state"]["key"]
    return np.uint64(first), np.uint64(second)


@functools.lru_cache(maxsize=64)
def _solver(law: KnotNoise) -> tuple[np.ndarray, np.ndarray]:
    """The transpose of `inverse`, padded with 0 to whole vectors, `[G + 1, F]`; and `slack` of `fill_fits`.

    A sum of n products has a rounding error of at most n eps / 2 times the sum of their magnitudes, in any order
    (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1); two orders differ by twice that.
    """
    import numpy as np

    from kancli.kan.compiled.draws import CHUNK

    inverse = law.inverse.numpy()
    largest = law.half_width * np.abs(inverse).sum(1)
    slack = 1.001 * inverse.shape[1] * np.finfo(float).eps * largest
    padded = np.pad(inverse, ((0, -len(inverse) % 4), (0, 0)))
    return np.ascontiguousarray(padded.T), np.tile(slack, CHUNK)
