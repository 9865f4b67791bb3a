"""Judge statistics against bounds from the config: pass, warn, fail or undecided.

Shapes: s members (1 for a single model).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kancli.stats.law_distance import chance_probabilities
from kancli.stats.network_stats import LayerStats, NetworkStats, format_non_finite, non_finite
from kancli.stats.options import statement, verdict_scales
from kancli.stats.propagation import MIN_LAYERS
from kancli.stats.running_moments import Array
from kancli.stats.scales import Scale
from kancli.stats.summary import summary_statistics

ONE_INPUT = "one input: all nodes are functions of it, alike under any weights"
MIN_CONTRASTS = 8  # n_in (n_out - 1), the weights by which nodes may differ: with fewer, chance makes them alike
FEW_WEIGHTS = f"few weights: nodes are alike by chance where n_in (n_out - 1) is below {MIN_CONTRASTS}"
NO_SPLINES = "an MLP has no grid and no splines"
Bounds = tuple[float | None, float | None]  # warn and fail from here on; None for never


@dataclass(frozen=True)
class Verdict:
    """One judged number.

    An ensemble is judged by the mean over its members, with a 95 % interval.
    """

    name: str  # a field of `kancli.stats.options.Verdicts`, or non_finite
    value: float | None  # the judged number, of the worst place; None where it has no value
    threshold: float | None  # the bound that decided: the worst one reached, else the next; None where there is none
    verdict: str | None  # pass, warn, fail or, of an ensemble, undecided; None where there is no value
    detail: str  # the worst place, or why there is no value
    low: float | None = None  # ends of the interval; None for a single model, or where fewer than two members count
    high: float | None = None
    n: int | None = None  # members that have a value; None for a single model

    def as_json(self) -> dict[str, Any]:
        """The entry in stats.json, with its statement: `low`, `high` and `n` only for the mean of an ensemble."""
        entry = {
            "name": self.name,
            "statement": statement(self.name),
            "value": self.value,
            "threshold": self.threshold,
            "verdict": self.verdict,
            "detail": self.detail,
        }
        if self.n is not None:
            entry |= {"low": self.low, "high": self.high, "n": self.n}
        return entry


@dataclass(frozen=True)
class VerdictInput:
    """Input of one verdict: its values by place, and the direction that is bad.

    The worst place of each member counts.
    """

    values: Mapping[str, Array]  # [s] by place, such as a layer
    low_is_bad: bool = False
    missing: str | None = None  # why there are no values


@np.errstate(all="ignore")
def judge(stats: NetworkStats, bounds: Mapping[str, Bounds], *, ensemble: bool) -> list[Verdict]:
    """Judge statistics against bounds.

    The value of an ensemble is the mean over its members on the verdict's scale, as that over runs with their seeds. It
    is undecided where a bound lies within the interval of that mean.

    Args:
        bounds: by the name of a verdict, as in `kancli.stats.options.Verdicts`.
    """
    finite = _judge_finiteness(stats, ensemble)
    if not stats.network:  # level "none"
        return [finite]
    reasons = [reason for layer in stats.layers for reason in layer.undefined]
    reason = next((reason for reason in reasons if reason != "nothing varies"), "nothing varies")
    return [finite, *judge_inputs(verdict_inputs(stats), bounds, ensemble=ensemble, undefined=reason)]


@np.errstate(all="ignore")
def judge_inputs(
    inputs: Mapping[str, VerdictInput], bounds: Mapping[str, Bounds], *, ensemble: bool, undefined: str
) -> list[Verdict]:
    """Judge numbers by the names of their verdicts, as `judge` does.

    Args:
        undefined: why a number has no value where its input does not say.
    """
    return [_judge(name, input, bounds[name], ensemble, undefined) for name, input in inputs.items()]


def _judge_finiteness(stats: NetworkStats, ensemble: bool) -> Verdict:
    locations = non_finite(stats.layers)
    return Verdict(
        "non_finite",
        value=len(locations),
        threshold=0,
        verdict="fail" if locations else "pass",
        detail=format_non_finite(locations, ensemble) or "all values are finite",
    )


def _judge(name: str, input: VerdictInput, bounds: Bounds, ensemble: bool, undefined: str) -> Verdict:
    warn, fail = bounds
    next_bound = fail if warn is None else warn
    values, detail = _worst(input)
    if values is None:
        return Verdict(name, None, next_bound, None, input.missing or undefined)
    summary = _summary(values, verdict_scales()[name])
    value = summary["mean"]

    def reaches(value: float, bound: float | None) -> bool:
        return bound is not None and (value <= bound if input.low_is_bad else value >= bound)

    if reaches(value, fail):
        verdict = Verdict(name, value, fail, "fail", detail)
    elif reaches(value, warn):
        verdict = Verdict(name, value, warn, "warn", detail)
    else:
        verdict = Verdict(name, value, next_bound, "pass", detail)
    if not ensemble:
        return verdict
    low, high = (summary[end] if math.isfinite(summary[end]) else None for end in ("low", "high"))
    verdict = replace(verdict, low=low, high=high, n=int(summary["n"]))
    if low is None or high is None:
        return verdict
    within = [bound for bound in (fail, warn) if reaches(low, bound) != reaches(high, bound)]
    return replace(verdict, verdict="undecided", threshold=within[0]) if within else verdict


def _worst(input: VerdictInput) -> tuple[Array | None, str]:
    """The value of each member at its worst place, `[s]`, NaN where it has none; and the place, of most members."""
    if not input.values:
        return None, ""
    values = np.array(list(input.values.values()))  # [places, s]
    limit = math.inf if input.low_is_bad else -math.inf
    comparable = np.where(np.isfinite(values), values, limit)
    worst = (np.argmin if input.low_is_bad else np.argmax)(comparable, axis=0)
    found = np.take_along_axis(comparable, worst[None], axis=0)[0]
    has_value = np.isfinite(found)
    if not has_value.any():
        return None, ""
    counts = np.bincount(worst[has_value])
    place, n = list(input.values)[counts.argmax()], int(has_value.sum())
    detail = place if counts.max() == n else f"{place} in {counts.max()} of {n} members"
    return np.where(has_value, found, math.nan), detail


def _summary(values: Array, scale: Scale) -> dict[str, float]:
    if len(values) == 1:  # as `summary_statistics`, in a fiftieth of its time
        (value,) = values.tolist()
        finite = math.isfinite(value)
        return {"mean": value if finite else math.nan, "low": math.nan, "high": math.nan, "n": int(finite)}
    return {name: float(number) for name, number in summary_statistics(values, scale).items()}


def verdict_inputs(stats: NetworkStats) -> dict[str, VerdictInput]:
    """The input of each verdict by its name, in the order of `kancli.stats.options.Verdicts`."""
    layers = stats.layers
    signal, gradient = _signal(layers), {}
    if "ntk" in stats.network:
        gradient = _gradient(layers)

    def of_splines(pick: Callable[[dict[str, Any]], Array], *, low_is_bad: bool = False) -> VerdictInput:
        if any("off_grid" not in layer.layer for layer in layers):
            return VerdictInput({}, missing=NO_SPLINES)
        values = {f"layer {number}": pick(layer.layer) for number, layer in enumerate(layers)}
        return VerdictInput(values, low_is_bad=low_is_bad)

    no_gradient = None if gradient else "measured with stats=full"
    return {
        "signal_vanishes": VerdictInput(signal, low_is_bad=True),
        "signal_explodes": VerdictInput(signal),
        "signal_contracts": VerdictInput(
            {"a layer": np.exp(stats.network["propagation"]["signal_high"])},
            low_is_bad=True,
            missing=None if len(layers) >= MIN_LAYERS else f"fewer than {MIN_LAYERS} layers",
        ),
        "gradient_vanishes": VerdictInput(gradient, low_is_bad=True, missing=no_gradient),
        "gradient_explodes": VerdictInput(gradient, missing=no_gradient),
        "off_grid": of_splines(lambda layer: layer["off_grid"]),
        "spline_inert": of_splines(lambda layer: layer["spline_share"], low_is_bad=True),
        "linear": of_splines(lambda layer: layer["nonlinearity"]["max"], low_is_bad=True),
        "rough": of_splines(lambda layer: layer["roughness"]["mean"]),
        "nodes_degenerate": _node_distance(layers[:-1]),
        "dead_edges": of_splines(lambda layer: layer["flat_edges"]),
        "off_law": VerdictInput(_chances(layers), low_is_bad=True, missing=_no_chances(layers)),
    }


def _node_distance(hidden: Sequence[LayerStats]) -> VerdictInput:
    several = {number: layer for number, layer in enumerate(hidden) if layer.n_out > 1}
    free = {number: layer for number, layer in several.items() if layer.n_in > 1}
    judged = {
        f"layer {number}": layer.layer["node_distance"]
        for number, layer in free.items()
        if layer.n_in * (layer.n_out - 1) >= MIN_CONTRASTS
    }
    missing = None if judged else FEW_WEIGHTS if free else ONE_INPUT if several else "no hidden layer of several nodes"
    return VerdictInput(judged, low_is_bad=True, missing=missing)


def _signal(layers: Sequence[LayerStats]) -> dict[str, Array]:
    """Std of the nodes after each layer over that of the inputs."""
    growth = itertools.accumulate((layer.layer["gain"]["variance"] ** 0.5 for layer in layers), np.multiply)
    return {f"output of layer {number}": ratio for number, ratio in enumerate(growth)}


def _gradient(layers: Sequence[LayerStats]) -> dict[str, Array]:
    """Norm of the gradient with respect to the values entering each layer over that with respect to the outputs.

    Norms, root mean square times sqrt(nodes): an orthogonal map between layers of any two widths keeps them.
    """
    gains = (layer.layer["gradient_gain"] * math.sqrt(layer.n_in / layer.n_out) for layer in reversed(layers))
    growth = list(itertools.accumulate(gains, np.multiply))
    return {f"input of layer {number}": ratio for number, ratio in enumerate(reversed(growth))}


def _no_chances(layers: Sequence[LayerStats]) -> str:
    """Why no tensor is held against its law."""
    entries = (entry for layer in layers for entry in layer.layer.values() if isinstance(entry, Mapping))
    has_laws = any("declared_mean" in entry for entry in entries)
    return "no law with randomness" if has_laws else "no law is known: the parameters are not known to be as drawn"


def _chances(layers: Sequence[LayerStats]) -> dict[str, Array]:
    return {place: np.array([probability]) for place, probability in chance_probabilities(layers).items()}
