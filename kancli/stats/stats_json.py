"""Convert statistics to plain values: the contents of stats.json and members.csv."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kancli.stats.budgets import MAX_BASES
from kancli.stats.columns import flat
from kancli.stats.network_stats import BELOW_ROUNDING, LayerStats, NetworkStats
from kancli.stats.summary import scale_of, summary_statistics
from kancli.stats.verdicts import Verdict

SCHEMA = 2
NO_INTERVAL = "no interval of this statistic holds over few members, or it is 0 in some of them"
ONE_SINGULAR_VALUE = "the Jacobian of one input or one output has one singular value"
NOT_MEASURED = "not measured at this level of stats"
NO_BUDGET = (
    "no budget: it needs a scheme's draws, one law for all edges, coefficients of mean 0, knots as they were,"
    f" and at most {MAX_BASES} bases"
)
# Reasons why a number has no value although nothing is wrong, by a part of its path.
UNDEFINED_REASONS = {
    ".z": "its law has no randomness",
    ".z_std": "its law has no randomness",
    ".correlation.": "there is no pair of nodes that vary",
    ".node_distance": "there is no pair of nodes that vary, or the values entering are one variable",
    ".square.": NO_BUDGET,
    ".backward.law": NO_BUDGET,
    ".edge_distance": "no two edges come out of one input, or all are 0",
}


def member_rows(layers: Sequence[LayerStats], seed: int) -> list[dict[str, Any]]:
    """One row per member and layer: the layer's statistics by column, such as `coef_mean`; None where undefined."""
    tables = []
    for number, layer in enumerate(layers):
        columns = {"layer": number, **flat(plain(layer.layer, "", {}, ""))}
        lists = [column if isinstance(column, list) else itertools.repeat(column) for column in columns.values()]
        rows = zip(range(len(layer.undefined)), *lists)
        tables.append(
            [{"member": row[0], "seed": seed + row[0], **dict(zip(columns, row[1:], strict=True))} for row in rows]
        )
    return [row for member in zip(*tables, strict=True) for row in member]


@np.errstate(all="ignore")
def as_json(stats: NetworkStats, verdicts: Sequence[Verdict], *, epsilon: float, ensemble: bool) -> dict[str, Any]:
    """The contents of stats.json: plain values, None where a number is undefined, with the reason under `reasons`.

    Args:
        epsilon: of the model's dtype.
        ensemble: write the `summary_statistics` over members instead of the values of the only member.
    """
    reasons: dict[str, str] = {}
    layers = [_layer(number, layer, ensemble, reasons) for number, layer in enumerate(stats.layers)]
    if not layers:
        reasons["layers"] = NOT_MEASURED
    network: dict[str, Any] = {}
    for name in ("propagation", "jacobian", "ntk"):
        if name not in stats.network:
            network[name], reasons[name] = None, NOT_MEASURED
            continue
        entry = _over_members(stats.network[name], ensemble, f"{name}_", quantiles=True)
        network[name] = plain(entry, name, reasons, "some values are not finite, or 0")
        if name == "jacobian" and 1 in (stats.layers[0].n_in, stats.layers[-1].n_out):
            reasons |= {path: ONE_SINGULAR_VALUE for path in reasons if path.startswith("jacobian.condition")}
    return {
        "schema": SCHEMA,
        "epsilon": epsilon,
        "layers": layers,
        **network,
        "verdicts": [verdict.as_json() for verdict in verdicts],
        "reasons": reasons,
    }


def _layer(number: int, layer: LayerStats, ensemble: bool, reasons: dict[str, str]) -> dict[str, Any]:
    undefined = next((reason for reason in layer.undefined if reason != "nothing varies"), layer.undefined[0])
    entry: dict[str, Any] = {"layer": number, "n_in": layer.n_in, "n_out": layer.n_out}
    entry |= _over_members(layer.layer, ensemble, "", quantiles=True)
    entry["nodes"] = _over_members(layer.nodes, ensemble, "")
    if layer.edges:
        sources, targets = (index.ravel() for index in np.indices((layer.n_in, layer.n_out)))
        entry["edges"] = {"in": sources, "out": targets, **_over_members(layer.edges, ensemble, "")}
    return plain(entry, f"layers.{number}", reasons, undefined)


def _over_members(values: Mapping[str, Any], ensemble: bool, prefix: str, *, quantiles: bool = False) -> dict[str, Any]:
    """Reduce arrays `[s, ...]` to the values of the only member, or to their summary over members.

    Args:
        prefix: of the columns of the values.
    """
    reduced: dict[str, Any] = {}
    for name, value in values.items():
        column = f"{prefix}{name}"
        if isinstance(value, dict):
            reduced[name] = _over_members(value, ensemble, f"{column}_", quantiles=quantiles)
        elif not isinstance(value, np.ndarray):
            reduced[name] = value
        else:
            reduced[name] = summary_statistics(value, scale_of(column), quantiles=quantiles) if ensemble else value[0]
    return reduced


def plain(value: Any, path: str, reasons: dict[str, str], undefined: str) -> Any:
    """Convert numbers to int or float and arrays to flat lists; infinities and NaN become None.

    Args:
        path: of the value in stats.json.
        reasons: receives the reason for a None, by the path of the number or the list.
        undefined: the reason, unless a number overflowed.
    """
    if isinstance(value, dict):
        has_only_mean = "low" in value and np.isfinite(value["mean"]).all()
        return {
            name: plain(
                entry,
                f"{path}.{name}",
                reasons,
                NO_INTERVAL if has_only_mean and name in ("low", "high") else undefined,
            )
            for name, entry in value.items()
        }
    if isinstance(value, float) and math.isfinite(value):  # the common case, ten times as fast as the general one
        return float(value)
    array = np.asarray(value)
    if array.dtype.kind in "iu":
        return array.ravel().tolist() if array.ndim else int(array)
    row = array.ravel()
    finite = np.isfinite(row)
    numbers = row.tolist()
    if not finite.all():
        numbers = [number if is_finite else None for number, is_finite in zip(numbers, finite.tolist(), strict=True)]
        reasons[path] = _reason(path, undefined) if np.isnan(row).any() else "overflow"
    return numbers if array.ndim else numbers[0]


def _reason(path: str, undefined: str) -> str:
    if undefined not in ("nothing varies", BELOW_ROUNDING):
        return undefined
    return next((reason for name, reason in UNDEFINED_REASONS.items() if name in path), undefined)
