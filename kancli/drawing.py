"""`kan-run draw`: figures anew, from what a finished run left in its folder and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from kancli import figures
from kancli.config import validate
from kancli.errors import ConfigError, one_line
from kancli.experiment import layer_options, scope_tensors
from kancli.figures.scene import Scene
from kancli.model import KAN, Standard
from kancli.overrides import parse, settle
from kancli.run_folder import RunFolder, read_json, read_tensors
from kancli.schema import show
from kancli.settings import Settings
from kancli.stats import SCHEMA, LayerScope

if TYPE_CHECKING:
    from kancli.presets import Presets

MODEL_KEYS = ("width", "k", "base_fun", "dtype", "grid")  # what of a config the functions on the edges depend on


def draw_again(folder: Path, typed: Sequence[str], presets: Presets) -> list[Path]:
    """Draw the figures of a finished run again, and return the files written.

    Args:
        typed: overrides of `figures` and its keys; the others are as the run had them.

    Raises:
        ConfigError: the folder is not that of a finished run, one of its files is damaged, an override is of no figure,
            or there is nothing that can be drawn.
    """
    run = read_json(folder / "run.json")
    if run.get("status") not in ("complete", "failed") or not isinstance(run.get("config"), Mapping):
        raise ConfigError([f"{folder}: not the folder of a finished run: run.json says {run.get('status')!r}"])
    settings = _settings(folder, run["config"], typed, presets)
    scene = read_scene(folder, settings)
    target = RunFolder(folder, {})
    try:
        for _, files in figures.files(scene, settings.figures):
            for path, content in files.items():
                target.write(path, content)
    except (KeyError, TypeError, IndexError) as error:
        raise ConfigError([f"{folder}/stats.json: damaged: lacks what is to be drawn: {one_line(error)}"]) from None
    if not target.files:
        raise ConfigError([f"{folder}: nothing to draw; type for example figures=all"])
    written = [folder / name for name in target.files]
    run.setdefault("sha256", {}).setdefault("files", {}).update(target.files)
    target.write_json("run.json", run)
    return written


def _settings(folder: Path, config: Mapping[str, Any], typed: Sequence[str], presets: Presets) -> Settings:
    settled = settle(parse(typed), presets)
    strange = [key for key, _ in settled.values if key.split(".")[0] != "figures"]
    strange += [key for key in settled.choices if key != "figures"]
    faults = [*settled.faults, *(f"{key}: a run is drawn as it was; only figures can be chosen" for key in strange)]
    if faults or settled.hydra:
        raise ConfigError(faults or [f"{' '.join(settled.hydra)}: only figures can be chosen"])
    look = config.get("figures", {})
    if not isinstance(look, Mapping):
        raise ConfigError([f"{folder}/run.json: damaged: its config's figures are no section"])
    look = dict(look)
    if (choice := settled.choices.get("figures")) is not None:
        look |= presets.load("figures", choice).body
    look |= {key.removeprefix("figures."): value for key, value in settled.values}
    known = {name: config[name] for name in MODEL_KEYS if name in config}
    try:
        return validate({**known, "inputs": {"kind": "normal", "n": 2}, "figures": look})
    except ConfigError as error:
        raise ConfigError([f"{folder}: {fault}" for fault in error.faults]) from None


def read_scene(folder: Path, settings: Settings) -> Scene:
    """What figures need, from the files of a run's folder.

    Raises:
        ConfigError: a file is missing or damaged, or holds another network.
    """
    parameters = read_tensors(folder / "params.safetensors")
    kept = folder / "activations.safetensors"
    activations = read_tensors(kept) if kept.exists() else {}
    numbers = folder / "figures.safetensors"
    if not numbers.exists() and not activations:
        raise ConfigError([f"{folder}: neither figures.safetensors nor activations.safetensors: nothing to draw"])
    try:
        model = _model(settings, parameters)
        data = read_tensors(numbers) if numbers.exists() else _from_activations(model, activations)
        scopes = [_scope(model, number, data) for number in range(len(model.layers))]
    except (KeyError, ValueError, RuntimeError, IndexError) as error:
        raise ConfigError(
            [f"{folder}: its tensors are not those of its config: {' '.join(str(error).split())}"]
        ) from None
    return Scene(model, scopes, _stats(folder / "stats.json"), activations)


def _stats(path: Path) -> dict[str, Any]:
    stats = read_json(path)
    if stats.get("schema") != SCHEMA:
        raise ConfigError([f"{path}: has schema {show(stats.get('schema'))}; this kancli reads {SCHEMA}"])
    return stats


def _model(settings: Settings, parameters: Mapping[str, Tensor]) -> KAN:
    """The model, or the first of an ensemble's."""
    single = parameters["layers.0.coef"].dim() == 3
    tensors = {name: each if single else each[0] for name, each in parameters.items()}
    options = {**layer_options(settings), "bias": "layers.0.bias" in tensors}
    model = KAN(settings.width, **options)
    for number, layer in enumerate(model.layers):
        if tensors[f"layers.{number}.knots"].dim() == 2:
            layer.take_own_knots_()
            layer.knots.copy_(tensors[f"layers.{number}.knots"])
    model.load_state_dict(tensors)
    return model


def _scope(model: KAN, number: int, data: Mapping[str, Tensor]) -> LayerScope:
    layer, path = model.layers[number], f"layers.{number}"
    low, high, mean_abs, std = (data[f"{path}.{name}"].numpy() for name in ("low", "high", "mean_abs", "std"))
    if low.shape != (layer.n_in,) or mean_abs.shape != (layer.n_in, layer.n_out):
        raise ValueError(f"{path} is of another size")
    if f"{path}.standard_mean" in data:
        layer.standardise = True
        layer.standard = Standard(data[f"{path}.standard_mean"], data[f"{path}.standard_inverse_std"])
    return LayerScope(low, high, mean_abs, std)


def _from_activations(model: KAN, activations: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The numbers of the figures from the samples that were kept, where the run itself drew none."""
    scopes = []
    for number in range(len(model.layers)):
        x = activations[f"layers.{number}.preacts"].double().numpy()
        y = activations[f"layers.{number}.postacts"].double().numpy()
        scopes.append(LayerScope(x.min(0), x.max(0), np.abs(y).mean(0), y.std(0)))
    return scope_tensors(model, scopes)
