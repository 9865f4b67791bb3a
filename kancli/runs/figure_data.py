"""Settings and data for the figures of a finished run, read from its folder alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from kancli.config.checkpoint import SCHEME as FROM_CHECKPOINT
from kancli.config.grammar import parse
from kancli.config.overrides import resolve
from kancli.config.presets import Presets, builtin_folder
from kancli.config.settings import Settings
from kancli.config.validation import validate
from kancli.errors import ConfigError
from kancli.figures.data import MAX_MEMBERS, FigureData, Fit, TrainingData
from kancli.inits.plugins import TARGET, CodePolicy, code_policy
from kancli.kan.basis_statistics import BasisStatistics
from kancli.kan.mlp import MLP
from kancli.kan.network import KAN
from kancli.runs.build import laws_of, layer_options
from kancli.runs.folder import CURVES, FIT, PARAMETERS
from kancli.runs.reader import RecordedRun
from kancli.runs.training_state import MARKED
from kancli.stats.network_stats import EdgeRanges
from kancli.stats.options import recorded_bounds
from kancli.training.curves import read_curves

# The config keys that define the model.
MODEL_KEYS = ("width", "k", "base_fun", "dtype", "grid", "n_seeds")


def settings_of_run(run: RecordedRun, typed: Sequence[str], presets: Presets) -> Settings:
    """The settings that a run's figures depend on.

    Args:
        typed: overrides of `figures` and its keys.

    Raises:
        ConfigError: an override is of another key, or the recorded config has faults.
    """
    resolved = resolve(parse(typed), presets)
    others = [key for key, _ in resolved.values if key.split(".")[0] != "figures"]
    others += [key for key in resolved.choices if key != "figures"]
    faults = [*resolved.faults, *(f"{key}: a run is drawn as it was; only figures can be chosen" for key in others)]
    if faults or resolved.hydra:
        raise ConfigError(faults or [f"{' '.join(resolved.hydra)}: only figures can be chosen"])
    config = run.record.config
    options = config.get("figures", {})
    if not isinstance(options, Mapping):
        raise ConfigError([f"{run.folder}/run.json: damaged: its config's figures are no section"])
    options = dict(options)
    if (choice := resolved.choices.get("figures")) is not None:
        options |= presets.load("figures", choice).body
    options |= {key.removeprefix("figures."): value for key, value in resolved.values}
    known = {name: config[name] for name in MODEL_KEYS if name in config}
    if knows_scheme(config):
        known["init"] = config["init"]
    try:
        return validate({**known, "inputs": {"kind": "normal", "n": 2}, "figures": options})
    except ConfigError as error:
        raise ConfigError([f"{run.folder}: {fault}" for fault in error.faults]) from None


def knows_scheme(config: Mapping[str, Any]) -> bool:
    """Whether a run's scheme is known and may be imported: it is one of kancli's own, or the user trusts its code."""
    init = config.get("init")
    if not isinstance(init, Mapping) or init.get("scheme") == FROM_CHECKPOINT:
        return False
    return TARGET not in init or code_policy() != CodePolicy()


def read_figure_data(run: RecordedRun, settings: Settings) -> FigureData:
    """The data of a run's figures.

    Args:
        settings: the run's, as `settings_of_run` returns them.

    Raises:
        ConfigError: a file is missing or damaged, or holds another network.
    """
    folder = run.folder
    parameters = run.tensors("params.safetensors")
    activations = run.tensors("activations.safetensors") if run.has("activations.safetensors") else {}
    is_kan = not _is_of_mlp(parameters)
    if is_kan and not run.has("figures.safetensors") and not activations:
        raise ConfigError([f"{folder}: neither figures.safetensors nor activations.safetensors: nothing to draw"])
    try:
        model = _model(settings, parameters, MAX_MEMBERS)
        _check_shapes(model, activations)
        if isinstance(model, MLP):
            ranges = []
        elif run.has("figures.safetensors"):
            ranges = _read_ranges(model, run.tensors("figures.safetensors"))
        else:
            model = model.member(None if model.n_members is None else 0)
            ranges = _ranges_from(model, activations)
    except (KeyError, ValueError, RuntimeError, IndexError) as error:
        raise _not_of_config(run, error) from None
    laws = laws_of(settings, model) if knows_scheme(run.record.config) else ()
    if len(run.stats["layers"]) not in (0, len(model.layers)):
        raise ConfigError([f"{folder}/stats.json: damaged: not the statistics of {len(model.layers)} layers"])
    bounds = recorded_bounds(run.record.config)
    data = FigureData(model, ranges, run.stats, activations, laws, settings.n_seeds, bounds)
    return dataclasses.replace(data, training=_read_training(run, settings, data)) if run.has(FIT) else data


def _read_training(run: RecordedRun, settings: Settings, start: FigureData) -> TrainingData:
    """What training adds to a run's figures.

    Raises:
        ConfigError: a file is missing or damaged, or holds another network.
    """
    tensors, rows = run.tensors(FIT), run.read(CURVES).decode().splitlines()
    try:
        model = _model(settings, run.tensors(PARAMETERS), MAX_MEMBERS)
        marked = {name[len(MARKED) :]: tensor for name, tensor in tensors.items() if name.startswith(MARKED)}
        ranges = _read_ranges(model, tensors) if isinstance(model, KAN) else []
        trained = dataclasses.replace(start, model=model, ranges=ranges, activations=marked, laws=())
        x, target, prediction = (tensors[name].numpy() for name in ("x", "target", "prediction"))
        samples = None
        if "samples_x" in tensors:
            samples = tensors["samples_x"].numpy(), tensors["samples_y"].numpy()
        curves = read_curves(rows)
    except (KeyError, ValueError, RuntimeError, IndexError) as error:
        raise _not_of_config(run, error) from None
    return TrainingData(run.stats["training"]["task"], curves, Fit(x, target, prediction, samples), trained)


def load_model(run: RecordedRun, name: str = "params.safetensors") -> tuple[KAN, Settings]:
    """The KAN of a run with all of its members, as a file holds it, and the run's settings.

    Args:
        name: of the file.

    Raises:
        ConfigError: a file is missing or damaged, or holds another network.
    """
    parameters = run.tensors(name)
    if _is_of_mlp(parameters):
        raise ConfigError([f"{run.folder}: a run of an MLP; name one of a KAN"])
    settings = settings_of_run(run, (), Presets([builtin_folder()]))
    try:
        model = _kan(settings, parameters, settings.n_seeds)
        if not knows_scheme(run.record.config) and run.has("figures.safetensors"):
            data = run.tensors("figures.safetensors")
            for number, layer in enumerate(model.layers):
                layer.standardise = f"layers.{number}.standard_mean" in data
    except (KeyError, ValueError, RuntimeError, IndexError) as error:
        raise _not_of_config(run, error) from None
    return model, settings


def _not_of_config(run: RecordedRun, error: Exception) -> ConfigError:
    return ConfigError([f"{run.folder}: its tensors are not those of its config: {' '.join(str(error).split())}"])


def _model(settings: Settings, parameters: Mapping[str, Tensor], max_members: int) -> KAN | MLP:
    """The model, or an ensemble's first members."""
    return _mlp(parameters, max_members) if _is_of_mlp(parameters) else _kan(settings, parameters, max_members)


def _is_of_mlp(parameters: Mapping[str, Tensor]) -> bool:
    return "layers.0.weight" in parameters


def _mlp(parameters: Mapping[str, Tensor], max_members: int) -> MLP:
    """An MLP of the width that its weights have."""
    weights = [parameters[f"layers.{number}.weight"] for number in range(len(parameters) // 2)]
    members = None if weights[0].dim() == 2 else min(len(weights[0]), max_members)
    width = weights[0].shape[-1], *(weight.shape[-2] for weight in weights)
    model = MLP(width, n_members=members, dtype=weights[0].dtype)
    model.load_state_dict({name: tensor[: members or len(tensor)] for name, tensor in parameters.items()})
    return model


def _kan(settings: Settings, parameters: Mapping[str, Tensor], max_members: int) -> KAN:
    shape = parameters["layers.0.coef"].shape
    members = None if len(shape) == 3 else min(shape[0], max_members)
    tensors = {name: tensor if members is None else tensor[:members] for name, tensor in parameters.items()}
    grid = shape[-1] - settings.k  # another one after training with train.refine
    options = {
        **layer_options(settings),
        "grid": grid,
        "bias": "layers.0.bias" in tensors,
        "masked": "layers.0.mask" in tensors,
    }
    model = KAN(settings.width, **options, n_members=members)
    for number, layer in enumerate(model.layers):
        knots = tensors[f"layers.{number}.knots"]
        if knots.dim() == (2 if members is None else 3):
            layer.use_per_input_knots_()
            layer.knots.copy_(knots)
    model.load_state_dict(tensors)
    return model


def _check_shapes(model: KAN | MLP, activations: Mapping[str, Tensor]) -> None:
    """Check that activations, where the run kept any, have the model's shapes.

    Raises:
        ValueError: one has another shape.
    """
    if not activations:
        return
    n = len(activations["inputs"])
    shapes: dict[str, tuple[int, ...]] = {"inputs": (n, model.width[0]), "output": (n, model.width[-1])}
    for number, layer in enumerate(model.layers):
        shapes[f"layers.{number}.preacts"] = n, layer.n_in
        if isinstance(model, KAN):
            shapes[f"layers.{number}.postacts"] = n, layer.n_in, layer.n_out
    for name, shape in shapes.items():
        if tuple(activations[name].shape) != shape:
            raise ValueError(f"{name} has another shape")


def _read_ranges(model: KAN, data: Mapping[str, Tensor]) -> list[EdgeRanges]:
    """Input range and edge scores of each layer. Sets the recorded basis statistics in the model."""
    ranges = []
    for number, layer in enumerate(model.layers):
        path = f"layers.{number}"
        low, high, mean_abs, std = (data[f"{path}.{name}"].numpy() for name in ("low", "high", "mean_abs", "std"))
        if low.shape != (layer.n_in,) or mean_abs.shape != (layer.n_in, layer.n_out):
            raise ValueError(f"{path} has another shape")
        if f"{path}.standard_mean" in data:
            layer.standardise = True
            layer.basis_statistics = BasisStatistics(
                data[f"{path}.standard_mean"], data[f"{path}.standard_inverse_std"]
            )
        ranges.append(EdgeRanges(low, high, mean_abs, std))
    return ranges


def _ranges_from(model: KAN, activations: Mapping[str, Tensor]) -> list[EdgeRanges]:
    """The same for a single model whose run drew no figures: over the samples that the run kept."""
    ranges = []
    for number, layer in enumerate(model.layers):
        preacts = activations[f"layers.{number}.preacts"]
        if layer.standardise:
            layer.basis_statistics = BasisStatistics.of([layer.local_basis(preacts)])
        x, y = preacts.double().numpy(), activations[f"layers.{number}.postacts"].double().numpy()
        ranges.append(EdgeRanges(x.min(0), x.max(0), np.abs(y).mean(0), y.std(0)))
    return ranges
