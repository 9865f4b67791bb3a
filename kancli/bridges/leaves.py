"""The tensors of a model or of a mapping by name: torch modules, state dicts, arrays, and jaxKAN's live models.

jaxKAN's arrays and variables are used by their methods alone: jax is not imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

MAX_DEPTH = 16  # of nested mappings


@dataclass(frozen=True)
class Leaf:
    """One tensor of a model: its values, and how to replace them."""

    tensor: Tensor
    replace: Callable[[Tensor], object]
    fault: str = ""  # why it cannot be replaced


def leaves_of(model: Any) -> dict[str, Leaf]:
    """The tensors of a model by name.

    Args:
        model: a torch module, a mapping of tensors or arrays by name, which may be nested, or a live jaxKAN model.

    Raises:
        TypeError: it is none of these.
    """
    if isinstance(model, nn.Module):
        return {name: _of_tensor(value) for name, value in model.state_dict().items() if isinstance(value, Tensor)}
    if isinstance(model, Mapping):
        return dict(_of_mapping(model, ""))
    layers = getattr(model, "layers", None)
    if layers is not None and all(hasattr(layer, "c_basis") for layer in layers):
        return {f"layers.{number}.{name}": leaf for number, layer in enumerate(layers) for name, leaf in _of_nnx(layer)}
    kind = f"{type(model).__module__}.{type(model).__qualname__}".removeprefix("builtins.")
    hint = "; a checkpoint is opened by kancli.read(path)" if isinstance(model, (str, Path)) else ""
    raise TypeError(
        f"model is a {kind}: allowed: a model of pykan, efficient-kan, inkan or jaxKAN (of base or spline layers), or"
        f" its state dict{hint}"
    )


def _of_tensor(tensor: Tensor) -> Leaf:
    strides = tensor.stride() if tensor.layout == torch.strided else ()
    repeats = any(step == 0 and size > 1 for step, size in zip(strides, tensor.shape, strict=False))
    fault = "repeats its values in memory; give its clone()" if repeats else ""
    fault = "was made in inference mode; give its clone()" if tensor.is_inference() else fault
    return Leaf(tensor.detach(), tensor.detach().copy_, fault)


def _of_mapping(tree: Mapping[Any, Any], prefix: str) -> Iterator[tuple[str, Leaf]]:
    if prefix.count(".") > MAX_DEPTH:
        raise TypeError(f"model is a mapping nested more than {MAX_DEPTH} deep")
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _of_mapping(value, f"{name}.")
        elif isinstance(value, Tensor):
            yield name, _of_tensor(value)
        elif isinstance(value, np.ndarray):
            yield name, Leaf(as_tensor(value), _copy_to(value), "" if value.flags.writeable else "is read-only")
        elif hasattr(value, "at"):  # jax's arrays cannot be changed
            if isinstance(tree, MutableMapping) and "key" not in str(value.dtype):
                yield name, Leaf(as_tensor(value), _set_entry(tree, key, value))
        elif hasattr(value, "get_value"):  # a variable in the state of a flax model
            if (leaf := _of_variable(value)) is not None:
                yield name, leaf
        else:
            kind = type(value).__qualname__
            raise TypeError(f"{name} is a {kind}: allowed: tensors and arrays by name, as in a state dict")


def _of_nnx(layer: Any) -> Iterator[tuple[str, Leaf]]:
    """The tensors of a live layer of jaxKAN, whose grid is no part of its state."""
    for name in ("c_basis", "c_spl", "c_res", "bias"):
        variable = getattr(layer, name, None)
        if variable is not None and (leaf := _of_variable(variable)) is not None:
            yield name, leaf
    grid: Any = getattr(layer, "grid", None)
    if hasattr(grid, "item"):
        old = grid.item

        def replace(tensor: Tensor) -> None:
            grid.item = old.at[...].set(tensor.numpy())

        yield "grid.item", Leaf(as_tensor(old), replace)


def _of_variable(variable: Any) -> Leaf | None:
    old = variable[...]
    if "key" in str(old.dtype):  # the state of a random generator
        return None

    def replace(tensor: Tensor) -> None:
        variable[...] = old.at[...].set(tensor.numpy())

    return Leaf(as_tensor(old), replace)


def as_tensor(array: Any) -> Tensor:
    """A copy of an array of numpy or jax on the CPU; half precision becomes float32."""
    values = np.asarray(array)
    if values.dtype.kind not in "fiub":  # bfloat16, which numpy does not know
        values = values.astype(np.float32)
    return torch.from_numpy(values.astype(values.dtype.newbyteorder("="), copy=True))


def _copy_to(array: np.ndarray) -> Callable[[Tensor], None]:
    def replace(tensor: Tensor) -> None:
        array[...] = tensor.numpy()

    return replace


def _set_entry(tree: MutableMapping[Any, Any], key: Any, old: Any) -> Callable[[Tensor], None]:
    def replace(tensor: Tensor) -> None:
        tree[key] = old.at[...].set(tensor.numpy())

    return replace
