"""The hash ladder: what a run computed, rung by rung in the order of computation, so that of two runs it can be told
where they first went another way."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

ACTIVATIONS = ("preacts", "spline", "postacts")


def ladder(identity: str, tensors: Mapping[str, str], stats: Mapping[str, Any]) -> dict[str, str]:
    """sha256 by rung: config, inputs, the parameters of each layer, what went through each, output, statistics.

    Args:
        tensors: the hashes of a run's tensors, by their names in its files. Parameters are those of all members;
            inputs, activations and output the first member's, as many as were kept: there are no such rungs with
            activations.n=0.
    """

    def place(name: str) -> int:
        last = name.rpartition(".")[2]
        return {"inputs": 0, "output": 3}.get(name, 2 if last in ACTIVATIONS else 1)

    rungs = {rung_of(name): tensors[name] for name in sorted(tensors, key=place)}  # sorting keeps the layers' order
    canonical = json.dumps(stats, sort_keys=True, separators=(",", ":"))
    return {"config": identity, **rungs, "statistics": hashlib.sha256(canonical.encode()).hexdigest()}


def hash_of(tensor: Tensor) -> str:
    """sha256 of a tensor's numbers, in C order."""
    return hashlib.sha256(tensor.contiguous().numpy().data).hexdigest()


def hash_of_file(path: Path) -> str:
    """sha256 of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def rung_of(name: str) -> str:
    """The rung of a tensor: "layers.0.coef" is "layer 0 coef"."""
    parts = name.split(".")
    return name if len(parts) == 1 else f"layer {parts[1]} {parts[2]}"
