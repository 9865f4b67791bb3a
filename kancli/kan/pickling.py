"""Which base functions pickle can save: it finds functions by their module and name."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from types import FrameType, FunctionType
from typing import Any


def check_picklable(base_fun: Callable[..., Any]) -> None:
    """Check that the pickler at work can save a base function.

    Raises:
        PicklingError: pickle finds the function by no name.
    """
    if isinstance(base_fun, FunctionType) and not _is_importable(base_fun) and not _pickles_functions():
        raise pickle.PicklingError(
            f"base_fun={base_fun.__qualname__}: pickle saves functions by their name in a module; name one of"
            " kan-run's (base_fun='identity'), define it with def at the top of a module, or save"
            " model.state_dict()"
        )


def _is_importable(function: FunctionType) -> bool:
    """Whether pickle can find a function by its module and name."""
    found: Any = sys.modules.get(function.__module__)
    for name in function.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is function


def _pickles_functions() -> bool:
    """Whether the pickler at work is cloudpickle's or dill's, which save functions by their code."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_globals.get("__name__", "").partition(".")[0] in ("cloudpickle", "dill"):
            return True
        frame = frame.f_back
    return False
