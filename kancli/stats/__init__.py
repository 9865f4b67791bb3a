"""What an initialisation did, in numbers: parameters and signal, per layer, node and edge, over chunks of samples.

All sums are float64. Measuring reads the model and changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from kancli.model import KAN, KANLayer, LayerTrace
from kancli.stats.signal import LayerScope, LayerSignal, as_array

__all__ = ["SCHEMA", "Collector", "Declared", "LayerScope", "parameters"]

SCHEMA = 1
NOT_MEASURED = "not measured at this level of stats"
_QUIET = np.errstate(all="ignore")  # infinities and 0/0 are reported by name and reason, not by warnings


class Declared(NamedTuple):
    """What a scheme's law says of one tensor."""

    mean: float
    std: float
    mean_error: float  # standard error of the mean of all entries


class Collector:
    """Takes in the traces of a model chunk by chunk, then tells what happened.

    Args:
        declared: per layer, what the scheme's law says of each tensor; leave out where no law is known.
    """

    def __init__(self, model: KAN, declared: Sequence[Mapping[str, Declared]] | None = None) -> None:
        self.model = model
        self.declared = [{}] * len(model.layers) if declared is None else declared
        self.signals = [LayerSignal(layer) for layer in self.model.layers]

    @property
    def epsilon(self) -> float:
        return torch.finfo(self.model.layers[0].coef.dtype).eps

    @_QUIET
    def update(self, traces: Sequence[LayerTrace]) -> None:
        """Take in one chunk of samples: a trace for each layer."""
        for signal, trace in zip(self.signals, traces, strict=True):
            signal.update(trace)

    @_QUIET
    def scopes(self) -> list[LayerScope]:
        """What the figures need: range and strength, layer by layer."""
        return [signal.scope() for signal in self.signals]

    def non_finite(self) -> str | None:
        """Layer, edge and branch of the first postact that is infinite or NaN, in forward order."""
        for number, signal in enumerate(self.signals):
            if (found := signal.non_finite()) is not None:
                return f"layer {number}, {found}"
        return None

    @_QUIET
    def report(self) -> dict[str, Any]:
        """All statistics as plain values, null where a number is undefined, with the reasons under `reasons`."""
        reasons: dict[str, str] = {}
        layers = []
        for number, (layer, signal) in enumerate(zip(self.model.layers, self.signals, strict=True)):
            drawn = parameters(layer, self.declared[number])
            entry = {"layer": number, "n_in": layer.n_in, "n_out": layer.n_out, **drawn, **signal.layer()}
            entry["nodes"] = {name: values.tolist() for name, values in signal.nodes().items()}
            entry["edges"] = _edges(layer, signal)
            undefined = signal.why_undefined()
            layers.append(plain(entry, f"layers.{number}", reasons, undefined))
        return report(layers, reasons, self.non_finite(), self.epsilon)


def report(layers: list[Any], reasons: dict[str, str], non_finite: str | None, epsilon: float) -> dict[str, Any]:
    """The contents of stats.json; epsilon is the spacing of the model's numbers at 1."""
    verdict = {
        "name": "non_finite",
        "value": 0 if non_finite is None else 1,
        "threshold": 0,
        "verdict": "pass" if non_finite is None else "fail",
        "detail": non_finite or "all values are finite",
    }
    reasons = {**reasons, "jacobian": NOT_MEASURED, "ntk": NOT_MEASURED}
    return {
        "schema": SCHEMA,
        "epsilon": epsilon,
        "layers": layers,
        "jacobian": None,
        "ntk": None,
        "verdicts": [verdict],
        "reasons": reasons,
    }


def parameters(layer: KANLayer, declared: Mapping[str, Declared]) -> dict[str, dict[str, float]]:
    """What was drawn against what the scheme declares, tensor by tensor.

    Mean, std (divided by n), least and greatest value of each of the layer's tensors; `declared_mean` and
    `declared_std` of the law; `mean_error`, the law's standard error of the mean; and `z` = (mean - declared_mean) /
    mean_error, null for a law with no randomness that was met.
    """
    found = {}
    for name, tensor in layer.named_parameters():
        values = as_array(tensor)
        entry = {"mean": values.mean(), "std": values.std(), "min": values.min(), "max": values.max()}
        if name in declared:
            law = declared[name]
            entry |= {"declared_mean": law.mean, "declared_std": law.std, "mean_error": law.mean_error}
            entry["z"] = (entry["mean"] - law.mean) / np.float64(law.mean_error)
        found[name] = entry
    return found


def _edges(layer: KANLayer, signal: LayerSignal) -> list[dict[str, Any]]:
    coef = as_array(layer.coef)
    columns = {
        "scale_base": signal.scale_base,
        "scale_sp": signal.scale_sp,
        "coef_mean": coef.mean(axis=-1),
        "coef_std": coef.std(axis=-1),
        **signal.edges(),
    }
    flat = {name: values.ravel().tolist() for name, values in columns.items()}
    return [
        {"in": edge // layer.n_out, "out": edge % layer.n_out} | {name: values[edge] for name, values in flat.items()}
        for edge in range(layer.n_in * layer.n_out)
    ]


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
