"""What a bridge declares of its library: the names of tensors, a reader and a writer of a layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from kancli.bridges.spec import LayerSpec
from kancli.errors import ConfigError


@dataclass(frozen=True)
class LayerTensors:
    """The tensors of one layer by the bridge's own names, such as `coef`."""

    tensors: Mapping[str, Tensor]
    full_names: Mapping[str, str]  # as in the model or file, for messages

    def __contains__(self, name: str) -> bool:
        return name in self.tensors

    def __getitem__(self, name: str) -> Tensor:
        return self.tensors[name]

    def has_axes(self, **axes: int) -> bool:
        """Whether tensors have these numbers of axes."""
        return all(self.tensors[name].dim() == number for name, number in axes.items())

    def take(self, name: str, *shape: int) -> Tensor:
        """A tensor of this shape.

        Raises:
            ConfigError: it has another.
        """
        tensor = self.tensors[name]
        if tuple(tensor.shape) != shape:
            self.fail(name, f"has shape {list(tensor.shape)}; the layer's other tensors ask for {list(shape)}")
        return tensor

    def get(self, name: str, *shape: int) -> Tensor | None:
        """As `take`, None where there is no such tensor."""
        return self.take(name, *shape) if name in self else None

    def fail(self, name: str, fault: str) -> None:
        """Raise ConfigError for a tensor."""
        raise ConfigError([f"{self.full_names[name]}: {fault}"])


@dataclass(frozen=True)
class Layout:
    """The tensors of a library's model.

    A tensor's full name is `prefix` and its pattern, with the layer's number for `{}`. Any other prefix is accepted. In
    the names of a single layer, the pattern's part up to `{}.` is absent.
    """

    library: str
    title: str  # for messages
    names: Mapping[str, str]  # patterns by the bridge's own names
    required: frozenset[str]
    marker: str  # a required tensor of the layer's own module; pykan keeps others in the model
    knows: Callable[[LayerTensors], bool]  # whether the shapes of a layer with the required tensors are this layout's
    read: Callable[[LayerTensors], LayerSpec]
    # Tensors for a spec, those of `like` (the tensors of the model to fill), or all of a new model where it is None.
    write: Callable[[LayerSpec, LayerTensors | None], dict[str, Tensor]]
    prefix: str = ""
    base_attribute: str = "base_fun"  # of a live layer: its b(x)
    base_tensor: str | None = None  # one that only a layer with a base function has
    missing_hint: str = ""  # for the message where a required tensor is missing
    ignored: frozenset[str] = field(default_factory=frozenset)  # names of tensors that hold no parameters
    check_live: Callable[[Any], None] = lambda model: None  # a live network, for what tensors do not show; ConfigError

    @property
    def has_mask(self) -> bool:
        """Whether edges can be switched off."""
        return "mask" in self.names

    def lacks_base(self, layer: LayerTensors) -> bool:
        """Whether a layer has no base function."""
        return self.base_tensor is not None and self.base_tensor not in layer
