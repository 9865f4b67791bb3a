"""Which statistics are computed, and the bounds of the verdicts: the config keys below `stats` and `verdicts`.

`kan-run explain verdicts` prints what stands here: a new verdict is described in its `bounds`, and nowhere else.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kancli.schema import Bounds, Choice, FaultError, Integer, Real, key, keys


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


def bounds(
    warn: float | None, fail: float | None, help: str, *, falling: bool = False, says: str, origin: str, remedy: str
) -> Any:
    """Declare the bounds of a verdict as a key.

    Args:
        help: the number that is judged, for `kan-run --help`.
        falling: whether lower numbers are worse.
        says: the property of the network that a warning names.
        origin: why the bounds are these numbers.
        remedy: keys that change the number.
    """
    notes = {"says": says, "bounds": origin, "remedy": remedy}
    return key((warn, fail), Bounds(falling=falling), help, notes=notes)


WORST_FIRST = ("fail", "warn", "pass")  # what a verdict may say
DECADES = "A convention, no measurement: a factor of 10 warns, one of 1000 fails."


@dataclass(frozen=True)
class Verdicts:
    """Bounds [warn, fail] of the verdicts, by name. The worst layer counts; over members, its mean."""

    signal_vanishes: tuple[float | None, float | None] = bounds(
        0.1,
        0.001,
        "std of a layer's nodes over that of the inputs, at most: 0.1 slows training, 0.001 loses the signal",
        falling=True,
        says="The values shrink with depth: later layers see nearly the same number for every sample.",
        origin=DECADES,
        remedy="A larger gain or noise_scale, or init=lecun or glorot, which hold the variance; fewer layers.",
    )
    signal_explodes: tuple[float | None, float | None] = bounds(
        10.0,
        1000.0,
        "the same, at least: values leave the grid, and may overflow",
        says="The values grow with depth: they leave the grid, where splines are 0, and may overflow.",
        origin=DECADES,
        remedy="A smaller gain or noise_scale; init=lecun or glorot.",
    )
    gradient_vanishes: tuple[float | None, float | None] = bounds(
        0.1,
        0.001,
        "rms gradient with respect to a layer's inputs over that with respect to the outputs, at most (stats=full)",
        falling=True,
        says="The gradient shrinks on its way back: early layers hardly learn.",
        origin=DECADES,
        remedy="A larger gain or noise_scale, or init=glorot, which weighs signal against gradient; fewer layers.",
    )
    gradient_explodes: tuple[float | None, float | None] = bounds(
        10.0,
        1000.0,
        "the same, at least: no one learning rate suits all layers (stats=full)",
        says="The gradient grows on its way back: no one learning rate suits all layers.",
        origin=DECADES,
        remedy="A smaller gain or noise_scale, or a coarser grid, whose splines are less steep; init=glorot.",
    )
    off_grid: tuple[float | None, float | None] = bounds(
        0.5,
        0.9,
        "share of preacts outside the grid, where splines vanish; 0.32 for N(0, 1) on [-1, 1]",
        says="Most values that enter the layer miss its grid; beyond it an edge is its base branch alone.",
        origin="A convention: half of the values warns, nine in ten fails. N(0, 1) on [-1, 1] has 0.32.",
        remedy="A wider grid.range, grid.adapt=samples, or inputs of a smaller inputs.std.",
    )
    spline_inert: tuple[float | None, float | None] = bounds(
        0.01,
        None,
        "share of the spline branches in both branches' variance, at most: at 1 % a KAN is close to an MLP",
        falling=True,
        says="The splines add almost nothing to the edges: the network is close to an MLP with b(x).",
        origin="A convention: a hundredth of the variance, a tenth of the std. Training can grow the splines: no fail.",
        remedy="A larger noise_scale or gain; values within the grid (see off_grid).",
    )
    linear: tuple[float | None, float | None] = bounds(
        1e-6,
        None,
        "1 - R² of the best line of the most curved edge, at most: float32 resolves no less",
        falling=True,
        says="Every edge of the layer is a straight line on the samples: layers of them make one linear map.",
        origin="The size of float32's rounding, which is all that is left of smaller numbers. Training can bend lines:"
        " no fail.",
        remedy="noise_scale above 0, or a base_fun that is no line.",
    )
    rough: tuple[float | None, float | None] = bounds(
        2.0,
        None,
        "mean path over range of an edge: 1 is monotone, 2 rises and falls over the full range",
        says="The edges oscillate: on average they run through their range twice or more.",
        origin="The value of a function that rises and falls over its full range.",
        remedy="A smaller noise_scale against the base, or a coarser grid.",
    )
    nodes_degenerate: tuple[float | None, float | None] = bounds(
        0.05,
        0.05,
        "distance of two edges out of one input of a hidden layer, at most: 0.03 in the reference's symmetric case,"
        " 0.09 in its default",
        falling=True,
        says="The edges out of one input are nearly one function.",
        origin="Between the reference's symmetric case (0.03) and its default (0.09).",
        remedy="A larger noise_scale or noise_scale_base.",
    )
    dead_edges: tuple[float | None, float | None] = bounds(
        0.1,
        0.5,
        "share of flat edges, which pass no signal",
        says="Edges give the same value for every sample.",
        origin="A convention: a tenth of the edges warns, half of them fails. An edge is flat by stats.flat.",
        remedy="Values within the grid (see off_grid), and scales other than 0.",
    )
    off_law: tuple[float | None, float | None] = bounds(
        1e-4,
        1e-6,
        "probability that some tensor of a run is as far from its law by chance, at most: of a million runs, 100 warn"
        " and 1 fails",
        falling=True,
        says="The parameters are not what the scheme's law gives.",
        origin="The share of runs with right draws that warn and fail. Exact for tensors of any size and any number of"
        " them: each entry becomes a normal deviate by its law's distribution function; mean and variance of these are"
        " tested for each tensor, over all members and for each one, and the least probability is corrected for the"
        " number of tests (Sidak 1967). A law of your own without `normal_scores` is tested by its moments, as if"
        " tensors were large.",
        remedy="None in the config: look for what changed the parameters, or for a wrong law in a scheme of your own.",
    )


def recorded_bounds(config: Mapping[str, Any]) -> dict[str, tuple[float | None, float | None]]:
    """The bounds by verdict in the recorded config of a run; without those that are damaged or of another version."""
    recorded = config.get("verdicts")
    found = {}
    if isinstance(recorded, Mapping):
        for name, field in keys(Verdicts).items():
            with contextlib.suppress(FaultError):
                found[name] = field.metadata["kind"].check(recorded.get(name))
    return found
