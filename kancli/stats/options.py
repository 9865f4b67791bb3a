"""Which statistics are computed, and the bounds of the verdicts: the config keys below `stats` and `verdicts`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from kancli.schema import Bounds, Choice, Integer, Real, key


@dataclass(frozen=True)
class FirstSamples:
    """Statistics of the first samples."""

    n: int = key(100, Integer(2, 10**6), "first samples, used for roughness and, with stats=full, quantiles")


@dataclass(frozen=True)
class Ntk:
    """Statistics of the backward pass."""

    n: int = key(256, Integer(1, 10**4), "first samples, used for gradients, Jacobian and neural tangent kernel")


@dataclass(frozen=True)
class Stats:
    """Which statistics are computed."""

    level: str = key("basic", Choice(("none", "basic", "full")), "how many statistics to compute")
    flat: float = key(1e-6, Real(0, 1), "an edge is flat below this share of its layer's rms", unit="std / rms")
    first: FirstSamples = dataclasses.field(default_factory=FirstSamples)
    ntk: Ntk = dataclasses.field(default_factory=Ntk)


@dataclass(frozen=True)
class Verdicts:
    """Bounds [warn, fail] of the verdicts, by name. The worst layer counts; over members, its mean."""

    signal_vanishes: tuple[float | None, float | None] = key(
        (0.1, 0.001),
        Bounds(falling=True),
        "std of a layer's nodes over that of the inputs, at most: 0.1 slows training, 0.001 loses the signal",
    )
    signal_explodes: tuple[float | None, float | None] = key(
        (10.0, 1000.0), Bounds(), "the same, at least: values leave the grid, and may overflow"
    )
    gradient_vanishes: tuple[float | None, float | None] = key(
        (0.1, 0.001),
        Bounds(falling=True),
        "rms gradient with respect to a layer's inputs over that with respect to the outputs, at most (stats=full)",
    )
    gradient_explodes: tuple[float | None, float | None] = key(
        (10.0, 1000.0), Bounds(), "the same, at least: no one learning rate suits all layers (stats=full)"
    )
    off_grid: tuple[float | None, float | None] = key(
        (0.5, 0.9), Bounds(), "share of preacts outside the grid, where splines vanish; 0.32 for N(0, 1) on [-1, 1]"
    )
    spline_inert: tuple[float | None, float | None] = key(
        (0.01, None),
        Bounds(falling=True),
        "share of the spline branches in both branches' variance, at most: at 1 % a KAN is close to an MLP",
    )
    linear: tuple[float | None, float | None] = key(
        (1e-6, None),
        Bounds(falling=True),
        "1 - R² of the best line of the most curved edge, at most: float32 resolves no less",
    )
    rough: tuple[float | None, float | None] = key(
        (2.0, None),
        Bounds(),
        "mean path over range of an edge: 1 is monotone, 2 rises and falls over the full range",
    )
    nodes_degenerate: tuple[float | None, float | None] = key(
        (0.05, 0.05),
        Bounds(falling=True),
        "distance of two edges out of one input of a hidden layer, at most: 0.03 in the reference's symmetric case,"
        " 0.09 in its default",
    )
    dead_edges: tuple[float | None, float | None] = key(
        (0.1, 0.5), Bounds(), "share of flat edges, which pass no signal"
    )
    off_law: tuple[float | None, float | None] = key(
        (5.0, 6.0),
        Bounds(),
        "standard errors between a tensor's mean or std and its law: exceeded by chance with probability 6e-7 and 2e-9",
    )
