"""Check that the draws of a scheme and the samples of the inputs can be finite in the run's dtype."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from kancli.inits import SCHEMES
from kancli.inits.laws import Law
from kancli.inits.scheme import LawError, LayerSize, Scheme
from kancli.spelling import show

LARGEST = {"float32": (2 - 2.0**-23) * 2.0**127, "float64": (2 - 2.0**-52) * 2.0**1023}
LARGE = {"float32": 1e20, "float64": 1e70}  # the checks of a law raise its numbers to the fourth power
N_STDS = 6  # reached by one in a billion draws of a normal law


def find_infinite(scheme: Scheme, inputs: Any, sizes: Sequence[LayerSize], dtype: str) -> Iterator[str]:
    """The faults of knobs that are legal but have no law, or one that is too large for the dtype.

    Args:
        scheme: a built-in scheme.
        inputs: the sampler of the inputs.
    """
    for name, value in _large(inputs, dtype):
        if N_STDS * abs(value) > LARGEST[dtype]:
            yield f"inputs.{name}={value:g}: the samples are outside the range of {dtype}; give a smaller number"
    large = _large(scheme, dtype)
    if not large and all(map(scheme.is_finite, sizes)):
        return  # torch is not loaded for it
    try:
        where = _first_overflow(scheme, sizes, LARGEST[dtype])
    except LawError as error:
        yield f"{_typed(scheme, sizes[0])}: {error}"
        return
    if where:
        typed = " ".join(f"{name}={value:g}" for name, value in large) or _typed(scheme, sizes[0])
        yield f"{typed}: {where} are outside the range of {dtype}; give smaller numbers"


def _typed(scheme: Any, size: LayerSize) -> str:
    """The words that a law without values depends on, as they are typed."""
    names = [name for name, builtin in SCHEMES.items() if builtin is type(scheme)]
    knobs = [field for field in dataclasses.fields(scheme) if getattr(scheme, field.name) != field.default]
    words = [f"init={names[0]}", *(f"{field.name}={show(getattr(scheme, field.name))}" for field in knobs)]
    return " ".join([*words, f"grid.range={show(list(size.grid_range))}"])


def _first_overflow(scheme: Scheme, sizes: Sequence[LayerSize], largest: float) -> str:
    """The first tensor whose draws are not all finite, or ''.

    Raises:
        LawError: a layer has no law.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy's, of overflow
        for number, size in enumerate(sizes):
            try:
                laws = scheme.laws(size)
            except ArithmeticError:
                return f"the numbers of layer {number}"
            shapes = scheme.tensor_shapes(size)
            for tensor, law in laws.items():
                if not _reach(law, shapes[tensor]) <= largest:
                    return f"draws of layer {number}'s {tensor}"
    return ""


def _large(declared: Any, dtype: str) -> list[tuple[str, float]]:
    values = ((field.name, getattr(declared, field.name)) for field in dataclasses.fields(declared))
    return [
        (name, value) for name, value in values if isinstance(value, (int, float)) and not abs(value) <= LARGE[dtype]
    ]


def _reach(law: Law, shape: tuple[int, ...]) -> float:
    """The largest magnitude of a law's draws; infinite if its moments, or their errors, overflow."""
    try:
        if not all(map(math.isfinite, (law.mean, law.std, law.mean_error(shape), law.variance_error(shape)))):
            return math.inf
        low, high = law.bounds
        if math.isfinite(low) and math.isfinite(high):
            return max(abs(low), abs(high))
        return abs(law.mean) + N_STDS * law.std
    except ArithmeticError:
        return math.inf
