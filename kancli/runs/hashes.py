"""Hashes of a run by stage, in the order of computation: the first that differs is where two runs diverged."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kancli.regular_files import hash_of_open
from kancli.runs.json_files import canonical
from kancli.stats.options import OF_TRAINING

if TYPE_CHECKING:
    from torch import Tensor

SEAL = "self_sha256"  # the key of a record that holds the hash of the others
ACTIVATIONS = ("preacts", "spline", "postacts")
TRAINING = "training"  # the stage of the trained parameters
MANY_EDGES = 100  # from which on `canonical` saves time
ADDED_BY_TRAINING = ("training", "after")  # entries of stats.json


def stage_hashes(
    identity: str, tensors: Mapping[str, str], stats: Mapping[str, Any], trained: Mapping[str, str] | None = None
) -> dict[str, str]:
    """sha256 by stage: config, inputs, each layer's parameters, each layer's activations, output, statistics, training.

    Args:
        tensors: the hashes of a run's tensors, by their names in its files. Parameters are those of all members;
            inputs, activations and output are the kept samples of the first member, and absent with activations.n=0.
        trained: the hashes of the parameters after training.
    """

    def order(name: str) -> int:
        last = name.rpartition(".")[2]
        return {"inputs": 0, "output": 3}.get(name, 2 if last in ACTIVATIONS else 1)

    stages = {stage_of(name): tensors[name] for name in sorted(tensors, key=order)}  # stable: layers stay in order
    training = {TRAINING: hash_of_json(trained)} if trained else {}
    return {"config": identity, **stages, "statistics": hash_of_statistics(stats), **training}


def hash_of(tensor: Tensor) -> str:
    """sha256 of a tensor's numbers, in C order."""
    return hashlib.sha256(tensor.contiguous().numpy().data).hexdigest()


def hash_of_bytes(content: bytes) -> str:
    """sha256 of bytes."""
    return hashlib.sha256(content).hexdigest()


def hash_of_file(path: Path) -> str:
    """sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hash_of_open(file)


def hash_of_statistics(stats: Mapping[str, Any]) -> str:
    """sha256 of the contents of stats.json, but for the statements of its verdicts, as another wording is no drift, and
    for what training added, which has a stage of its own."""
    start = at_start(stats)
    verdicts = [{key: value for key, value in entry.items() if key != "statement"} for entry in start["verdicts"]]
    content = {**start, "verdicts": verdicts}
    if any(layer["n_in"] * layer["n_out"] > MANY_EDGES for layer in content["layers"]):
        return hash_of_bytes(canonical(content).encode())
    return hash_of_json(content)


def at_start(stats: Mapping[str, Any]) -> dict[str, Any]:
    """The contents of stats.json without what training added."""
    start = {name: value for name, value in stats.items() if name not in ADDED_BY_TRAINING}
    return start | {"verdicts": [entry for entry in stats["verdicts"] if entry["name"] not in OF_TRAINING]}


def hash_of_json(content: Any) -> str:
    """sha256 of canonical JSON: sorted keys, no blanks."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hash_of_bytes(canonical.encode())


def seal(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record with the hash of itself, which `is_sealed` checks."""
    record = {name: value for name, value in record.items() if name != SEAL}
    return {**record, SEAL: hash_of_json(record)}


def is_sealed(record: Mapping[str, Any]) -> bool:
    """Whether a record is as it was sealed. An older kancli wrote records without a seal; they pass."""
    return SEAL not in record or record[SEAL] == seal(record)[SEAL]


def stage_of(name: str) -> str:
    """The stage of a tensor: "layers.0.coef" is "layer 0 coef"."""
    parts = name.split(".")
    return name if len(parts) == 1 else f"layer {parts[1]} {parts[2]}"
