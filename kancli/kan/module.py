"""A KAN that is called as any module of torch: samples of any shape, autocast, transforms, copies and saved models."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from kancli.kan import network
from kancli.kan.kernels import Kernel, outputs
from kancli.kan.layer import LOAD_HINT, LayerTrace
from kancli.kan.pickling import check_picklable
from kancli.kan.samples import check_members, check_samples
from kancli.kan.threads import copying
from kancli.kan.tracing import keeps_values

HALF = (torch.float16, torch.bfloat16)  # the dtypes of autocast


class Module(network.KAN):
    """A KAN whose outputs torch or numba computes, and which keeps the samples of its last call."""

    kernel: Kernel = "auto"
    last_inputs: Tensor | None = None  # samples of the last forward pass, [(s,) n, n_0]

    def forward(self, x: Tensor) -> Tensor:
        """x `[..., n_0]` to y `[..., n_L]`, over the last axis as `torch.nn.Linear`; keeps the samples for `plot`.

        Under autocast, x is brought to the model's dtype and the model computes in full precision.

        Raises:
            TypeError: x is no tensor, or of another dtype than the model.
            ValueError: x has another number of columns, or lies on another device.
        """
        if isinstance(x, Tensor) and _is_autocast(x.device.type):
            with torch.autocast(x.device.type, enabled=False):
                return self._forward(x.to(self.layers[0].coef.dtype) if x.dtype in HALF else x)
        return self._forward(x)

    def _forward(self, x: Tensor) -> Tensor:
        samples = self._as_samples(x)
        if keeps_values():
            with copying():
                self.last_inputs = samples.detach().clone()
        y = outputs(self, samples, self.kernel)
        if samples is x:
            return y
        return y.reshape(*y.shape[:-2], *x.shape[:-1], y.shape[-1])

    def trace(self, x: Tensor) -> list[LayerTrace]:
        """As `kancli.kan.network.KAN.trace`, over `[n, n_0]`: leading axes become one.

        Raises:
            TypeError, ValueError: as for `forward`.
        """
        return super().trace(self._as_samples(x))

    def _as_samples(self, x: Tensor) -> Tensor:
        """x as `[n, n_0]`, or `[s, n, n_0]` where an ensemble's members have samples of their own."""
        check_samples(x, self.layers[0].coef, self.width[0])
        if self.n_members is not None:
            check_members(x, self.n_members)
            return x.unsqueeze(0) if x.dim() == 1 else x
        return x if x.dim() == 2 else x.reshape(math.prod(x.shape[:-1]), self.width[0])

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        """As in torch.

        Raises:
            ValueError: the parameters are those of members, or of another grid; `KAN.load` takes a run's as they are.
        """
        coef = state_dict.get("layers.0.coef")
        if isinstance(coef, Tensor) and coef.dim() == 4 and self.n_members is None:
            raise ValueError(f"these are the parameters of {len(coef)} members, the model is single; {LOAD_HINT}")
        return super().load_state_dict(state_dict, *args, **kwargs)

    def __getstate__(self) -> dict[str, Any]:
        """The state without the samples kept for `plot`, which a saved model must not carry."""
        return {**super().__getstate__(), "last_inputs": None}

    def __reduce_ex__(self, protocol: Any) -> Any:
        """As in torch, with a clear answer for a base function that pickle cannot save.

        Raises:
            PicklingError: pickle finds the base function by no name.
        """
        check_picklable(self.layers[0].base_fun)
        return super().__reduce_ex__(protocol)

    def __copy__(self) -> Module:
        clone = self.__new__(type(self))
        clone.__dict__.update(self.__dict__)
        return clone

    def __deepcopy__(self, memo: dict[int, Any]) -> Module:
        clone = memo[id(self)] = self.__new__(type(self))
        clone.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return clone


def _is_autocast(device: str) -> bool:
    return torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
