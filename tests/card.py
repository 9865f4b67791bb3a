"""A card made of the CPU: tensors that say they are on the device meta, have values, and refuse what a card refuses.

Code that ran on them has moved every tensor that it must: an operation of tensors on both devices, and an array of one
that was not brought to the CPU, are errors as on a card.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

DEVICE = torch.device("meta")  # the only one besides the CPU that torch knows without a library


class CardTensor(Tensor):
    """A tensor on the card, which keeps its values in `on_cpu`."""

    on_cpu: Tensor

    @staticmethod
    def __new__(cls, on_cpu: Tensor) -> CardTensor:
        self = Tensor._make_wrapper_subclass(
            cls,
            on_cpu.size(),
            strides=on_cpu.stride(),
            storage_offset=on_cpu.storage_offset(),
            dtype=on_cpu.dtype,
            device=DEVICE,
        )
        self.on_cpu = on_cpu
        return self

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return compute(function, args, kwargs or {})

    def tolist(self) -> Any:
        return self.on_cpu.tolist()

    @property
    def is_meta(self) -> bool:
        return False

    @property
    def data(self) -> Tensor:
        return Tensor.data.__get__(self)  # pyright: ignore[reportAttributeAccessIssue]

    @data.setter
    def data(self, value: CardTensor) -> None:
        Tensor.data.__set__(self, value)  # pyright: ignore[reportAttributeAccessIssue]
        self.on_cpu = value.on_cpu

    def numpy(self, *, force: bool = False) -> Any:
        """As torch for a tensor of a card: an array of the values only where they may be brought to the CPU."""
        if not force:
            raise TypeError("can't convert a tensor of the card to numpy: use Tensor.cpu() first")
        return self.detach().on_cpu.numpy()


class Card(TorchDispatchMode):
    """Context manager: what is made on the device, is made on the card."""

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return compute(function, args, kwargs or {})


ATEN = torch.ops.aten
# What moves tensors, and what takes its indices from the CPU. Numbers without an axis are taken by all.
TAKES_BOTH = {
    ATEN._to_copy.default,
    ATEN.copy_.default,
    ATEN.index.Tensor,
    ATEN.index_put_.default,
    ATEN.index_put.default,
}


class MixedDevicesError(RuntimeError):
    """An operation has tensors of both devices."""


def compute(function: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """One operation of torch, on the CPU, with its result on the device where a card has it."""
    tensors = [value for value in tree_flatten((args, kwargs))[0] if isinstance(value, Tensor)]
    on_card = [tensor for tensor in tensors if isinstance(tensor, CardTensor)]
    here = [tensor for tensor in tensors if tensor.dim() and not isinstance(tensor, CardTensor)]
    if on_card and here and function not in TAKES_BOTH:
        raise MixedDevicesError(f"{function}: tensors on the card and on the CPU, as {[*here[0].shape]}")
    if any(tensor.is_meta for tensor in tensors):
        raise TypeError(f"{function}: a tensor without values, which torch made of a list or within C++")
    target = kwargs.get("device")
    if target is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    is_there = torch.device(target).type == DEVICE.type if target is not None else bool(on_card)
    if function is ATEN.copy_.default:
        is_there = isinstance(args[0], CardTensor)
    known = {id(tensor.on_cpu): tensor for tensor in on_card}

    def unwrap(value: Any) -> Any:
        return value.on_cpu if isinstance(value, CardTensor) else value

    def wrap(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        return known[id(value)] if id(value) in known else CardTensor(value)

    result = function(*tree_map(unwrap, args), **tree_map(unwrap, kwargs))
    return tree_map(wrap, result) if is_there else result
