"""Statistics as plain values: the contents of stats.json and members.csv."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from kancli.stats.columns import flat
from kancli.stats.network_stats import LayerStats, NetworkStats
from kancli.stats.summary import summary_statistics
from kancli.stats.verdicts import Verdict

SCHEMA = 2


NOT_MEASURED = "not measured at this level of stats"


# Why a number has no value where nothing went wrong: by what its name begins or ends with.
NONE_OF = {
    ".z": "its law has no randomness",
    ".z_std": "its law has no randomness",
    ".correlation.": "there is no pair of nodes that vary",
    ".edge_distance": "no two edges come out of one input, or all are 0",
}


def member_rows(layers: Sequence[LayerStats], seed: int) -> list[dict[str, Any]]:
    """One row for each member and layer: the statistics of the layer by their names, `coef_mean` and the like; None
    where undefined."""
    tables = []
    for number, layer in enumerate(layers):
        columns = {"layer": number, **flat(plain(layer.layer, "", {}, ""))}
        lists = [each if isinstance(each, list) else itertools.repeat(each) for each in columns.values()]
        rows = zip(range(len(layer.undefined)), *lists)
        tables.append(
            [{"member": row[0], "seed": seed + row[0], **dict(zip(columns, row[1:], strict=True))} for row in rows]
        )
    return [row for member in zip(*tables, strict=True) for row in member]


@np.errstate(all="ignore")
def as_json(found: NetworkStats, verdicts: Sequence[Verdict], *, epsilon: float, ensemble: bool) -> dict[str, Any]:
    """The contents of stats.json: plain values, null where a number is undefined, with the reasons under `reasons`.

    Args:
        epsilon: of the model's number type.
        ensemble: whether each number is told as `summary_statistics` tells it, and not as that of the one member.
    """
    reasons: dict[str, str] = {}
    layers = [_layer(number, layer, ensemble, reasons) for number, layer in enumerate(found.layers)]
    if not layers:
        reasons["layers"] = NOT_MEASURED
    network = {}
    for name in ("propagation", "jacobian", "ntk"):
        network[name] = None
        if name not in found.network:
            reasons[name] = NOT_MEASURED
        else:
            told = _tell(found.network[name], ensemble, quantiles=True)
            network[name] = plain(told, name, reasons, "some values are not finite, or 0")
    return {
        "schema": SCHEMA,
        "epsilon": epsilon,
        "layers": layers,
        **network,
        "verdicts": [verdict.as_json() for verdict in verdicts],
        "reasons": reasons,
    }


def _layer(number: int, layer: LayerStats, ensemble: bool, reasons: dict[str, str]) -> dict[str, Any]:
    undefined = next((each for each in layer.undefined if each != "nothing varies"), layer.undefined[0])
    entry: dict[str, Any] = {"layer": number, "n_in": layer.n_in, "n_out": layer.n_out}
    entry |= _tell(layer.layer, ensemble, quantiles=True)
    entry["nodes"] = _tell(layer.nodes, ensemble)
    sources, targets = (each.ravel() for each in np.indices((layer.n_in, layer.n_out)))
    entry["edges"] = {"in": sources, "out": targets, **_tell(layer.edges, ensemble)}
    return plain(entry, f"layers.{number}", reasons, undefined)


def _tell(values: Any, ensemble: bool, quantiles: bool = False) -> Any:
    """Arrays over members as what is told of them: the one member's number or numbers, or a summary."""
    if isinstance(values, dict):
        return {name: _tell(each, ensemble, quantiles) for name, each in values.items()}
    if not isinstance(values, np.ndarray):
        return values
    return summary_statistics(values, quantiles=quantiles) if ensemble else values[0]


def plain(value: Any, path: str, reasons: dict[str, str], undefined: str) -> Any:
    """Numbers as int or float, arrays as flat lists of them; what is not finite becomes None, with the reason filed
    under the path of the number or the list."""
    if isinstance(value, dict):
        return {name: plain(entry, f"{path}.{name}", reasons, undefined) for name, entry in value.items()}
    if isinstance(value, float) and math.isfinite(value):  # most are; an array of one takes ten times as long
        return float(value)
    array = np.asarray(value)
    if array.dtype.kind in "iu":
        return array.ravel().tolist() if array.ndim else int(array)
    row = array.ravel()
    finite = np.isfinite(row)
    numbers = row.tolist()
    if not finite.all():
        numbers = [number if good else None for number, good in zip(numbers, finite.tolist(), strict=True)]
        reasons[path] = _reason(path, undefined) if np.isnan(row).any() else "overflow"
    return numbers if array.ndim else numbers[0]


def _reason(path: str, undefined: str) -> str:
    if undefined != "nothing varies":
        return undefined
    return next((reason for name, reason in NONE_OF.items() if f"{name}." in f"{path}." or name in path), undefined)
