"""Whether a saved state belongs to a training: the types of its plain values, the names and shapes of its tensors.

Shapes: s members that still run, S of the whole run, P trained numbers of a member, r rows, h steps that L-BFGS keeps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
import torch
from torch import Tensor

from kancli.kan.layer import KANLayer
from kancli.training.engine import Engine
from kancli.training.lbfgs import HISTORY
from kancli.training.options import read_refinements
from kancli.training.result import ROW_TENSORS, TrainingState

VERSION = 1
Count = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]
HISTORY_TENSORS = {"old_dirs[]", "old_stps[]", "ro[]"}
Shape = tuple[int, ...]


class SavedStop(msgspec.Struct, frozen=True):
    """As `result.Stop`; a loss that is not finite is NaN or infinite there, too."""

    step: Count
    reason: Literal["target", "diverged"]
    loss: float
    layer: Count | None = None
    tensor: str | None = None


class Refit(msgspec.Struct, frozen=True):
    """A change of the knots."""

    step: Count
    grid: Count
    residual: list[float]


class GradientState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of Adam or SGD."""

    name: str
    n_steps: Count


class LineSearchState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of torch's L-BFGS for one member; it has no fields before its first step. torch has `t` and `H_diag` as numbers
    or as tensors."""

    func_evals: Count = 0
    n_iter: Count = 0
    prev_loss: float = 0.0
    t: float | None = None
    H_diag: float | None = None


class Plain(msgspec.Struct, frozen=True):
    """The values of a state that are no tensors."""

    version: int
    optimizer: dict[str, Any]
    step: Count
    seconds: Annotated[float, msgspec.Meta(ge=0)]
    grid: Count | None  # of an MLP
    kernel: Literal["torch", "numba"]
    stops: dict[Annotated[str, msgspec.Meta(pattern=r"^\d{1,9}$")], SavedStop]
    refits: list[Refit]


def read_plain(state: TrainingState) -> Plain:
    """The plain values of a state, by type.

    Raises:
        ValueError: one is missing or of another type, or the state is of another version.
    """
    plain = msgspec.convert(state.plain, Plain)
    if plain.version != VERSION:
        raise ValueError(f"a state of version {plain.version}; this kancli reads version {VERSION}")
    return plain


def check_model(engine: Engine, state: TrainingState) -> None:
    """Check that the parameters, knots and members of a state are those of an engine.

    Raises:
        ValueError: they are of another model, training or optimiser.
    """
    plain, train, tensors = read_plain(state), engine.train, state.tensors
    grids = [engine.grid, *(grid for _, grid in read_refinements(train.refine))] if train.refine else [engine.grid]
    if plain.step > (train.steps or 0) or plain.grid not in grids:
        raise ValueError(f"step {plain.step} with grid={plain.grid} is none of this training")
    if plain.optimizer.get("name") != train.optimizer:
        raise ValueError(f"a state of optimizer {plain.optimizer.get('name')}, not {train.optimizer}")
    for number, layer in enumerate(engine.ensemble.layers):
        for name, tensor in layer.named_parameters(recurse=False):
            last = tensor.shape[-1]
            if isinstance(layer, KANLayer) and name == "coef":
                last = (plain.grid or 0) + layer.k
            _check(tensors, f"layers.{number}.{name}", [(*tensor.shape[:-1], last)], tensor.dtype)
        if not isinstance(layer, KANLayer):
            continue
        n_knots = (plain.grid or 0) + 1 + 2 * layer.k
        shapes = [(n_knots,), (engine.n_members, layer.n_in, n_knots)]
        knots = _check(tensors, f"layers.{number}.knots", shapes, layer.knots.dtype)
        if not (knots.diff() >= 0).all() or not knots.isfinite().all():
            raise ValueError(f"layers.{number}.knots: do not increase")
    _check(tensors, "first_loss", [(engine.n_members,)], torch.float64)
    running, stopped = tensors.get("members"), [int(name) for name in plain.stops]
    if running is None or running.dtype != torch.int64 or running.dim() != 1:
        raise ValueError("members: allowed: a list of whole numbers")
    if sorted([*running.tolist(), *stopped]) != list(range(engine.n_members)):
        raise ValueError(f"members: those that run and those that stopped are not {engine.n_members} members")


def check_steps(engine: Engine, state: TrainingState) -> None:
    """Check the state of the optimiser, the weights of the residuals and the rows.

    Args:
        engine: with the grid and the members of the state.

    Raises:
        ValueError: they are of another training.
    """
    plain, tensors, objectives = read_plain(state), state.tensors, engine.steps.objectives()
    n_members = len(engine.members)
    if objectives and objectives[0].rba is not None:
        weights = objectives[0].rba
        _check(tensors, "rba", [(n_members, *weights.shape[1:])], weights.dtype)
    elif objectives and "rba" in tensors:
        raise ValueError("rba: this training has no weights of residuals")
    names = {name.removeprefix("optimizer.") for name in tensors if name.startswith("optimizer.")}
    if engine.train.optimizer == "lbfgs":
        _check_line_searches(engine, plain, tensors, names)
    else:
        n_steps = msgspec.convert(plain.optimizer, GradientState).n_steps
        wanted = {"first", "second"} if n_steps and engine.train.optimizer != "sgd" else set()
        if names != wanted:
            raise ValueError(f"optimizer: has {_join(names)}; wanted: {_join(wanted)}")
        for name in wanted if objectives else ():
            values = objectives[0].rows.values
            _check(tensors, f"optimizer.{name}", [tuple(values.shape)], values.dtype)
    _check_rows(plain, tensors, engine.n_members)


def _check_line_searches(engine: Engine, plain: Plain, tensors: Mapping[str, Tensor], names: set[str]) -> None:
    for member, objective in zip(engine.members, engine.steps.objectives(), strict=True):
        own = msgspec.convert(plain.optimizer.get(str(member)), LineSearchState)
        values, path = objective.rows.values[0], f"optimizer.{member}"
        found = {name.removeprefix(f"{member}.") for name in names if name.startswith(f"{member}.")}
        numbers = {name for name in ("t", "H_diag") if getattr(own, name) is None} if own.n_iter else set()
        wanted = {"d", "prev_flat_grad", *numbers} if own.n_iter else set()
        wanted |= HISTORY_TENSORS if found & HISTORY_TENSORS and own.n_iter else set()
        if found != wanted:
            raise ValueError(f"{path}: has {_join(found)}; wanted: {_join(wanted)}")
        shapes = {name: () if name in numbers else tuple(values.shape) for name in wanted}
        if wanted >= HISTORY_TENSORS:
            lengths = [(count,) for count in range(1, HISTORY + 1)]
            n_kept = len(_check(tensors, f"{path}.ro[]", lengths, values.dtype))
            shapes |= {"ro[]": (n_kept,), **dict.fromkeys(("old_dirs[]", "old_stps[]"), (n_kept, len(values)))}
        for name, shape in shapes.items():
            _check(tensors, f"{path}.{name}", [shape], values.dtype)


def _check_rows(plain: Plain, tensors: Mapping[str, Tensor], n_members: int) -> None:
    if plain.step == 0 and "rows.step" not in tensors:
        return
    steps = tensors.get("rows.step")
    if steps is None or steps.dtype != torch.int64 or steps.dim() != 1 or not len(steps):
        raise ValueError("rows.step: allowed: a list of whole numbers")
    if steps[0] != 0 or steps[-1] > plain.step or not (steps.diff() > 0).all():
        raise ValueError(f"rows.step: do not increase from 0 to at most {plain.step}")
    _check(tensors, "rows.seconds", [(len(steps),)], torch.float64)
    for name in ROW_TENSORS:
        if f"rows.{name}" in tensors or name in ("train_loss", "running"):
            kind = torch.bool if name == "running" else torch.float64
            _check(tensors, f"rows.{name}", [(len(steps), n_members)], kind)


def _check(tensors: Mapping[str, Tensor], name: str, shapes: Sequence[Shape], dtype: torch.dtype) -> Tensor:
    """A tensor of one of these shapes.

    Raises:
        ValueError: there is none.
    """
    tensor = tensors.get(name)
    if tensor is None or tensor.dtype != dtype or tuple(tensor.shape) not in shapes:
        raise ValueError(f"{name}: the state is of another model or training")
    return tensor


def _join(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
