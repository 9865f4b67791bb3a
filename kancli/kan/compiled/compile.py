# numba, which may be absent, fills in arguments and types.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false
"""The decorator of all kernels: compiled by numba once on a machine, and again when a source changes."""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit

# Without fastmath: it lets LLVM round one function in several ways, and numba run one in the process that compiles and
# another from its cache.
OPTIONS = {"nogil": True, "error_model": "numpy"}


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function on its first call, or load it from numba's cache.

    The cache lies beside the source, or in the user's own cache folder if that cannot be written. Numba itself checks a
    kernel's own file only; the stamp set here covers the files whose code it compiles in, too.
    """
    dispatcher = njit(**OPTIONS)(function)
    try:
        dispatcher.enable_caching()
        dispatcher._cache._cache_file._source_stamp = _sources(inspect.getfile(function))
    except (RuntimeError, AttributeError):  # no folder can be written, or another numba: compile in each process
        return njit(**OPTIONS)(function)
    return dispatcher


@functools.cache
def _sources(path: str) -> str:
    """A hash of a kernel's file, of those of kernels beside it, and of all files in this folder."""
    own = Path(path).resolve()
    files = sorted({own, *own.parent.glob("*_kernel.py"), *Path(__file__).resolve().parent.glob("*.py")})
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()
