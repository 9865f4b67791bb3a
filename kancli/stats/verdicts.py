"""Verdicts: what of the statistics is out of bounds. Each has a number, bounds from the config, and pass, warn or fail.

Shapes: s members (1 for a single model).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from kancli.stats.network_stats import LayerStats, NetworkStats, format_non_finite, non_finite
from kancli.stats.parameters import pooled_z
from kancli.stats.running_moments import Array
from kancli.stats.summary import summary_statistics

MIN_RATIO = 1e-300  # a ratio of 0 counts as this
Bounds = tuple[float | None, float | None]  # from where on a number warns, and fails; None for never


@dataclass(frozen=True)
class Verdict:
    """One judged number.

    An ensemble is judged by the mean over its members, with a 95 % interval.
    """

    name: str  # a field of `kancli.stats.options.Verdicts`, or non_finite
    value: float | None  # the judged number, of the worst place; None where it has no value
    threshold: float | None  # the bound that decided: the worst one reached, else the next; None where there is none
    verdict: str | None  # pass, warn or fail; None where there is no value
    detail: str  # the worst place, or why there is no value
    low: float | None = None  # ends of the interval; None for a single model, or where fewer than two members count
    high: float | None = None
    n: int | None = None  # members that have a value; None for a single model

    def as_json(self) -> dict[str, Any]:
        """The entry in stats.json: `low`, `high` and `n` only for the mean of an ensemble."""
        entry = asdict(self)
        if self.n is None:
            del entry["low"], entry["high"], entry["n"]
        return entry


@dataclass(frozen=True)
class VerdictInput:
    """What a verdict looks at.

    The numbers `[s]` by place, such as layers; the worst place counts, by the mean over members.
    """

    numbers: Mapping[str, Array]
    low_is_bad: bool = False
    ratio: bool = False  # members of very different size: their geometric mean counts
    missing: str | None = None  # why there are none


@np.errstate(all="ignore")
def judge(found: NetworkStats, bounds: Mapping[str, Bounds], *, ensemble: bool) -> list[Verdict]:
    """Hold the statistics against the bounds.

    A number of several members is their mean, of ratios the geometric mean, with its 95 % interval; `n` says how many
    members have one. `threshold` is the bound that decided: the worst one reached, else the next. Where a number has no
    value there is no verdict: null, with the reason for `detail`.

    Args:
        bounds: by the name of a verdict; `Verdicts` in `kancli.settings` tells what each looks at.
    """
    bad = non_finite(found.layers)
    finite = Verdict(
        "non_finite",
        value=len(bad),
        threshold=0,
        verdict="fail" if bad else "pass",
        detail=format_non_finite(bad, ensemble) or "all values are finite",
    )
    if not found.network:  # nothing else was measured
        return [finite]
    undefined = {each: None for layer in found.layers for each in layer.undefined}
    reason = next((each for each in undefined if each != "nothing varies"), "nothing varies")
    inputs = _inputs(found).items()
    return [finite, *(_verdict(name, input, bounds[name], ensemble, input.missing or reason) for name, input in inputs)]


def _summary(numbers: Array, ratio: bool) -> dict[str, float]:
    if len(numbers) == 1:  # of the one member; as `summary_statistics` has it, in a fiftieth of its time
        (value,) = numbers.tolist()
        finite = math.isfinite(value)
        return {"mean": value if finite else math.nan, "low": math.nan, "high": math.nan, "n": int(finite)}
    if not ratio:
        return {name: float(each) for name, each in summary_statistics(numbers).items()}
    logs = np.log(np.where(np.isfinite(numbers), np.maximum(numbers, MIN_RATIO), np.nan))
    told = summary_statistics(logs)
    return {name: float(told[name] if name == "n" else np.exp(told[name])) for name in ("mean", "low", "high", "n")}


def _verdict(name: str, input: VerdictInput, bounds: Bounds, ensemble: bool, reason: str) -> Verdict:
    told = {where: _summary(each, input.ratio) for where, each in input.numbers.items()}
    means = {where: each["mean"] for where, each in told.items() if np.isfinite(each["mean"])}
    warn, fail = bounds
    if not means:
        return Verdict(name, None, _first(warn, fail), None, reason)
    where = (min if input.low_is_bad else max)(means, key=means.__getitem__)
    value = means[where]

    def reached(bound: float | None) -> bool:
        return bound is not None and (value <= bound if input.low_is_bad else value >= bound)

    verdict, threshold = ("pass", _first(warn, fail))
    if reached(fail):
        verdict, threshold = "fail", fail
    elif reached(warn):
        verdict, threshold = "warn", warn
    judged = Verdict(name, value, threshold, verdict, where)
    if not ensemble:
        return judged
    low, high = (told[where][end] if math.isfinite(told[where][end]) else None for end in ("low", "high"))
    return replace(judged, low=low, high=high, n=int(told[where]["n"]))


def _first(warn: float | None, fail: float | None) -> float | None:
    return fail if warn is None else warn


def _inputs(found: NetworkStats) -> dict[str, VerdictInput]:
    layers = found.layers
    growth = _running([layer.layer["gain"]["variance"] ** 0.5 for layer in layers])
    signal = {f"output of layer {number}": each for number, each in enumerate(growth)}
    gradient = {}
    if "ntk" in found.network:
        back = _running([layer.layer["gradient_gain"] for layer in reversed(layers)])
        gradient = {f"input of layer {number}": each for number, each in enumerate(reversed(back))}

    def by_layer(pick: Any, which: Sequence[LayerStats] = layers) -> dict[str, Array]:
        return {f"layer {number}": pick(layer.layer) for number, layer in enumerate(which)}

    unmeasured = None if "ntk" in found.network else "measured with stats=full"
    several = any(layer.n_out > 1 for layer in layers[:-1])
    return {
        "signal_vanishes": VerdictInput(signal, low_is_bad=True, ratio=True),
        "signal_explodes": VerdictInput(signal, ratio=True),
        "gradient_vanishes": VerdictInput(gradient, low_is_bad=True, ratio=True, missing=unmeasured),
        "gradient_explodes": VerdictInput(gradient, ratio=True, missing=unmeasured),
        "off_grid": VerdictInput(by_layer(lambda told: told["off_grid"])),
        "spline_inert": VerdictInput(by_layer(lambda told: told["spline_share"]), low_is_bad=True),
        "linear": VerdictInput(by_layer(lambda told: told["nonlinearity"]["max"]), low_is_bad=True),
        "rough": VerdictInput(by_layer(lambda told: told["roughness"]["mean"])),
        "nodes_degenerate": VerdictInput(
            by_layer(lambda told: told["edge_distance"], layers[:-1]),
            low_is_bad=True,
            missing=None if several else "no hidden layer of several nodes",
        ),
        "dead_edges": VerdictInput(by_layer(lambda told: told["flat_edges"])),
        "off_law": VerdictInput(_distances(layers), missing="no law with randomness"),
    }


def _running(gains: Sequence[Array]) -> list[Array]:
    """The products of the first, the first two, ..."""
    return list(itertools.accumulate(gains, np.multiply))


def _distances(layers: Sequence[LayerStats]) -> dict[str, Array]:
    """How many standard errors mean and std of each tensor are off its law, all members taken together, `[1]`."""
    found = {}
    for number, layer in enumerate(layers):
        for name, entry in layer.layer.items():
            if isinstance(entry, Mapping) and "z" in entry:
                for what, z in zip(("mean", "std"), pooled_z(entry), strict=True):
                    found[f"{what} of layer {number}'s {name}"] = np.array([abs(z)])
    return found
