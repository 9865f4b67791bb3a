"""Check that the draws of a scheme and the samples of the inputs can be finite in the run's dtype."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from kancli.inits.scheme import LayerSize, Scheme

LARGEST = {"float32": (2 - 2.0**-23) * 2.0**127, "float64": (2 - 2.0**-52) * 2.0**1023}
LARGE = {"float32": 1e20, "float64": 1e200}  # knobs below it are not looked at: laws need numpy
N_STDS = 6  # reached by one in a billion draws of a normal law


def find_infinite(scheme: Scheme, inputs: Any, sizes: Sequence[LayerSize], dtype: str) -> Iterator[str]:
    """The faults of knobs that are legal but too large for the dtype.

    Args:
        scheme: a built-in scheme.
        inputs: the sampler of the inputs.
    """
    for name, value in _large(inputs, dtype):
        if N_STDS * abs(value) > LARGEST[dtype]:
            yield f"inputs.{name}={value:g}: the samples are outside the range of {dtype}; give a smaller number"
    knobs = " ".join(f"{name}={value:g}" for name, value in _large(scheme, dtype))
    if knobs and (where := _first_overflow(scheme, sizes, LARGEST[dtype])):
        yield f"{knobs}: {where} are outside the range of {dtype}; give a smaller number"


def _first_overflow(scheme: Scheme, sizes: Sequence[LayerSize], largest: float) -> str:
    """The first tensor whose draws are not all finite, or ''."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy's, of overflow
        for number, size in enumerate(sizes):
            try:
                laws = scheme.laws(size)
            except ArithmeticError:
                return f"the numbers of layer {number}"
            for tensor, law in laws.items():
                if not _reach(law) <= largest:
                    return f"draws of layer {number}'s {tensor}"
    return ""


def _large(declared: Any, dtype: str) -> list[tuple[str, float]]:
    values = ((field.name, getattr(declared, field.name)) for field in dataclasses.fields(declared))
    return [
        (name, value) for name, value in values if isinstance(value, (int, float)) and not abs(value) <= LARGE[dtype]
    ]


def _reach(law: Any) -> float:
    """The largest magnitude of a law's draws; NaN if its moments overflow."""
    try:
        low, high = law.bounds
        if math.isfinite(low) and math.isfinite(high):
            return max(abs(low), abs(high))
        return abs(law.mean) + N_STDS * law.std
    except ArithmeticError:
        return math.inf
