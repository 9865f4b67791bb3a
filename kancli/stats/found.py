"""What was found out, by number, layer and member; joined over members, and told in plain values.

Shapes: s members (1 for a single model), i inputs, o outputs.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kancli.over_members import summarise
from kancli.stats.moments import Array
from kancli.tables import flat

SCHEMA = 2
NOT_MEASURED = "not measured at this level of stats"
# Why a number has no value where nothing went wrong: by what its name begins or ends with.
NONE_OF = {
    ".z": "its law has no randomness",
    ".z_std": "its law has no randomness",
    ".correlation.": "there is no pair of nodes that vary",
    ".edge_distance": "no two edges come out of one input, or all are 0",
}


@dataclass(frozen=True)
class LayerFound:
    """All that was found out about one layer of every member."""

    n_in: int
    n_out: int
    layer: dict[str, Any]  # names, or names of names, to [s]; plain numbers hold for all members
    nodes: dict[str, Array]  # [s, i]
    edges: dict[str, Array]  # [s, i, o]
    undefined: list[str]  # by member, why a number of it has no value
    non_finite: list[str | None]  # by member, where the first value is that is infinite or NaN


@dataclass(frozen=True)
class Found:
    """All that was found out about every member."""

    layers: list[LayerFound]
    network: dict[str, dict[str, Array]]  # `propagation`, `jacobian`, `ntk`, where measured: names to [s], or [s, n]

    def member(self, index: int) -> Found:
        """What was found out about one of them, as if it had been alone."""

        def picked(value: Any) -> Any:
            if isinstance(value, dict):
                return {name: picked(each) for name, each in value.items()}
            return value[index : index + 1] if isinstance(value, (np.ndarray, list)) else value

        return Found([LayerFound(**picked(vars(layer))) for layer in self.layers], picked(self.network))


def join(parts: Sequence[Found]) -> Found:
    """What was found out about some members after what was found out about others."""

    def joined(values: Sequence[Any]) -> Any:
        first = values[0]
        if isinstance(first, Mapping):
            return {name: joined([each[name] for each in values]) for name in first}
        if isinstance(first, np.ndarray):
            return np.concatenate(values)
        return list(itertools.chain(*values)) if isinstance(first, list) else first

    layers = [
        LayerFound(**joined([vars(each) for each in same]))
        for same in zip(*(part.layers for part in parts), strict=True)
    ]
    return Found(layers, joined([part.network for part in parts]))


def non_finite(layers: Sequence[LayerFound]) -> dict[int, str]:
    """Layer, edge and branch of the first value that is infinite or NaN, in forward order, by member that has one."""
    found: dict[int, str] = {}
    for number, layer in enumerate(layers):
        for member, where in enumerate(layer.non_finite):
            if where is not None:
                found.setdefault(member, f"layer {number}, {where}")
    return dict(sorted(found.items()))


def describe(bad: Mapping[int, str], ensemble: bool) -> str | None:
    """The first value that is infinite or NaN, in words; None where there is none."""
    if not bad:
        return None
    member, where = next(iter(bad.items()))
    if not ensemble:
        return where
    return f"member {member}, {where}" + (f"; {len(bad)} members in all" if len(bad) > 1 else "")


def member_rows(layers: Sequence[LayerFound], seed: int) -> list[dict[str, Any]]:
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
def report(found: Found, verdicts: Sequence[Mapping[str, Any]], *, epsilon: float, ensemble: bool) -> dict[str, Any]:
    """The contents of stats.json: plain values, null where a number is undefined, with the reasons under `reasons`.

    Args:
        epsilon: of the model's number type.
        ensemble: whether each number is told as `summarise` tells it, and not as that of the one member.
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
        "verdicts": list(verdicts),
        "reasons": reasons,
    }


def _layer(number: int, layer: LayerFound, ensemble: bool, reasons: dict[str, str]) -> dict[str, Any]:
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
    return summarise(values, quantiles=quantiles) if ensemble else values[0]


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
