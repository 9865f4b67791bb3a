"""A finished run drawn anew, from what it left in its folder and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from kancli.config.overrides import parse, resolve
from kancli.config.settings import Settings
from kancli.config.validation import validate
from kancli.errors import ConfigError
from kancli.figures.data import MAX_MEMBERS, FigureData
from kancli.inits.plugins import TARGET, CodePolicy, code_policy
from kancli.kan.layer import BasisStatistics
from kancli.kan.network import KAN
from kancli.runs.experiment import laws_of, layer_options
from kancli.runs.files import read_json, read_tensors
from kancli.schema import show
from kancli.stats.network_stats import EdgeRanges
from kancli.stats.stats_json import SCHEMA

if TYPE_CHECKING:
    from kancli.config.presets import Presets

# What of a config the functions on the edges depend on.
MODEL_KEYS = ("width", "k", "base_fun", "dtype", "grid", "n_seeds")


def read_run(folder: Path) -> dict[str, Any]:
    """The run.json of a finished run.

    Raises:
        ConfigError: there is none, or the run is not finished.
    """
    run = read_json(folder / "run.json")
    if run.get("status") not in ("complete", "failed") or not isinstance(run.get("config"), Mapping):
        raise ConfigError([f"{folder}: not the folder of a finished run: run.json says {run.get('status')!r}"])
    hashes = run.get("sha256")
    if not isinstance(hashes, Mapping) or not isinstance(hashes.get("files"), Mapping):
        raise ConfigError([f"{folder}/run.json: damaged: it has no hashes of files"])
    return run


def settings_of_run(folder: Path, config: Mapping[str, Any], typed: Sequence[str], presets: Presets) -> Settings:
    """What of a run's settings its figures depend on.

    Args:
        typed: overrides of `figures` and its keys.

    Raises:
        ConfigError: an override is of something else, or the recorded config has faults.
    """
    resolved = resolve(parse(typed), presets)
    strange = [key for key, _ in resolved.values if key.split(".")[0] != "figures"]
    strange += [key for key in resolved.choices if key != "figures"]
    faults = [*resolved.faults, *(f"{key}: a run is drawn as it was; only figures can be chosen" for key in strange)]
    if faults or resolved.hydra:
        raise ConfigError(faults or [f"{' '.join(resolved.hydra)}: only figures can be chosen"])
    look = config.get("figures", {})
    if not isinstance(look, Mapping):
        raise ConfigError([f"{folder}/run.json: damaged: its config's figures are no section"])
    look = dict(look)
    if (choice := resolved.choices.get("figures")) is not None:
        look |= presets.load("figures", choice).body
    look |= {key.removeprefix("figures."): value for key, value in resolved.values}
    known = {name: config[name] for name in MODEL_KEYS if name in config}
    if _knows_scheme(config):
        known["init"] = config["init"]
    try:
        return validate({**known, "inputs": {"kind": "normal", "n": 2}, "figures": look})
    except ConfigError as error:
        raise ConfigError([f"{folder}: {fault}" for fault in error.faults]) from None


def figure_data_of_run(
    folder: Path, config: Mapping[str, Any], typed: Sequence[str], presets: Presets
) -> tuple[Settings, FigureData]:
    """What figures need of a run, and how they are to look; the arguments and errors are those of `settings_of_run` and
    `read_figure_data`."""
    settings = settings_of_run(folder, config, typed, presets)
    return settings, read_figure_data(folder, settings, with_laws=_knows_scheme(config))


def _knows_scheme(config: Mapping[str, Any]) -> bool:
    """Whether a run's scheme may be looked up: one of kancli's own, or one whose code the user trusts."""
    init = config.get("init")
    return isinstance(init, Mapping) and (TARGET not in init or code_policy() != CodePolicy())


def read_figure_data(folder: Path, settings: Settings, *, with_laws: bool = True) -> FigureData:
    """What figures need, from the files of a run's folder.

    Args:
        with_laws: whether the settings tell the run's scheme.

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
        _check(model, activations)
        if numbers.exists():
            ranges = _read_ranges(model, read_tensors(numbers))
        else:
            model = model.member(None if model.n_members is None else 0)
            ranges = _ranges_from(model, activations)
    except (KeyError, ValueError, RuntimeError, IndexError) as error:
        raise ConfigError(
            [f"{folder}: its tensors are not those of its config: {' '.join(str(error).split())}"]
        ) from None
    laws = laws_of(settings, model) if with_laws else ()
    stats = read_stats(folder / "stats.json")
    if not isinstance(stats.get("layers"), list) or len(stats["layers"]) not in (0, len(model.layers)):
        raise ConfigError([f"{folder}/stats.json: damaged: not the statistics of {len(model.layers)} layers"])
    return FigureData(model, ranges, stats, activations, laws, settings.n_seeds)


def read_stats(path: Path) -> dict[str, Any]:
    """The contents of a stats.json.

    Raises:
        ConfigError: it is damaged, or has another schema.
    """
    stats = read_json(path)
    if stats.get("schema") != SCHEMA:
        raise ConfigError([f"{path}: has schema {show(stats.get('schema'))}; this kancli reads {SCHEMA}"])
    return stats


def _model(settings: Settings, parameters: Mapping[str, Tensor]) -> KAN:
    """The model, or an ensemble's first members."""
    shape = parameters["layers.0.coef"].shape
    members = None if len(shape) == 3 else min(shape[0], MAX_MEMBERS)
    tensors = {name: each if members is None else each[:members] for name, each in parameters.items()}
    options = {**layer_options(settings), "bias": "layers.0.bias" in tensors}
    model = KAN(settings.width, **options, n_members=members)
    for number, layer in enumerate(model.layers):
        knots = tensors[f"layers.{number}.knots"]
        if knots.dim() == (2 if members is None else 3):
            layer.use_per_input_knots_()
            layer.knots.copy_(knots)
    model.load_state_dict(tensors)
    return model


def _check(model: KAN, activations: Mapping[str, Tensor]) -> None:
    """Whether activations are of that model, where any were kept."""
    if not activations:
        return
    n = len(activations["inputs"])
    wanted = {"inputs": (n, model.width[0]), "output": (n, model.width[-1])}
    for number, layer in enumerate(model.layers):
        wanted |= {
            f"layers.{number}.preacts": (n, layer.n_in),
            f"layers.{number}.postacts": (n, layer.n_in, layer.n_out),
        }
    for name, shape in wanted.items():
        if tuple(activations[name].shape) != shape:
            raise ValueError(f"{name} is of another size")


def _read_ranges(model: KAN, data: Mapping[str, Tensor]) -> list[EdgeRanges]:
    """Range and strength in each layer; and the model is told what its bases were standardised by."""
    ranges = []
    for number, layer in enumerate(model.layers):
        path = f"layers.{number}"
        low, high, mean_abs, std = (data[f"{path}.{name}"].numpy() for name in ("low", "high", "mean_abs", "std"))
        if low.shape != (layer.n_in,) or mean_abs.shape != (layer.n_in, layer.n_out):
            raise ValueError(f"{path} is of another size")
        if f"{path}.standard_mean" in data:
            layer.standardise = True
            layer.basis_statistics = BasisStatistics(
                data[f"{path}.standard_mean"], data[f"{path}.standard_inverse_std"]
            )
        ranges.append(EdgeRanges(low, high, mean_abs, std))
    return ranges


def _ranges_from(model: KAN, activations: Mapping[str, Tensor]) -> list[EdgeRanges]:
    """The same of a single model, over the samples that were kept: the run itself drew no figures."""
    ranges = []
    for number, layer in enumerate(model.layers):
        preacts = activations[f"layers.{number}.preacts"]
        if layer.standardise:
            layer.basis_statistics = BasisStatistics.of([layer.local_basis(preacts)])
        x, y = preacts.double().numpy(), activations[f"layers.{number}.postacts"].double().numpy()
        ranges.append(EdgeRanges(x.min(0), x.max(0), np.abs(y).mean(0), y.std(0)))
    return ranges
