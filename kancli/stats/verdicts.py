"""Judge statistics against bounds from the config: pass, warn or fail.

Shapes: s members (1 for a single model).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from kancli.stats.law_distance import chance_probabilities
from kancli.stats.network_stats import LayerStats, NetworkStats, format_non_finite, non_finite
from kancli.stats.propagation import MIN_LAYERS
from kancli.stats.running_moments import Array
from kancli.stats.summary import summary_statistics

MIN_RATIO = 1e-300  # smaller ratios, 0 among them, count as this, so that their log is finite
ONE_INPUT = "one input: all nodes are functions of it, alike under any weights"
Bounds = tuple[float | None, float | None]  # warn and fail from here on; None for never


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
    """Input of one verdict: its values by place, and the direction that is bad.

    The worst place counts, by its mean over members.
    """

    values: Mapping[str, Array]  # [s] by place, such as a layer
    low_is_bad: bool = False
    ratio: bool = False  # average by the geometric mean: ratios of members differ by orders of magnitude
    missing: str | None = None  # why there are no values


@np.errstate(all="ignore")
def judge(stats: NetworkStats, bounds: Mapping[str, Bounds], *, ensemble: bool) -> list[Verdict]:
    """Judge statistics against bounds.

    The value of an ensemble is the mean over its members, of ratios the geometric mean.

    Args:
        bounds: by the name of a verdict, as in `kancli.stats.options.Verdicts`.
    """
    finite = _judge_finiteness(stats, ensemble)
    if not stats.network:  # level "none"
        return [finite]
    reasons = [reason for layer in stats.layers for reason in layer.undefined]
    reason = next((reason for reason in reasons if reason != "nothing varies"), "nothing varies")
    inputs = verdict_inputs(stats).items()
    return [finite, *(_judge(name, input, bounds[name], ensemble, reason) for name, input in inputs)]


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
    summaries = {place: _summary(values, input.ratio) for place, values in input.values.items()}
    means = {place: summary["mean"] for place, summary in summaries.items() if np.isfinite(summary["mean"])}
    if not means:
        return Verdict(name, None, next_bound, None, input.missing or undefined)
    place = (min if input.low_is_bad else max)(means, key=means.__getitem__)
    value = means[place]

    def reaches(bound: float | None) -> bool:
        return bound is not None and (value <= bound if input.low_is_bad else value >= bound)

    if reaches(fail):
        verdict = Verdict(name, value, fail, "fail", place)
    elif reaches(warn):
        verdict = Verdict(name, value, warn, "warn", place)
    else:
        verdict = Verdict(name, value, next_bound, "pass", place)
    if not ensemble:
        return verdict
    summary = summaries[place]
    low, high = (summary[end] if math.isfinite(summary[end]) else None for end in ("low", "high"))
    return replace(verdict, low=low, high=high, n=int(summary["n"]))


def _summary(values: Array, ratio: bool) -> dict[str, float]:
    if len(values) == 1:  # as `summary_statistics`, in a fiftieth of its time
        (value,) = values.tolist()
        finite = math.isfinite(value)
        return {"mean": value if finite else math.nan, "low": math.nan, "high": math.nan, "n": int(finite)}
    if not ratio:
        return {name: float(number) for name, number in summary_statistics(values).items()}
    logs = np.log(np.where(np.isfinite(values), np.maximum(values, MIN_RATIO), np.nan))
    summary = summary_statistics(logs)
    return {name: float(number if name == "n" else np.exp(number)) for name, number in summary.items()}


def verdict_inputs(stats: NetworkStats) -> dict[str, VerdictInput]:
    """The input of each verdict by its name, in the order of `kancli.stats.options.Verdicts`."""
    layers = stats.layers
    signal, gradient = _signal(layers), {}
    if "ntk" in stats.network:
        gradient = _gradient(layers)

    def by_layer(pick: Callable[[dict[str, Any]], Array], layers: Sequence[LayerStats] = layers) -> dict[str, Array]:
        return {f"layer {number}": pick(layer.layer) for number, layer in enumerate(layers)}

    no_gradient = None if gradient else "measured with stats=full"
    has_pairs = any(layer.n_out > 1 for layer in layers[:-1])
    has_choice = any(layer.n_out > 1 and layer.n_in > 1 for layer in layers[:-1])
    return {
        "signal_vanishes": VerdictInput(signal, low_is_bad=True, ratio=True),
        "signal_explodes": VerdictInput(signal, ratio=True),
        "signal_contracts": VerdictInput(
            {"a layer": np.exp(stats.network["propagation"]["signal_high"])},
            low_is_bad=True,
            ratio=True,
            missing=None if len(layers) >= MIN_LAYERS else f"fewer than {MIN_LAYERS} layers",
        ),
        "gradient_vanishes": VerdictInput(gradient, low_is_bad=True, ratio=True, missing=no_gradient),
        "gradient_explodes": VerdictInput(gradient, ratio=True, missing=no_gradient),
        "off_grid": VerdictInput(by_layer(lambda layer: layer["off_grid"])),
        "spline_inert": VerdictInput(by_layer(lambda layer: layer["spline_share"]), low_is_bad=True),
        "linear": VerdictInput(by_layer(lambda layer: layer["nonlinearity"]["max"]), low_is_bad=True),
        "rough": VerdictInput(by_layer(lambda layer: layer["roughness"]["mean"])),
        "nodes_degenerate": VerdictInput(
            by_layer(lambda layer: layer["node_distance"], layers[:-1]),
            low_is_bad=True,
            missing="no hidden layer of several nodes" if not has_pairs else None if has_choice else ONE_INPUT,
        ),
        "dead_edges": VerdictInput(by_layer(lambda layer: layer["flat_edges"])),
        "off_law": VerdictInput(_chances(layers), low_is_bad=True, missing="no law with randomness"),
    }


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


def _chances(layers: Sequence[LayerStats]) -> dict[str, Array]:
    return {place: np.array([probability]) for place, probability in chance_probabilities(layers).items()}
