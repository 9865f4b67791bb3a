"""The trained parameters of all members as the rows of one matrix, which the model's parameters are views of.

Shapes: s members, P trained numbers of a member.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from kancli.kan.layer import KANLayer
from kancli.kan.layered import LayeredNetwork
from kancli.kan.network import KAN

NAMES = ("coef", "scale_base", "scale_sp", "weight", "bias")  # of a layer's parameters, in the order of a row
Network = TypeVar("Network", bound=LayeredNetwork)


def ensemble_copy(model: Network, members: Tensor | None = None) -> Network:
    """A copy with storage of its own; a single model becomes an ensemble of one.

    Args:
        members: indices of the members to copy, `[s]`; None for all.
    """

    def copied(tensor: Tensor) -> Tensor:
        tensor = tensor.detach().unsqueeze(0) if model.n_members is None else tensor.detach()
        return tensor.clone() if members is None else tensor[members]

    n_members = (model.n_members or 1) if members is None else len(members)
    copy = model.blank(n_members)
    for new, layer in zip(copy.layers, model.layers, strict=True):
        for name, tensor in layer.named_parameters(recurse=False):
            setattr(new, name, nn.Parameter(copied(tensor), requires_grad=tensor.requires_grad))
        new.copy_constants_(layer, copied)
        new.basis_statistics = None  # of the samples of a step
    return copy


@torch.no_grad()
def store_members_(ensemble: Network, members: Tensor, part: Network) -> None:
    """Copy the parameters and knots of some members into the whole ensemble; in place.

    Args:
        members: their indices in the ensemble, `[s]`.
    """
    for whole, layer in zip(ensemble.layers, part.layers, strict=True):
        for name, tensor in layer.named_parameters(recurse=False):
            getattr(whole, name)[members] = tensor
        if isinstance(whole, KANLayer) and isinstance(layer, KANLayer) and layer.per_input_knots:
            if not whole.per_input_knots:
                whole.use_per_input_knots_()
            whole.knots[members] = layer.knots


@torch.no_grad()
def copy_members_(target: Network, source: Network) -> None:
    """Copy parameters and knots of an ensemble into a model of the same width, of any grid; in place.

    Args:
        target: the ensemble's like, or a single model for an ensemble of one.
    """
    single = target.n_members is None
    if isinstance(target, KAN) and isinstance(source, KAN):
        _copy_grid_(target, source, single=single)
    for new, layer in zip(target.layers, source.layers, strict=True):
        for name, tensor in layer.named_parameters(recurse=False):
            value, parameter = tensor.detach(), getattr(new, name)
            value = value[0] if single else value
            if parameter.shape == value.shape:
                parameter.copy_(value)
            else:
                setattr(new, name, nn.Parameter(value.clone(), requires_grad=parameter.requires_grad))


def _copy_grid_(target: KAN, source: KAN, *, single: bool) -> None:
    target.layer_options = {**target.layer_options, "grid": source.layers[0].grid}
    for new, layer in zip(target.layers, source.layers, strict=True):
        new.grid = layer.grid
        new.knots = (layer.knots[0] if single and layer.per_input_knots else layer.knots).clone()


class ParameterRows:
    """The trained parameters of an ensemble, one row a member; those that require no gradient do not train.

    Args:
        model: an ensemble; its trained parameters become views of `values`.
        only: names of the parameters that train, of `NAMES`; None for all.
    """

    def __init__(self, model: LayeredNetwork, only: Sequence[str] | None) -> None:
        self.model = model
        self.trained = [  # (layer, name), in the order of a row
            (number, name)
            for number, layer in enumerate(model.layers)
            for name in NAMES
            if (parameter := getattr(layer, name, None)) is not None
            and parameter.requires_grad
            and (only is None or name in only)
        ]
        sizes = [tensor.shape[1:].numel() for tensor in self.tensors()]
        ends = list(itertools.accumulate(sizes))
        self.slices = [slice(end - size, end) for size, end in zip(sizes, ends, strict=True)]
        self.values = torch.cat([tensor.detach().flatten(1) for tensor in self.tensors()], dim=1)  # [s, P]
        for parameter, part in zip(self.tensors(), self.split(self.values), strict=True):
            parameter.data = part

    def tensors(self) -> list[nn.Parameter]:
        """The model's trained parameters."""
        return [getattr(self.model.layers[layer], name) for layer, name in self.trained]

    def split(self, rows: Tensor) -> list[Tensor]:
        """Views of `[s, P]` in the shapes of the parameters."""
        shapes = [tensor.shape[1:] for tensor in self.tensors()]
        return [rows[:, part].unflatten(1, shape) for part, shape in zip(self.slices, shapes, strict=True)]

    def join(self, tensors: Sequence[Tensor]) -> Tensor:
        """The inverse of `split`, `[s, P]`."""
        return torch.cat([tensor.flatten(1) for tensor in tensors], dim=1)

    def name(self, column: int) -> tuple[int, str]:
        """Layer and name of the parameter that a column of the rows belongs to."""
        (number,) = (number for number, part in enumerate(self.slices) if part.start <= column < part.stop)
        return self.trained[number]
