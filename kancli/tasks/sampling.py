"""Samples of a function for training, testing and measuring."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from kancli.errors import ConfigError
from kancli.seeding import stream
from kancli.tasks.catalogue import KnownFunction
from kancli.tasks.evaluate import evaluate
from kancli.tasks.task import Regression, Samples


def regression(
    function: KnownFunction, *, n: int, test_n: int, side: int | None, noise: float, seed: int
) -> Regression:
    """The data of a function: uniform training and test samples, and a mesh with its ends.

    Args:
        n, test_n: numbers of training and test samples.
        side: number of points a side of the mesh; None for no mesh.
        noise: standard deviation of the noise on the training targets.
        seed: of the private streams "task/train", "task/test" and "task/noise".

    Raises:
        ConfigError: a value of the function is not finite; the message names the place.
    """
    train = _samples(function, _uniform(function, n, seed, "train"))
    if noise:
        draws = stream(seed, "task/noise").standard_normal((n, 1))
        train = Samples(train.x, train.y + noise * torch.from_numpy(draws))
    test = _samples(function, _uniform(function, test_n, seed, "test"))
    n_in = function.formula.n_in
    mesh = None if side is None else regular_mesh([(function.low, function.high)] * n_in, [side] * n_in)
    return Regression(train, test, None if mesh is None else _samples(function, mesh))


def _uniform(function: KnownFunction, n: int, seed: int, part: str) -> Tensor:
    """U[low, high) samples `[n, n_in]`, away from 0 by the function's gap."""
    unit = torch.from_numpy(stream(seed, f"task/{part}").random((n, function.formula.n_in)))
    x = function.low + (function.high - function.low) * unit
    return torch.where(x.abs() < function.gap, torch.copysign(torch.full_like(x, function.gap), x), x)


def regular_mesh(limits: Sequence[tuple[float, float]], sides: Sequence[int]) -> Tensor:
    """A regular mesh over a box, ends included; the last input varies first.

    Args:
        limits: low and high by input.
        sides: number of points by input.

    Returns:
        `[product of sides, len(sides)]`, float64.
    """
    axes = [regular_axis(low, high, side) for (low, high), side in zip(limits, sides)]
    return torch.cartesian_prod(*axes).reshape(-1, len(axes))


def regular_axis(low: float, high: float, side: int) -> Tensor:
    """Equidistant numbers with their ends, `[side]`, float64: each correctly rounded, with the same bits everywhere."""
    steps = torch.arange(side, dtype=torch.float64)
    axis = (low * (side - 1 - steps) + high * steps) / (side - 1)
    axis[0], axis[-1] = low, high
    return axis


def _samples(function: KnownFunction, x: Tensor) -> Samples:
    y = evaluate(function.formula, x)
    finite = y.isfinite().squeeze(-1)
    if not finite.all():
        row = int((~finite).nonzero()[0])
        place = ", ".join(f"x{number}={value:g}" for number, value in enumerate(x[row].tolist()))
        raise ConfigError(
            [
                f"task={function.text}: is {float(y[row]):g} at {place}; its values must be finite from"
                f" task.low={function.low:g} to task.high={function.high:g}; change these, or the formula"
            ]
        )
    return Samples(x, y)
