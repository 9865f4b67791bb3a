"""Which code sums over samples: numba's kernels once a process has summed much, else numpy. Their bits are the same."""

from __future__ import annotations

import functools
from types import ModuleType

import numpy as np

from kancli.kan import compiled

# Values entering layers, for which numpy takes nearly half a second. Loading the kernels takes about as long: to switch
# here at most doubles the time.
MIN_NUMBERS = 2**22
_summed = 0


def count(n_numbers: int) -> None:
    """Count values before they are summed."""
    global _summed
    _summed += n_numbers


def loaded(values: np.ndarray) -> ModuleType | None:
    """`samples_kernel`, once it pays and where it has code for the values' dtype; else None."""
    return _module() if _summed >= MIN_NUMBERS and values.dtype in (np.float32, np.float64) else None


@functools.cache
def _module() -> ModuleType | None:
    if not compiled.is_available():
        return None
    from kancli.stats import samples_kernel

    return samples_kernel
