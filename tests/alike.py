"""Parameters of tests that are many alike: the first of them run always, the others in the whole suite only."""

import pytest


def slow_but(fast, values):
    """The first values as they are, all others marked slow.

    Args:
        fast: how many are left as they are.
        values: of one argument of a test, or tuples of several.
    """
    values = list(values)
    others = (value if isinstance(value, tuple) else (value,) for value in values[fast:])
    return [*values[:fast], *(pytest.param(*value, marks=pytest.mark.slow) for value in others)]
