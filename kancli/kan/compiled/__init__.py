"""Kernels compiled by numba, which the extra `fast` installs: sums over edges, their gradients, derivatives, and
random parameters.

`is_available` says whether they can be used; the other modules import numba.
"""

from __future__ import annotations

import importlib.util


def is_available() -> bool:
    """Whether numba is installed."""
    return importlib.util.find_spec("numba") is not None
