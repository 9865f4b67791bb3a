"""The state of a training run as flat tensors and plain values, and back.

Names of the tensors: `layers.{l}.{name}` as in params.safetensors, with a member axis; `members` that still run;
`optimizer.{name}` `[s, P]` of those; `rba` `[s, n, 1]` of those; `first_loss` `[s]`; `rows.*` (`result`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from kancli.kan.layer import KANLayer
from kancli.kan.network import as_kan
from kancli.training.engine import Engine
from kancli.training.grids import resize_
from kancli.training.result import Row, Stop, TrainingState, rows_as_tensors, rows_from_tensors
from kancli.training.state_check import VERSION, check_model, check_steps


def pack(engine: Engine, rows: list[Row], step: int, seconds: float, refits: list[dict[str, Any]]) -> TrainingState:
    """The state before the update of a step; its tensors are copies."""
    ensemble, members = engine.synchronised(), engine.members
    tensors: dict[str, Tensor] = {"members": torch.tensor(members, dtype=torch.int64)}
    for number, layer in enumerate(ensemble.layers):
        knots = [("knots", layer.knots)] if isinstance(layer, KANLayer) else []
        for name, tensor in (*layer.named_parameters(recurse=False), *knots):
            tensors[f"layers.{number}.{name}"] = tensor.detach().clone()
    tensors["first_loss"] = engine.progress.first_loss.clone()
    if weights := engine.rba():
        tensors["rba"] = torch.stack([weights[member] for member in members])
    optimizer, plain = engine.steps.optimizer_state()
    tensors |= {f"optimizer.{name}": tensor.clone() for name, tensor in optimizer.items()}
    tensors |= rows_as_tensors(rows) if rows else {}
    return TrainingState(
        tensors,
        {
            "version": VERSION,
            "optimizer": {"name": engine.train.optimizer, **plain},
            "step": step,
            "seconds": seconds,
            "grid": engine.grid,
            "kernel": engine.kernel,
            "stops": {str(member): dataclasses.asdict(stop) for member, stop in engine.progress.stops.items()},
            "refits": list(refits),
        },
    )


def unpack_(engine: Engine, state: TrainingState) -> tuple[list[Row], list[dict[str, Any]]]:
    """Set an engine to a state; returns its rows and the changes of the knots.

    Raises:
        ValueError: the state is damaged, or belongs to another model or training.
    """
    plain, device = state.plain, engine.ensemble.like.device
    tensors = {  # files give all on the CPU
        name: tensor.to(device) if name == "rba" or name.startswith(("layers.", "optimizer.")) else tensor
        for name, tensor in state.tensors.items()
    }
    check_model(engine, state)
    if plain["grid"] is not None:
        resize_(as_kan(engine.ensemble), plain["grid"])
    with torch.no_grad():
        for number, layer in enumerate(engine.ensemble.layers):
            for name, tensor in layer.named_parameters(recurse=False):
                tensor.copy_(tensors[f"layers.{number}.{name}"])
            if isinstance(layer, KANLayer):
                layer.knots = tensors[f"layers.{number}.knots"].clone()
    engine.progress.first_loss.copy_(tensors["first_loss"])
    engine.progress.stops.update({int(member): Stop(**stop) for member, stop in plain["stops"].items()})
    engine.start(tensors["members"].tolist())
    check_steps(engine, state)
    if "rba" in tensors:
        engine.set_rba(dict(zip(engine.members, tensors["rba"].clone(), strict=True)))
    prefix = "optimizer."
    engine.steps.set_optimizer_state(
        {name.removeprefix(prefix): tensor.clone() for name, tensor in tensors.items() if name.startswith(prefix)},
        plain["optimizer"],
    )
    return rows_from_tensors(tensors) if "rows.step" in tensors else [], list(plain["refits"])


def select_members(state: TrainingState, kept: Sequence[int]) -> TrainingState:
    """The state of some members alone.

    Args:
        kept: their numbers, increasing.
    """
    place = {member: number for number, member in enumerate(kept)}
    running = [(row, place[member]) for row, member in enumerate(state.tensors["members"].tolist()) if member in place]
    rows = [row for row, _ in running]
    tensors: dict[str, Tensor] = {"members": torch.tensor([member for _, member in running], dtype=torch.int64)}
    for name, tensor in state.tensors.items():
        if name.startswith("rows."):
            tensors[name] = tensor if tensor.dim() == 1 else tensor[:, list(kept)]
        elif name.startswith("layers."):
            is_shared = name.endswith(".knots") and tensor.dim() == 1
            tensors[name] = tensor if is_shared else tensor[list(kept)]
        elif name == "first_loss":
            tensors[name] = tensor[list(kept)]
        elif name == "rba" or (name.startswith("optimizer.") and not _is_by_member(state)):
            tensors[name] = tensor[rows]
        elif name.startswith("optimizer."):
            _, member, rest = name.split(".", 2)
            if int(member) in place:
                tensors[f"optimizer.{place[int(member)]}.{rest}"] = tensor
    plain = {**state.plain, "stops": _renumber(state.plain["stops"], place)}
    if _is_by_member(state):
        optimizer = state.plain["optimizer"]
        plain["optimizer"] = {"name": optimizer["name"], **_renumber(optimizer, place)}
    return TrainingState(tensors, plain)


def _is_by_member(state: TrainingState) -> bool:
    """Whether the optimiser's state is named by member, not one tensor of all."""
    return state.plain["optimizer"]["name"] == "lbfgs"


def _renumber(by_member: Mapping[str, Any], place: Mapping[int, int]) -> dict[str, Any]:
    """The entries of the members that have a place, by their new number."""
    return {
        str(place[int(member)]): value
        for member, value in by_member.items()
        if member.isdecimal() and int(member) in place
    }
