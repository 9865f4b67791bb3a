"""Build the model and sample the inputs that the settings describe."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from kancli.config.models import CheckpointModel
from kancli.config.settings import Settings
from kancli.errors import ConfigError
from kancli.inits.he_normal import he_laws, he_normal_
from kancli.inits.initialise import init_, size_of
from kancli.inits.laws import Law
from kancli.kan.base_functions import base_function
from kancli.kan.layered import LayeredNetwork
from kancli.kan.mlp import MLP
from kancli.kan.network import KAN, as_kan


def device_of(name: str) -> torch.device:
    """The device of that name: cpu, cuda, or auto.

    Raises:
        ConfigError: cuda is asked for and there is none.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError(["device=cuda: torch finds no CUDA device here; take device=cpu or device=auto"])
    return torch.device(name)


def layer_options(settings: Settings) -> dict[str, Any]:
    """The keyword arguments of every `KANLayer`."""
    return {
        "grid": settings.grid.size,
        "k": settings.k,
        "base_fun": base_function(settings.base_fun),
        "base_name": settings.base_fun,
        "bias": settings.init.has_bias,
        "standardise": settings.init.standardises,
        "masked": settings.init.has_mask,
        "grid_range": settings.grid.range,
        "dtype": getattr(torch, settings.dtype),
    }


def build_model(settings: Settings) -> KAN | MLP:
    """The model with its parameters drawn, or read from a file: an ensemble if there are several seeds.

    Where the grid adapts, its grid is adapted in the forward pass, not here.
    """
    n_members = settings.n_seeds if settings.n_seeds > 1 else None
    if isinstance(settings.model, CheckpointModel):
        return copy.deepcopy(settings.model.checkpoint().network).to(device_of(settings.device))
    if settings.model.is_kan:
        return init_(empty_model(settings, n_members), settings.init, seed=settings.seed)
    return draw_mlp(settings, range(settings.seed, settings.seed + settings.n_seeds), n_members)


def draw_mlp(settings: Settings, seeds: Sequence[int], n_members: int | None) -> MLP:
    """The MLP of the settings with its parameters drawn.

    Args:
        seeds: of the members.
        n_members: None for a single model.
    """
    options = {"dtype": getattr(torch, settings.dtype), "device": device_of(settings.device)}
    return he_normal_(MLP(settings.network_size.width, n_members=n_members, **options), seeds=seeds)


def empty_model(settings: Settings, n_members: int | None) -> KAN:
    """The KAN before its parameters are drawn.

    Args:
        n_members: None for a single model.
    """
    model = KAN(settings.width, **layer_options(settings), n_members=n_members, device=device_of(settings.device))
    if settings.grid.adapts:
        for layer in model.layers:
            layer.use_per_input_knots_()
    return model


def sample_inputs(settings: Settings, seeds: Sequence[int]) -> Tensor:
    """The inputs of members or runs that differ by their seed, `[s, n, n_0]`."""
    x = torch.from_numpy(settings.inputs.sample_each(settings.width[0], seeds=seeds))
    return x.to(getattr(torch, settings.dtype)).to(device_of(settings.device))


def laws_of(settings: Settings, model: LayeredNetwork) -> list[dict[str, Law]]:
    """The law of each tensor, by layer. Coefficients that were fitted to an adapted grid have none."""
    if isinstance(model, MLP):
        return [he_laws(layer.n_in) for layer in model.layers]
    fitted = {"coef"} if settings.grid.adapts else set()
    laws = [settings.init.laws(size_of(layer)) for layer in as_kan(model).layers]
    return [{name: law for name, law in layer.items() if name not in fitted} for layer in laws]
