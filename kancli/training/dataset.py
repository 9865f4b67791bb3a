"""pykan's dict of tensors as samples.

Shapes: n samples, i inputs, o outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from kancli.tasks.task import Samples

HINT = "create_dataset() gives train_input, train_label, test_input and test_label"


def read_dataset(dataset: Any, like: Tensor, width: tuple[int, int], *, own_loss: bool) -> tuple[Samples, Samples]:
    """Training and test samples in the dtype and on the device of a tensor; labels that are no floats keep their dtype.

    Args:
        dataset: train_input and test_input `[n, i]`, train_label and test_label `[n, o]`, or `[n]` where o is 1.
        width: i and o.
        own_loss: whether a function of the caller's takes the labels, which then may have any shape `[n, ...]`.

    Raises:
        TypeError: it is no such dict, or an entry is no tensor.
        ValueError: an entry is missing, or has another shape.
    """
    if not isinstance(dataset, Mapping):
        raise TypeError(f"dataset is a {type(dataset).__qualname__}: allowed: a dict of tensors; {HINT}")
    train, test = (_samples(dataset, part, like, width, own_loss) for part in ("train", "test"))
    if not len(train.x):
        raise ValueError("dataset['train_input'] has no samples: training needs at least one")
    return train, test


def _samples(dataset: Mapping[str, Any], part: str, like: Tensor, width: tuple[int, int], own_loss: bool) -> Samples:
    x, y = (_tensor(dataset, f"{part}_{kind}") for kind in ("input", "label"))
    if x.dim() != 2 or x.shape[1] != width[0]:
        raise ValueError(f"dataset['{part}_input'] has shape {list(x.shape)}: allowed: [n, {width[0]}]")
    if not own_loss and y.dim() == 1 and width[1] == 1:
        y = y.unsqueeze(-1)  # else it would broadcast against the outputs
    wanted = [len(x), "..."] if own_loss else [len(x), width[1]]
    if y.dim() == 0 or len(y) != len(x) or (not own_loss and list(y.shape) != wanted):
        shape = ", ".join(map(str, wanted))
        raise ValueError(f"dataset['{part}_label'] has shape {list(y.shape)}: allowed: [{shape}]")
    keeps_dtype = own_loss and not y.is_floating_point()
    return Samples(x.detach().to(like), y.detach().to(like.device if keeps_dtype else like))


def _tensor(dataset: Mapping[str, Any], name: str) -> Tensor:
    if name not in dataset:
        raise ValueError(f"dataset has no {name}: {HINT}")
    value = dataset[name]
    if not isinstance(value, Tensor):
        raise TypeError(f"dataset['{name}'] is a {type(value).__qualname__}: allowed: a tensor; type torch.tensor(...)")
    return value
