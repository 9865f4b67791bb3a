"""Keep foreign code away from the global random generators of random, numpy and torch."""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def restored_generators() -> Iterator[None]:
    """Context manager: restore the states of the global generators, torch's where torch is loaded."""
    import numpy as np

    of_random, of_numpy, torch = random.getstate(), np.random.get_state(), sys.modules.get("torch")
    of_torch = torch.get_rng_state() if torch else None
    try:
        yield
    finally:
        random.setstate(of_random)
        np.random.set_state(of_numpy)
        if torch:
            torch.set_rng_state(of_torch)


def generator_states() -> dict[str, Any]:
    """States of the global generators, by module, in a form that compares with ==."""
    import numpy as np

    name, keys, *rest = np.random.get_state()
    states = {"random": random.getstate(), "numpy.random": (name, keys.tobytes(), *rest)}  # pyright: ignore
    if torch := sys.modules.get("torch"):
        states["torch"] = torch.get_rng_state().numpy().tobytes()
    return states
