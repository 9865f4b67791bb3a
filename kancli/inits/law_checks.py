"""Check that a law does what `laws.Law` asks for. Every failure is one line: the law, the value, what is allowed."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from kancli.errors import one_line
from kancli.inits.global_generators import generator_states
from kancli.inits.laws import Law
from kancli.inits.normal_scores import Scored
from kancli.seeding import stream

if TYPE_CHECKING:
    import numpy as np

LAW_MEMBERS = tuple(name for name in vars(Law) if not name.startswith("_"))
CDF_POINTS = 41
CDF_RANGE = 10  # standard deviations on each side; by Chebyshev's inequality at most 1/100 of a law lies beyond
ROUNDING = 1e-6
MAX_SHOWN = 60  # letters of a wrong value in a message


class SchemeError(Exception):
    """A scheme or one of its laws is wrong; the message says how, in one line."""


def check_members(law: object, label: str) -> None:
    """Check that a law has every member of `laws.Law`.

    Raises:
        SchemeError: it lacks some.
    """
    kind = type(law).__name__
    missing = [name for name in LAW_MEMBERS if not call(f"{label}, a {kind}: {name}", hasattr, law, name)]
    if missing:
        raise SchemeError(f"{label} is a {kind} without {', '.join(missing)}; kancli.inits.laws.Law lists all members")


def check_moments(law: Law, label: str) -> None:
    """Check mean, std and bounds.

    Raises:
        SchemeError: one of them is no finite number, std is negative, or the mean is out of bounds.
    """
    mean = check_number(call(f"{label}: mean", getattr, law, "mean"), f"{label}: mean")
    check_number(call(f"{label}: std", getattr, law, "std"), f"{label}: std", low=0)
    bounds = call(f"{label}: bounds", getattr, law, "bounds")
    numeric = isinstance(bounds, Sequence) and all(isinstance(bound, numbers.Real) for bound in bounds)
    if not numeric or len(bounds) != 2 or not bounds[0] - _slack(law) <= mean <= bounds[1] + _slack(law):
        raise SchemeError(f"{label}: bounds is {shown(bounds)}; allowed: (low, high) with the mean {mean:g} between")


def check_law(law: Law, shape: tuple[int, ...], label: str) -> None:
    """Try every method of a law on a tensor of that shape.

    Raises:
        SchemeError: the first one that fails.
    """
    _check_methods(law, shape, label)
    if len(shape) == 3:
        _check_combined_variance(law, shape[-1], label)
    call(f"{label}: str", str, law)
    block, label = call(f"{label}: rows", law.rows, slice(0, 1)), f"{label}: rows(slice(0, 1))"
    check_members(block, label)
    _check_methods(block, (1, *shape[1:]), label)


def _check_methods(law: Law, shape: tuple[int, ...], label: str) -> None:
    check_moments(law, label)
    _check_cdf(law, label)
    for method in ("mean_error", "variance_error"):
        error = call(f"{label}: {method}({shape})", getattr(law, method), shape)
        check_number(error, f"{label}: {method}({shape})", low=0)
    _check_sample(law, shape, f"{label}: sample({shape})")
    if isinstance(law, Scored):
        _check_scores(law, law.sample(shape, generator=stream(0, "check")), f"{label}: normal_scores(values, eps)")


def _check_scores(law: Scored, values: np.ndarray, label: str) -> None:
    import numpy as np

    scores = call(label, law.normal_scores, values[None], float(np.finfo(np.float32).eps))
    n = len(scores[0]) if getattr(scores, "ndim", 0) == 2 else 1
    check_array(scores, (1, n), label)


def _check_cdf(law: Law, label: str) -> None:
    import numpy as np

    half_width = CDF_RANGE * (max(law.std, ROUNDING * abs(law.mean)) or 1.0)
    x = np.linspace(law.mean - half_width, law.mean + half_width, CDF_POINTS)
    shares = check_array(call(f"{label}: cdf(x)", law.cdf, x), x.shape, f"{label}: cdf(x)")
    if shares.min() < -ROUNDING or shares.max() > 1 + ROUNDING or np.diff(shares).min() < -ROUNDING:
        raise SchemeError(f"{label}: cdf(x) falls or leaves [0, 1]; allowed: the share of entries at or below each x")
    beyond = CDF_RANGE**-2
    if shares[0] > beyond + ROUNDING or shares[-1] < 1 - beyond - ROUNDING:
        raise SchemeError(
            f"{label}: cdf is {shares[0]:g} and {shares[-1]:g} at {CDF_RANGE} std below and above the mean;"
            f" allowed: at most {beyond:g} and at least {1 - beyond:g}, whatever the law"
        )


def _check_combined_variance(law: Law, n_basis: int, label: str) -> None:
    import numpy as np

    weights = np.linspace(-1, 1, 4 * n_basis).reshape(4, n_basis)
    label = f"{label}: combined_variance(weights of shape {weights.shape})"
    variance = check_array(call(label, law.combined_variance, weights), (4,), label)
    if variance.min() < 0:
        raise SchemeError(f"{label} is {variance.min():g}; allowed: variances, >= 0")


def _check_sample(law: Law, shape: tuple[int, ...], label: str) -> None:
    import numpy as np

    first, second, untouched = (stream(0, "check") for _ in range(3))
    before = generator_states()
    values = call(label, law.sample, shape, generator=first)
    check_generators(before, label)
    values = check_array(values, shape, label, float64=True)
    if not np.array_equal(values, call(label, law.sample, shape, generator=second)):
        raise SchemeError(f"{label} differs between two equal generators; draw from `generator` alone")
    states = [generator.bit_generator.random_raw(1).tolist() for generator in (first, untouched)]
    if law.mean_error(shape) > 0 and states[0] == states[1]:
        raise SchemeError(f"{label} does not read its generator; draw from `generator` alone")
    low, high = law.bounds
    if values.min() < low - _slack(law) or values.max() > high + _slack(law):
        raise SchemeError(f"{label} holds {values.min():g} to {values.max():g}; its bounds are {low:g} to {high:g}")


def check_generators(before: dict[str, Any], label: str) -> None:
    """Check that the global random generators are in the state `before`, from `generator_states`.

    Raises:
        SchemeError: one is not.
    """
    after = generator_states()
    if changed := [name for name, state in before.items() if after[name] != state]:
        raise SchemeError(f"{label} changes the global generator of {changed[0]}; draw from a generator of your own")


def call(label: str, function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
    """Call a function that somebody else wrote.

    Raises:
        SchemeError: it raises, or exits.
    """
    try:
        return function(*arguments, **keywords)
    except (Exception, SystemExit) as error:
        raise SchemeError(f"{label} fails: {one_line(error)}") from None


def check_number(value: Any, label: str, low: float = -math.inf) -> float:
    """Check that a value is a finite number, not below `low`; return it.

    Raises:
        SchemeError: it is not.
    """
    if not isinstance(value, numbers.Real) or not math.isfinite(value) or value < low:
        raise SchemeError(f"{label} is {shown(value)}; allowed: a finite number{', >= 0' if low == 0 else ''}")
    return float(value)


def check_array(values: object, shape: tuple[int, ...], label: str, *, float64: bool = False) -> np.ndarray:
    """Check that values are finite numbers of that shape, in float64 or whole where `float64`; return their array.

    Raises:
        SchemeError: they are not.
    """
    import numpy as np

    array = call(label, np.asarray, values)
    if array.shape != shape:
        raise SchemeError(f"{label} has shape {array.shape}; allowed: {shape}")
    if array.dtype.kind not in "biuf" or (float64 and array.dtype.kind == "f" and array.dtype != np.float64):
        raise SchemeError(f"{label} has dtype {array.dtype}; allowed: float64")
    if not np.isfinite(array).all():
        raise SchemeError(f"{label} holds {array[~np.isfinite(array)][0]}; allowed: finite numbers")
    return array


def shown(value: object) -> str:
    """A value in a message: its repr on one line, cut off where it is long."""
    text = " ".join(call("repr", repr, value).split())
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 3]}..."


def _slack(law: Law) -> float:
    return ROUNDING * max(1.0, abs(law.mean), law.std)
