"""Arguments of the Python interface, held against the declarations of the command line."""

from __future__ import annotations

import copy
import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kancli.config.catalogue import SECTIONS, VARIANTS
from kancli.config.presets import Presets, builtin_folder
from kancli.config.settings import Settings
from kancli.errors import ConfigError
from kancli.figures.options import FigureOptions, name_faults
from kancli.schema import keys, read
from kancli.spelling import show
from kancli.synonyms import nearest

if TYPE_CHECKING:
    import torch

MODEL_ARGUMENTS = (
    "width", "grid", "k", "noise_scale", "noise_scale_base", "base_fun", "seed", "grid_range", "init", "dtype",
    "device",
)  # fmt: skip
MEMBERS_HINT = "KAN() is one model: draw several with KAN(seed=0), KAN(seed=1), ..., or load a run's with KAN.load(RUN)"
# Arguments of pykan's KAN that have no counterpart here.
PYKAN_ARGUMENTS = (
    "mult_arity", "symbolic_enabled", "affine_trainable", "grid_eps", "sp_trainable", "sb_trainable", "save_act",
    "auto_save", "first_init", "ckpt_path", "state_id", "round",
)  # fmt: skip
# Keys of `FigureOptions` that choose files, or pictures of several runs.
NOT_OF_PLOT = ("names", "format", "share")
# Arguments of pykan's plot() that have no counterpart here.
PYKAN_PLOT = {
    "folder": "plot() writes no file; type model.plot().savefig('kan.png')",
    "mask": "edges that a mask switches off are always drawn as such",
    "mode": "edges are drawn by their metric: mean_abs or std",
    "varscale": "names are drawn at the size of the other text; scale changes both",
    "var_names": "type in_vars",
}
PYKAN_METRICS = ("forward_n", "forward_u", "backward", "act")


def check_names(knobs: Mapping[str, Any]) -> None:
    """Check that further arguments of `KAN()` may be knobs of a scheme.

    Raises:
        ConfigError: one is a key of kan-run or an argument of pykan that `KAN()` does not take.
    """
    of_runs = [*keys(Settings), *SECTIONS, *VARIANTS]
    faults = []
    for name, value in knobs.items():
        given = f"{name}={show(value)}"
        if name == "n_seeds":
            faults.append(f"{given}: {MEMBERS_HINT}")
        elif name in of_runs:
            faults.append(f"{given}: a key of kan-run; KAN() takes {', '.join(MODEL_ARGUMENTS)} and the knobs of init")
        elif name in PYKAN_ARGUMENTS:
            faults.append(f"{given}: an argument of pykan's KAN without a counterpart in kancli; leave it out")
    if faults:
        raise ConfigError(faults)


@functools.cache
def _presets() -> Presets:
    return Presets([builtin_folder()])


def preset_values(**named: Any) -> dict[str, Any]:
    """The plain config of the presets that arguments name, such as width="deep", init="linear".

    Args:
        named: the arguments of `KAN()` by group; other values than names of presets are left out.

    Raises:
        ConfigError: init names no preset.
    """
    config: dict[str, Any] = {}
    for group, name in named.items():
        options = _presets().options(group)
        if isinstance(name, str) and name in options:
            preset = _presets().load(group, name)
            body = preset.body if preset.package == "_global_" else {group: preset.body}
            config |= copy.deepcopy(body)
        elif group == "init":
            raise ConfigError([f"init={show(name)}: allowed: {', '.join(options)}{nearest(name, options)}"])
    return config


def as_list(value: Any) -> Any:
    """A list of plain values; what is no sequence stays, for the declarations to refuse."""
    return list(value) if isinstance(value, Iterable) and not isinstance(value, str) else value


def as_width(value: Any) -> Any:
    """The width as a list; `"2-5-1"` as on the command line."""
    if isinstance(value, str) and re.fullmatch(r"\d+(-\d+)+", value):
        return [int(number) for number in value.split("-")]
    return as_list(value)


def as_device(name: Any) -> torch.device:
    """The device of a name, as in torch.

    Raises:
        ConfigError: torch knows no such device.
    """
    import torch

    try:
        return torch.device(name)
    except (RuntimeError, TypeError):
        raise ConfigError([f"device={show(name)}: allowed: a device of torch, such as cpu, cuda or cuda:0"]) from None


def plot_options(given: Mapping[str, Any], width: Sequence[int]) -> FigureOptions:
    """The options of a network figure from the arguments of `plot()`.

    Raises:
        ConfigError: with all faults.
    """
    faults: list[str] = []
    legal = [name for name in keys(FigureOptions) if name not in NOT_OF_PLOT]
    for name, value in given.items():
        if name in PYKAN_PLOT:
            faults.append(f"{name}={show(value)}: {PYKAN_PLOT[name]}")
        elif name not in legal:
            hint = nearest(name, legal) or f"; allowed: {', '.join(legal)}"
            faults.append(f"{name}={show(value)}: plot() has no such argument{hint}")
    plain = {name: _plain(value) for name, value in given.items() if name in legal}
    plain |= {name: _names(plain[name]) for name in ("in_vars", "out_vars") if name in plain}
    options = read(FigureOptions, plain, "", faults)
    if given.get("metric") in PYKAN_METRICS:
        faults[-1:] = [f"{fault}; {given['metric']} is pykan's" for fault in faults[-1:]]
    if options is not None:
        faults += name_faults(options, width[0], width[-1])
    if options is None or faults:
        raise ConfigError(faults)
    return options


def _plain(value: Any) -> Any:
    """A number or a truth value of numpy as Python's own."""
    return value.item() if getattr(value, "shape", None) == () and hasattr(value, "item") else value


def _names(names: Any) -> Any:
    """Names as texts: columns of a table may be numbers, variables may be symbols."""
    if names is None or isinstance(names, str) or not isinstance(names, Iterable):
        return names
    return [name if name is None or isinstance(name, (str, bool)) else str(name) for name in names]
