"""The mark of tests that need numba."""

import os

import pytest

from kancli.kan import compiled

# Under CI=true a missing numba fails them: a skip would hide it.
needs_numba = pytest.mark.skipif(
    not compiled.is_available() and "CI" not in os.environ, reason="needs numba: pip install -e '.[test,fast]'"
)
