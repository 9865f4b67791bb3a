"""What an initialisation did, in numbers: parameters and signal, per layer, node and edge, over chunks of samples.

All sums are float64. Measuring reads the model and changes nothing. Shapes: s members (1 for a single model), i inputs,
o outputs.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch

from kancli.model import KAN, KANLayer, LayerTrace
from kancli.stats.moments import Array
from kancli.stats.over_members import summarise
from kancli.stats.signal import LayerScope, LayerSignal, as_array

__all__ = ["SCHEMA", "Collector", "Declared", "LayerFound", "LayerScope", "join", "parameters", "report"]

SCHEMA = 1
NOT_MEASURED = "not measured at this level of stats"
_QUIET = np.errstate(all="ignore")  # infinities and 0/0 are reported by name and reason, not by warnings


class Declared(NamedTuple):
    """What a scheme's law says of one tensor."""

    mean: float
    std: float
    mean_error: float  # standard error of the mean of all entries


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


class Collector:
    """Takes in the traces of a model chunk by chunk, then tells what happened.

    Args:
        declared: per layer, what the scheme's law says of each tensor; leave out where no law is known.
        more: per layer, further statistics to tell of it, `[s]` each, by name.
    """

    def __init__(
        self,
        model: KAN,
        declared: Sequence[Mapping[str, Declared]] | None = None,
        more: Sequence[dict[str, Any]] | None = None,
    ) -> None:
        self.model = model
        self.declared = [{}] * len(model.layers) if declared is None else declared
        self.more = [{}] * len(model.layers) if more is None else more
        self.signals = [LayerSignal(layer) for layer in self.model.layers]

    @_QUIET
    def update(self, traces: Sequence[LayerTrace]) -> None:
        """Take in one chunk of samples: a trace for each layer."""
        for signal, trace in zip(self.signals, traces, strict=True):
            signal.update(trace)

    @_QUIET
    def scopes(self) -> list[LayerScope]:
        """What the figures need, of the first member: range and strength, layer by layer."""
        return [signal.scope() for signal in self.signals]

    @_QUIET
    def found(self) -> list[LayerFound]:
        """All statistics, layer by layer."""
        return [
            LayerFound(
                layer.n_in,
                layer.n_out,
                {**parameters(layer, declared), **more, **signal.layer()},
                signal.nodes(),
                {**_edge_parameters(layer), **signal.edges()},
                signal.why_undefined(),
                signal.non_finite(),
            )
            for layer, declared, more, signal in zip(
                self.model.layers, self.declared, self.more, self.signals, strict=True
            )
        ]


@_QUIET
def parameters(layer: KANLayer, declared: Mapping[str, Declared]) -> dict[str, dict[str, Any]]:
    """What was drawn against what the scheme declares, tensor by tensor, `[s]` each.

    Mean, std (divided by n), least and greatest value of each of the layer's tensors; `declared_mean` and
    `declared_std` of the law; `mean_error`, the law's standard error of the mean; and `z` = (mean - declared_mean) /
    mean_error, null for a law with no randomness that was met.
    """
    found = {}
    for name, tensor in layer.named_parameters():
        values = as_array(tensor).reshape(layer.n_members or 1, -1)
        entry = {"mean": values.mean(axis=1), "std": values.std(axis=1)}
        entry |= {"min": values.min(axis=1), "max": values.max(axis=1)}
        if name in declared:
            law = declared[name]
            z = (entry["mean"] - law.mean) / np.float64(law.mean_error)
            entry |= {"declared_mean": law.mean, "declared_std": law.std, "mean_error": law.mean_error, "z": z}
        found[name] = entry
    return found


def _edge_parameters(layer: KANLayer) -> dict[str, Array]:
    shape = (layer.n_members or 1, layer.n_in, layer.n_out)
    coef = as_array(layer.coef).reshape(*shape, -1)
    return {
        "scale_base": as_array(layer.scale_base).reshape(shape),
        "scale_sp": as_array(layer.scale_sp).reshape(shape),
        "coef_mean": coef.mean(axis=-1),
        "coef_std": coef.std(axis=-1),
    }


def join(parts: Sequence[list[LayerFound]]) -> list[LayerFound]:
    """What was found out about some members after what was found out about others."""

    def joined(values: Sequence[Any]) -> Any:
        if isinstance(values[0], Mapping):
            return {name: joined([each[name] for each in values]) for name in values[0]}
        if isinstance(values[0], np.ndarray):
            return np.concatenate(values)
        return list(itertools.chain(*values)) if isinstance(values[0], list) else values[0]

    return [LayerFound(**joined([vars(each) for each in layers])) for layers in zip(*parts, strict=True)]


def non_finite(layers: Sequence[LayerFound]) -> dict[int, str]:
    """Layer, edge and branch of the first value that is infinite or NaN, in forward order, by member that has one."""
    found: dict[int, str] = {}
    for number, layer in enumerate(layers):
        for member, where in enumerate(layer.non_finite):
            if where is not None:
                found.setdefault(member, f"layer {number}, {where}")
    return dict(sorted(found.items()))


@_QUIET
def report(layers: Sequence[LayerFound], dtype: torch.dtype, *, ensemble: bool, level: str = "basic") -> dict[str, Any]:
    """The contents of stats.json: plain values, null where a number is undefined, with the reasons under `reasons`.

    Args:
        dtype: of the model.
        ensemble: whether each number is told as `summarise` tells it, and not as that of the one member.
        level: "none" leaves all but the verdicts out.
    """
    reasons = {"jacobian": NOT_MEASURED, "ntk": NOT_MEASURED}
    told = []
    if level == "none":
        reasons["layers"] = NOT_MEASURED
    else:
        told = [_layer(number, layer, ensemble, reasons) for number, layer in enumerate(layers)]
    bad = non_finite(layers)
    verdict = {
        "name": "non_finite",
        "value": len(bad),
        "threshold": 0,
        "verdict": "fail" if bad else "pass",
        "detail": describe(bad, ensemble) or "all values are finite",
    }
    return {
        "schema": SCHEMA,
        "epsilon": torch.finfo(dtype).eps,
        "layers": told,
        "jacobian": None,
        "ntk": None,
        "verdicts": [verdict],
        "reasons": reasons,
    }


def describe(bad: Mapping[int, str], ensemble: bool) -> str | None:
    """The first value that is infinite or NaN, in words; None where there is none."""
    if not bad:
        return None
    member, where = next(iter(bad.items()))
    if not ensemble:
        return where
    return f"member {member}, {where}" + (f"; {len(bad)} members in all" if len(bad) > 1 else "")


def member_rows(layers: Sequence[LayerFound], seed: int) -> list[dict[str, Any]]:
    """One row for each member and layer: the statistics of the layer, None where undefined."""
    members = range(len(layers[0].undefined)) if layers else ()
    return [
        {"member": member, "seed": seed + member, "layer": number, **plain(_pick(layer.layer, member), "", {}, "")}
        for member in members
        for number, layer in enumerate(layers)
    ]


def _layer(number: int, layer: LayerFound, ensemble: bool, reasons: dict[str, str]) -> dict[str, Any]:
    path = f"layers.{number}"

    def tell(values: Any, quantiles: bool = False) -> Any:
        if not ensemble:
            return _pick(values, 0)
        if isinstance(values, Mapping):
            return {name: tell(each, quantiles) for name, each in values.items()}
        return summarise(values, quantiles=quantiles) if isinstance(values, np.ndarray) else values

    undefined = next((each for each in layer.undefined if each != "nothing varies"), layer.undefined[0])
    entry = {"layer": number, "n_in": layer.n_in, "n_out": layer.n_out, **tell(layer.layer, quantiles=True)}
    entry["nodes"] = {name: _each(each) for name, each in tell(layer.nodes).items()}
    sources, targets = (each.ravel().tolist() for each in np.indices((layer.n_in, layer.n_out)))
    columns = {"in": sources, "out": targets, **{name: _each(each) for name, each in tell(layer.edges).items()}}
    entry["edges"] = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return plain(entry, path, reasons, undefined)


def _each(values: Array | Mapping[str, Array]) -> list[Any]:
    """The entries of an array in order; of a summary, a summary for each."""
    if isinstance(values, Mapping):
        columns = [each.ravel().tolist() for each in values.values()]
        return [dict(zip(values, row, strict=True)) for row in zip(*columns, strict=True)]
    return values.ravel().tolist()


def _pick(values: Any, member: int) -> Any:
    """One member's numbers."""
    if isinstance(values, Mapping):
        return {name: _pick(each, member) for name, each in values.items()}
    return values[member] if isinstance(values, np.ndarray) else values


def plain(value: Any, path: str, reasons: dict[str, str], undefined: str) -> Any:
    """Numbers as int or float; what is not finite becomes None, with the reason filed under its path."""
    if isinstance(value, Mapping):
        return {name: plain(entry, f"{path}.{name}", reasons, undefined) for name, entry in value.items()}
    if isinstance(value, list):
        return [plain(entry, f"{path}.{number}", reasons, undefined) for number, entry in enumerate(value)]
    if isinstance(value, (int, np.integer)):
        return int(value)
    number = float(value)
    if math.isfinite(number):
        return number
    reasons[path] = undefined if math.isnan(number) else "overflow"
    return None
