"""Which statistics are computed, and the bounds of the verdicts: the config keys below `stats` and `verdicts`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from kancli.schema import Bounds, Choice, Integer, Real, key


@dataclass(frozen=True)
class FirstSamples:
    """What is measured on the first samples only."""

    n: int = key(100, Integer(2, 10**6), "the first samples, for roughness and, with stats=full, quantiles")


@dataclass(frozen=True)
class Ntk:
    """What is measured on the way back."""

    n: int = key(256, Integer(1, 10**4), "the first samples, for gradients, Jacobian and neural tangent kernel")


@dataclass(frozen=True)
class Stats:
    """What is measured."""

    level: str = key("basic", Choice(("none", "basic", "full")), "how much is measured")
    flat: float = key(1e-6, Real(0, 1), "an edge is flat below this share of its layer's rms", unit="std / rms")
    first: FirstSamples = dataclasses.field(default_factory=FirstSamples)
    ntk: Ntk = dataclasses.field(default_factory=Ntk)


@dataclass(frozen=True)
class Verdicts:
    """Bounds [warn, fail] of the verdicts, by name. The worst layer counts; over members, its mean."""

    signal_vanishes: tuple[float | None, float | None] = key(
        (0.1, 0.001),
        Bounds(falling=True),
        "std of the nodes of any layer over that of the inputs, at most: a tenth is felt, a thousandth is lost",
    )
    signal_explodes: tuple[float | None, float | None] = key(
        (10.0, 1000.0), Bounds(), "the same, at least: far beyond any grid, and towards overflow"
    )
    gradient_vanishes: tuple[float | None, float | None] = key(
        (0.1, 0.001),
        Bounds(falling=True),
        "rms gradient by a layer's values over that by the outputs, at most (stats=full)",
    )
    gradient_explodes: tuple[float | None, float | None] = key(
        (10.0, 1000.0), Bounds(), "the same, at least: a step that fits one layer overshoots in another (stats=full)"
    )
    off_grid: tuple[float | None, float | None] = key(
        (0.5, 0.9), Bounds(), "share of preacts outside the grid: there the spline fades to nothing; N(0, 1) has 0.32"
    )
    spline_inert: tuple[float | None, float | None] = key(
        (0.01, None),
        Bounds(falling=True),
        "share of the branches' variance that is the splines', at most: at 1 % a KAN is an MLP",
    )
    linear: tuple[float | None, float | None] = key(
        (1e-6, None), Bounds(falling=True), "1 - R² of the most curved edge's best line, at most: float32 shows no less"
    )
    rough: tuple[float | None, float | None] = key(
        (2.0, None), Bounds(), "mean path over span of an edge: 1 is monotone, 2 goes up and down all the way"
    )
    nodes_degenerate: tuple[float | None, float | None] = key(
        (0.05, 0.05),
        Bounds(falling=True),
        "distance of two edges out of one input of a hidden layer, at most: the reference's symmetric case has 0.03,"
        " its default 0.09",
    )
    dead_edges: tuple[float | None, float | None] = key(
        (0.1, 0.5), Bounds(), "share of flat edges: they pass on no signal"
    )
    off_law: tuple[float | None, float | None] = key(
        (5.0, 6.0),
        Bounds(),
        "standard errors that a tensor's mean or std is off its law: by chance 6e-7 and 2e-9",
    )
