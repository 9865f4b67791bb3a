"""The kinds of networks, and the MLP that is as large as a KAN. Imports neither numpy nor torch at its top."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from kancli.bridges.names import AUTO, LIBRARIES
from kancli.inits.scheme import LayerSize, Scheme
from kancli.kan import base_functions
from kancli.schema import REQUIRED, Choice, Optional, Text, key

if TYPE_CHECKING:
    from kancli.bridges.checkpoint import Checkpoint


class Model:
    """A kind of network: a frozen dataclass whose fields are its legal keys."""

    is_kan: ClassVar[bool] = True

    def faults(self, width: Sequence[int]) -> list[str]:
        """Reasons why there is no such network of this width, one line each."""
        return []


@dataclass(frozen=True)
class KANModel(Model):
    """A KAN, whose parameters `init` draws."""


@dataclass(frozen=True)
class MLPModel(Model):
    """A multilayer perceptron with as many hidden layers and about as many trained parameters as the KAN.

    y = W_L silu(... silu(W_1 x + b_1) ...) + b_L; weights N(0, 2/n_in), biases 0.
    """

    is_kan: ClassVar[bool] = False

    def faults(self, width: Sequence[int]) -> list[str]:
        if len(width) > 2:
            return []
        typed = "-".join(map(str, width))
        return [
            f"width={typed} model=mlp: without a hidden layer an MLP is a linear map, which no width matches to the"
            f" KAN; type width={width[0]}-5-{width[-1]}, or model=kan"
        ]


@dataclass(frozen=True, kw_only=True)
class CheckpointModel(Model):
    """A KAN whose parameters, sizes and base function come from a file."""

    path: str = key(
        REQUIRED,
        Text("path of a .pt, .safetensors or .npz file, or of the _state of pykan's saveckpt"),
        "file with the parameters of a KAN, trained or not; width, grid and k are those of the file",
    )
    layout: str = key(
        AUTO,
        Choice((AUTO, *LIBRARIES)),
        "library of the file's model; auto: by the names and shapes of the tensors; pykan: any of its versions",
        identity=False,
    )
    base_fun: str | None = key(
        None,
        Optional(Choice(base_functions.NAMES)),
        "b(x) of the file's model; null: by pykan's config file beside the _state, else silu",
        identity=False,  # it becomes base_fun
    )

    def checkpoint(self) -> Checkpoint:
        """The network in the file.

        Raises:
            ConfigError: the file cannot be used.
        """
        from kancli.bridges.checkpoint import open_checkpoint

        return open_checkpoint(Path(self.path), self.layout, self.base_fun)


MODELS: dict[str, type[Model]] = {"kan": KANModel, "mlp": MLPModel, "checkpoint": CheckpointModel}


class NetworkSize(NamedTuple):
    """What the memory and time of a network depend on; an MLP has no basis functions."""

    width: tuple[int, ...]
    grid: int
    k: int

    @property
    def n_basis(self) -> int:
        return self.grid + self.k

    @property
    def n_edges(self) -> int:
        """Pairs of nodes that are connected."""
        return sum(n_in * n_out for n_in, n_out in itertools.pairwise(self.width))


class MatchedMLP(NamedTuple):
    """An MLP with about as many parameters as a KAN."""

    width: tuple[int, ...]
    n_parameters: int  # weights and biases
    n_of_kan: int  # numbers that training changes in the KAN

    def describe(self) -> str:
        """The choice in a few words."""
        width = "-".join(map(str, self.width))
        return f"MLP {width}, silu, He: {self.n_parameters} parameters, {self.n_of_kan} of the KAN"

    def as_json(self) -> dict[str, Any]:
        """The entry `mlp` of run.json."""
        return {"width": list(self.width), "parameters": self.n_parameters, "parameters_of_kan": self.n_of_kan}


def match_mlp(width: Sequence[int], n_of_kan: int) -> MatchedMLP:
    """The MLP with the KAN's hidden layers, all of one width: that which brings its weights and biases nearest to the
    KAN's trained parameters; of two, the narrower one."""
    first, *hidden, last = width

    def width_of(nodes: int) -> tuple[int, ...]:
        return (first, *[nodes] * len(hidden), last)

    def count(nodes: int) -> int:
        return sum((n_in + 1) * n_out for n_in, n_out in itertools.pairwise(width_of(nodes)))

    # Each node has two parameters or more, so that as many nodes as the KAN has parameters are enough.
    above = 1 + bisect.bisect_left(range(1, n_of_kan + 2), n_of_kan, key=count)
    nodes = min((nodes for nodes in (above - 1, above) if nodes), key=lambda nodes: abs(count(nodes) - n_of_kan))
    return MatchedMLP(width_of(nodes), count(nodes), n_of_kan)


def count_trained(sizes: Sequence[LayerSize], init: Scheme, names: Sequence[str]) -> int:
    """Numbers that training changes in a KAN: all but those of edges that the scheme's mask switches off.

    Args:
        sizes: of its layers.
        names: of the tensors that train.
    """
    count = 0
    for size in sizes:
        mask = init.mask(size)
        edges = size.n_in * size.n_out if mask is None else sum(map(sum, mask))
        numbers = {"coef": edges * size.n_basis, "scale_base": edges, "scale_sp": edges}
        numbers["bias"] = size.n_out if init.has_bias else 0
        count += sum(numbers[name] for name in names)
    return count
