"""Which statistics are computed, and the bounds of the verdicts: the config keys below `stats` and `verdicts`.

`kan-run explain verdicts` prints what stands here: a new verdict is described in its `bounds`, and nowhere else.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

from kancli.schema import Bounds, Choice, FaultError, Integer, Optional, Real, Truth, key, keys
from kancli.stats.scales import Scale

LEVELS = ("none", "basic", "full")  # of detail, each with all that the one before has


@dataclass(frozen=True)
class FirstSamples:
    """Statistics of the first samples."""

    n: int = key(100, Integer(2, 10**6), "first samples, used for roughness, at every level of stats")


@dataclass(frozen=True)
class Quantiles:
    """Quantiles of the values."""

    n: int | None = key(
        None, Optional(Integer(2, 10**6)), "first samples, used for quantiles (stats=full); null: stats.first.n"
    )


@dataclass(frozen=True)
class Ntk:
    """Statistics of the backward pass."""

    n: int = key(256, Integer(1, 10**4), "first samples, used for gradients, Jacobian and neural tangent kernel")


@dataclass(frozen=True)
class Stats:
    """Which statistics are computed."""

    level: str = key("basic", Choice(LEVELS), "how many statistics to compute")
    after: bool = key(False, Truth(), "with training: measure the trained network too")
    flat: float = key(1e-6, Real(0, 1), "an edge is flat at or below this share of its layer's rms", unit="std / rms")
    first: FirstSamples = dataclasses.field(default_factory=FirstSamples)
    quantiles: Quantiles = dataclasses.field(default_factory=Quantiles)
    ntk: Ntk = dataclasses.field(default_factory=Ntk)

    @property
    def n_quantiles(self) -> int:
        """Leading samples for quantiles, 0 where they are not computed."""
        if self.level != "full":
            return 0
        return self.first.n if self.quantiles.n is None else self.quantiles.n


def bounds(
    warn: float | None,
    fail: float | None,
    help: str,
    *,
    falling: bool = False,
    share: bool = False,
    scale: Scale = Scale.LINEAR,
    statement: str,
    says: str,
    origin: str,
    remedy: str,
) -> Any:
    """Declare the bounds of a verdict as a key.

    Args:
        help: the number that is judged, for `kan-run --help`.
        falling: whether lower numbers are worse.
        share: whether the number is a share, to be printed in per cent.
        scale: how the number is averaged over members.
        statement: the property that is judged, in a few words; where the verdict is pass it does not hold.
        says: the property of the network that a warning names.
        origin: why the bounds are these numbers.
        remedy: keys that change the number: what follows "Remedy:".
    """
    notes = {
        "statement": statement,
        "says": says,
        "bounds": origin,
        "remedy": remedy,
        "members": scale.value,
        "share": share,
    }
    return key((warn, fail), Bounds(falling=falling), help, notes=notes)


NON_FINITE, NON_FINITE_STATEMENT = "non_finite", "values not finite"  # judged without bounds
ANSWERS = {"pass": "no", "warn": "nearly", "fail": "yes", "undecided": "undecided"}  # is the statement true?
WORST_FIRST = ("fail", "warn", "undecided", "pass")  # what a verdict may say
BAD = ("fail", "warn")  # the statement is true, or nearly
DECADES = "A convention, no measurement: a factor of 10 warns, one of 1000 fails."


@dataclass(frozen=True)
class Verdicts:
    """Bounds [warn, fail] of the verdicts, by name. The worst layer counts; over members, its mean."""

    signal_vanishes: tuple[float | None, float | None] = bounds(
        0.1,
        0.001,
        "std of a layer's nodes over that of the inputs, at most: 0.1 slows training, 0.001 loses the signal",
        falling=True,
        scale=Scale.RATIO,
        statement="signal vanishes",
        says="The values shrink with depth: later layers see nearly the same number for every sample.",
        origin=DECADES,
        remedy="a larger gain or noise_scale, or init=lecun or glorot, which hold the variance; fewer layers.",
    )
    signal_explodes: tuple[float | None, float | None] = bounds(
        10.0,
        1000.0,
        "the same, at least: values leave the grid, and may overflow",
        scale=Scale.RATIO,
        statement="signal explodes",
        says="The values grow with depth: they leave the grid, where splines are 0, and may overflow.",
        origin=DECADES,
        remedy="a smaller gain or noise_scale; init=lecun or glorot.",
    )
    signal_contracts: tuple[float | None, float | None] = bounds(
        0.5,
        0.35,
        "factor a layer of the std of the nodes, at most, the upper end of its 95 % interval: of any depth, 0.5 leaves"
        " 0.001 after ten layers",
        falling=True,
        scale=Scale.RATIO,
        statement="signal contracts in every layer",
        says="Each layer shrinks the values by a factor, so that a deeper network of this kind loses the signal.",
        origin="A convention on the rate, so that the depth that was tried does not decide: at 0.5 ten layers leave"
        " 0.001, at 0.35 a tenth is left after two and 0.001 after seven. The number is the upper end of the 95 %"
        " interval of the slope of log std against depth (Student's t on the line's residuals), so a line that fits"
        " badly does not fail. Networks of fewer than three layers have no number.",
        remedy="init=lecun or glorot, which hold the variance, or a larger gain or noise_scale.",
    )
    gradient_vanishes: tuple[float | None, float | None] = bounds(
        0.1,
        0.001,
        "norm of the gradient with respect to a layer's inputs over that with respect to the outputs, at most"
        " (stats=full)",
        falling=True,
        scale=Scale.RATIO,
        statement="gradient vanishes",
        says="The gradient shrinks on its way back: early layers hardly learn.",
        origin=DECADES,
        remedy="a larger gain or noise_scale, or init=glorot, which weighs signal against gradient; fewer layers.",
    )
    gradient_explodes: tuple[float | None, float | None] = bounds(
        10.0,
        1000.0,
        "the same, at least: no one learning rate suits all layers (stats=full)",
        scale=Scale.RATIO,
        statement="gradient explodes",
        says="The gradient grows on its way back: no one learning rate suits all layers.",
        origin=DECADES,
        remedy="a smaller gain or noise_scale, or a coarser grid, whose splines are less steep; init=glorot.",
    )
    off_grid: tuple[float | None, float | None] = bounds(
        0.5,
        0.9,
        "share of preacts outside the grid, where splines vanish; 0.32 for N(0, 1) on [-1, 1]",
        share=True,
        scale=Scale.SHARE,
        statement="most values off the grid",
        says="Most values that enter the layer miss its grid; beyond it an edge is its base branch alone.",
        origin="A convention: half of the values warns, nine in ten fails. N(0, 1) on [-1, 1] has 0.32.",
        remedy="a wider grid.range, grid.adapt=samples, or inputs of a smaller inputs.std.",
    )
    spline_inert: tuple[float | None, float | None] = bounds(
        0.01,
        None,
        "share of the spline branches in both branches' variance, at most: at 1 % a KAN is close to an MLP",
        falling=True,
        share=True,
        scale=Scale.RATIO,
        statement="splines inert",
        says="The splines add almost nothing to the edges: the network is close to an MLP with b(x).",
        origin="A convention: a hundredth of the variance, a tenth of the std. Training can grow the splines: no fail.",
        remedy="a larger noise_scale or gain; values within the grid (see off_grid).",
    )
    linear: tuple[float | None, float | None] = bounds(
        1e-6,
        None,
        "1 - R² of the best line of the most curved edge, at most: float32 resolves no less",
        falling=True,
        scale=Scale.NONE,
        statement="all edges linear",
        says="Every edge of the layer is a straight line on the samples: layers of them make one linear map.",
        origin="The size of float32's rounding, which is all that is left of smaller numbers. Training can bend lines:"
        " no fail.",
        remedy="noise_scale above 0, or a base_fun that is no line.",
    )
    rough: tuple[float | None, float | None] = bounds(
        2.0,
        None,
        "mean path over range of an edge: 1 is monotone, 2 rises and falls over the full range",
        scale=Scale.NONE,
        statement="edges rough",
        says="The edges oscillate: on average they run through their range twice or more.",
        origin="The value of a function that rises and falls over its full range.",
        remedy="a smaller noise_scale against the base, or a coarser grid.",
    )
    nodes_degenerate: tuple[float | None, float | None] = bounds(
        0.05,
        0.04,
        "distance of the nodes of a hidden layer, at most: 0 for one function, 1 for independent weights; 0.03 to 0.06"
        " in the reference's symmetric case, 0.09 in its default",
        falling=True,
        scale=Scale.NONE,
        statement="nodes alike",
        says="The nodes of a hidden layer are nearly one function of the samples, up to a factor.",
        origin="A round number below 0.043, which 99 % of the default's [2, 5, 1] exceed: of the default at most 0.7 %"
        " of the seeds fail at any n_in from 2 to 256. The table of `kan-run explain verdicts` has nine presets. In the"
        " symmetric case 53 % fail at n_in = 2, 99 % at 16, 78 % at 64, 10 % at 128 and none at 256: this law does not"
        " scale the splines down with n_in, so many of them do part the nodes. Few weights are alike by chance: of the"
        " default's [2, 2, 1] 14 % would fail, of [2, 3, 1] 4 %, of [2, 4, 1] 1.3 % (4000 seeds), so layers with"
        " n_in (n_out - 1) below 8 are not judged. The number divides by what independent weights give for the values"
        " entering; where these are one variable there is no number.",
        remedy="a larger noise_scale or noise_scale_base.",
    )
    dead_edges: tuple[float | None, float | None] = bounds(
        0.1,
        0.5,
        "share of flat edges, which pass no signal",
        share=True,
        scale=Scale.NONE,
        statement="edges dead",
        says="Edges give the same value for every sample.",
        origin="A convention: a tenth of the edges warns, half of them fails. An edge is flat by stats.flat.",
        remedy="values within the grid (see off_grid), and scales other than 0.",
    )
    off_law: tuple[float | None, float | None] = bounds(
        1e-4,
        1e-6,
        "probability that some tensor of a run is as far from its law by chance, at most: of a million runs, 100 warn"
        " and 1 fails",
        falling=True,
        scale=Scale.NONE,
        statement="parameters off their law",
        says="The parameters are not what the scheme's law gives.",
        origin="The share of runs with right draws that warn and fail. Exact for tensors of any size and any number of"
        " them: each entry becomes a normal deviate by its law's distribution function; mean and variance of these are"
        " tested for each tensor, over all members and for each one, and the least probability is corrected for the"
        " number of tests (Sidak 1967). A law of your own without `normal_scores` is tested by its moments, as if"
        " tensors were large.",
        remedy="none in the config: look for what changed the parameters, or for a wrong law in a scheme of your own.",
    )
    diverges: tuple[float | None, float | None] = bounds(
        0.001,
        0.5,
        "share of the networks whose training ended in values that are not finite, or in 1000 times the first loss",
        share=True,
        scale=Scale.NONE,
        statement="training diverges",
        says="The loss explodes: the steps are too large for these parameters.",
        origin="One network in a thousand warns, half of them fail.",
        remedy="a smaller train.lr, or parameters of smaller size.",
    )
    stalls: tuple[float | None, float | None] = bounds(
        0.5,
        0.95,
        "last training loss over the first",
        scale=Scale.RATIO,
        statement="training stalls",
        says="The loss hardly falls: the parameters learn little from these steps.",
        origin="A convention: a loss that does not fall by half warns, one that does not fall by a twentieth fails.",
        remedy="more train.steps or a larger train.lr; an init whose gradients do not vanish (stats=full).",
    )
    memorises: tuple[float | None, float | None] = bounds(
        10.0,
        100.0,
        "last test loss over the last training loss",
        scale=Scale.RATIO,
        statement="network memorises its samples",
        says="The network fits the training samples far better than others of the same kind.",
        origin="A convention: a factor of 10 warns, one of 100 fails.",
        remedy="more samples (task.n), a coarser grid, or train.lamb above 0.",
    )


OF_TRAINING = ("diverges", "stalls", "memorises")  # verdicts that only a run with training has


@functools.cache
def verdict_scales() -> dict[str, Scale]:
    """The scale of each verdict's number."""
    return {name: Scale(field.metadata["notes"]["members"]) for name, field in keys(Verdicts).items()}


def recorded_bounds(config: Mapping[str, Any]) -> dict[str, tuple[float | None, float | None]]:
    """The bounds by verdict in the recorded config of a run; without those that are damaged or of another version."""
    recorded = config.get("verdicts")
    found = {}
    if isinstance(recorded, Mapping):
        for name, field in keys(Verdicts).items():
            with contextlib.suppress(FaultError):
                found[name] = field.metadata["kind"].check(recorded.get(name))
    return found


def worst(verdicts: Container[str | None]) -> str | None:
    """The worst of some verdicts; None where none was decided."""
    return next((word for word in WORST_FIRST if word in verdicts), None)


def falling(name: str) -> bool:
    """Whether lower numbers of a verdict are worse."""
    return name in keys(Verdicts) and keys(Verdicts)[name].metadata["kind"].falling


def is_share(name: str) -> bool:
    """Whether a verdict's number is a share."""
    return name in keys(Verdicts) and keys(Verdicts)[name].metadata["notes"]["share"]


def statement(name: str) -> str:
    """The property that a verdict judges, in a few words: `all edges linear` for linear."""
    if name == NON_FINITE:
        return NON_FINITE_STATEMENT
    field = keys(Verdicts).get(name)
    return name if field is None else field.metadata["notes"]["statement"]  # a name of another version of kancli


def answer(verdict: str | None) -> str:
    """Whether the property holds, for a verdict: "no" where it passes."""
    return ANSWERS.get(verdict or "", "-")
