"""Uniform samples of a function, for training and testing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from kancli.schema import FaultError, Integer, Kind
from kancli.seeding import stream
from kancli.spelling import show

MAX_SAMPLES = 10**9


def create_dataset(
    f: Callable[[Tensor], Tensor],
    n_var: int = 2,
    ranges: Sequence[Any] = (-1, 1),
    train_num: int = 1000,
    test_num: int = 1000,
    normalize_input: bool = False,
    normalize_label: bool = False,
    device: str | torch.device = "cpu",
    seed: int = 0,
) -> dict[str, Tensor]:
    """Uniform samples of a function, as pykan's `create_dataset`, but from a private stream.

    Args:
        f: maps `[n, n_var]` to `[n, m]` or `[n]`.
        n_var: number of variables.
        ranges: `[low, high]` for all variables, or `[n_var, 2]`.
        train_num, test_num: numbers of samples.
        normalize_input, normalize_label: subtract the training set's mean and divide by its std, per column; a column
            that does not vary becomes 0.

    Returns:
        train_input, test_input `[n, n_var]`, train_label, test_label `[n, m]`, in torch's default dtype.

    Raises:
        ValueError: a number or `ranges` is not legal, or f returns labels of another number of rows.
        TypeError: f does not return a tensor.
    """
    n_var = _checked("n_var", n_var, Integer(1, 10**7))
    counts = {
        "train": _checked("train_num", train_num, Integer(1, MAX_SAMPLES)),
        "test": _checked("test_num", test_num, Integer(0, MAX_SAMPLES)),
    }
    low, high = _limits(ranges, n_var)
    data: dict[str, Tensor] = {}
    for part, count in counts.items():
        unit = torch.from_numpy(stream(seed, f"dataset/{part}").random((count, n_var)))
        x = (low + (high - low) * unit).to(torch.get_default_dtype()).to(device)
        data[f"{part}_input"], data[f"{part}_label"] = x, _as_labels(f(x), count)
    for kind, normalize in (("input", normalize_input), ("label", normalize_label)):
        if normalize:
            mean, std = _mean_std(data[f"train_{kind}"])
            data |= {f"{part}_{kind}": (data[f"{part}_{kind}"] - mean) / std for part in ("train", "test")}
    return data


def _checked(name: str, value: Any, kind: Kind) -> int:
    try:
        return kind.check(value)
    except FaultError as fault:
        raise ValueError(f"{name}={show(value)}: allowed: {fault}") from None


def _limits(ranges: Any, n_var: int) -> tuple[Tensor, Tensor]:
    """Low and high of each variable, float64 `[n_var]`."""
    try:
        limits = torch.as_tensor(ranges, dtype=torch.float64).cpu()
    except (TypeError, ValueError, RuntimeError):
        limits = torch.empty(0)
    if limits.shape not in ((2,), (n_var, 2)) or not limits.isfinite().all():
        raise ValueError(f"ranges={ranges!r}: allowed: [low, high], or one such pair for each of the {n_var} variables")
    low, high = limits.expand(n_var, 2).unbind(-1)
    return low, high


def _as_labels(label: Any, count: int) -> Tensor:
    """Labels `[n, m]` that a function returned for n samples, without their graph."""
    if not isinstance(label, Tensor):
        raise TypeError(f"f returned a {type(label).__qualname__}: allowed: a tensor [n, m] or [n]; compute with torch")
    if label.dim() not in (1, 2) or len(label) != count:
        raise ValueError(
            f"f returned shape {list(label.shape)} for {count} samples: allowed: [{count}, m] or [{count}]; f gets"
            " [n, n_var], so write x[:, [0]] for the first variable"
        )
    return (label if label.dim() == 2 else label.unsqueeze(-1)).detach()


def _mean_std(values: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and std of each column, `[1, m]`; of a column that does not vary its value and 1."""
    values = values if values.is_floating_point() else values.to(torch.get_default_dtype())
    is_constant = (values == values[:1]).all(dim=0, keepdim=True)
    if len(values) == 1:
        return values, torch.ones_like(values)
    mean, std = values.mean(dim=0, keepdim=True), values.std(dim=0, keepdim=True)
    return torch.where(is_constant, values[:1], mean), torch.where(is_constant, 1.0, std)
