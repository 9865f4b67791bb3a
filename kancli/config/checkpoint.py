"""The values that a checkpoint decides: width, grid, k, base function and dtype, in place of those of the config."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from kancli.config.models import CheckpointModel, Model
from kancli.config.settings import Grid, Settings
from kancli.errors import ConfigError
from kancli.inits import SCHEMES
from kancli.schema import FaultError, keys, read
from kancli.spelling import show

if TYPE_CHECKING:
    from kancli.kan.network import KAN

SCHEME = "checkpoint"  # in place of the name of a scheme
TOP, GRID = ("width", "k", "base_fun", "dtype"), ("size", "range")
DECIDED = (*TOP, *(f"grid.{name}" for name in GRID), "init")  # the keys and sections that a file decides


def with_checkpoint(
    config: Mapping[str, Any], model: Model, typed: Collection[str], faults: list[str]
) -> Mapping[str, Any]:
    """The config of a model from a file, with the file's values; of another model as it is.

    Args:
        typed: keys and groups that were typed. Defaults give way to the file's values; what was typed must agree.
        faults: gets a line for each value that does not.

    Raises:
        ConfigError: the file cannot be used.
    """
    is_checkpoint = isinstance(config.get("init"), Mapping) and config["init"].get("scheme") == SCHEME
    if not isinstance(model, CheckpointModel):
        if is_checkpoint:
            raise ConfigError([f"init.scheme={SCHEME}: for the parameters in a file, type model=FILE; else init=NAME"])
        return config
    if not is_checkpoint and ("init" in _parents(typed) or not _is_default_init(config)):
        faults.append(f"{_typed_init(config)}: the parameters are those of {model.path}; leave init and its knobs out")
    own, path = _values_of(model.checkpoint().network), model.path
    grid = config.get("grid", {})
    given = {**config, **({f"grid.{name}": value for name, value in grid.items()} if isinstance(grid, Mapping) else {})}
    for name, value in own.items():
        if name in given and not _agrees(name, given[name], value, typed):
            faults.append(_message(name, given[name], value, path))
    sizes = {name: own[f"grid.{name}"] for name in GRID}
    new_grid = {**grid, **sizes} if isinstance(grid, Mapping) else grid
    return {**config, **{name: own[name] for name in TOP}, "grid": new_grid, "init": {"scheme": SCHEME}}


def decided_values(settings: Settings) -> dict[str, Any]:
    """The values of `DECIDED` for the model of a file, by dotted path; none for another model."""
    if not isinstance(settings.model, CheckpointModel):
        return {}
    return {**_values_of(settings.model.checkpoint().network), "init": {"scheme": SCHEME}}


def checkpoint_faults(settings: Settings) -> list[str]:
    """A line for each value that the model of a file cannot have; none for another model."""
    faults, grid = [], settings.grid
    if not isinstance(settings.model, CheckpointModel):
        return faults
    if settings.n_seeds > 1:
        faults.append(f"n_seeds={settings.n_seeds}: a file holds one network; leave n_seeds out")
    if grid.adapts:
        faults.append(f"grid.adapt={grid.adapt}: the knots are those of the file; leave grid.adapt out")
    return faults


def _values_of(network: KAN) -> dict[str, Any]:
    """The values of keys that a network has, by dotted path."""
    layer = network.layers[0]
    return {
        "width": list(network.width),
        "k": layer.k,
        "base_fun": layer.base_name,
        "dtype": str(layer.coef.dtype).removeprefix("torch."),
        "grid.size": layer.grid,
        "grid.range": list(layer.grid_range),
    }


def _agrees(path: str, given: Any, value: Any, typed: Collection[str]) -> bool:
    """Whether a value of the config is the file's, a default that gives way to it, or none that could be legal."""
    declared, name = (Grid, path.removeprefix("grid.")) if path.startswith("grid.") else (Settings, path)
    field = keys(declared)[name]
    try:
        canonical, own = field.metadata["kind"].check(given), field.metadata["kind"].check(value)
    except FaultError:
        return False
    is_typed = path in typed or path.partition(".")[0] in typed
    return canonical == own or (canonical == field.default and not is_typed)


def _message(path: str, given: Any, value: Any, file: str) -> str:
    name = "grid" if path == "grid.size" else path
    if path == "base_fun":
        return (
            f"base_fun={show(given)}: {file} is read with {value}; type model.base_fun={show(given)} if that is"
            " what the model was made with, or leave base_fun out"
        )
    spelled = "-".join(map(str, value)) if name == "width" else show(value)
    typed = "-".join(map(str, given)) if name == "width" and isinstance(given, (list, tuple)) else show(given)
    return f"{name}={typed}: the model in {file} has {name}={spelled}; leave {name} out"


def _parents(typed: Collection[str]) -> set[str]:
    return {path.partition(".")[0] for path in typed}


def _is_default_init(config: Mapping[str, Any]) -> bool:
    """Whether init is left out, or as the default config has it."""
    init, default = config.get("init"), SCHEMES["default"]
    if init is None:
        return True
    if not isinstance(init, Mapping) or init.get("scheme") != "default":
        return False
    return set(init) <= {"scheme", *keys(default)} and read(default, init, "", []) == default()


def _typed_init(config: Mapping[str, Any]) -> str:
    """An init as it may have been typed: its name, or its first knob that is not the default's."""
    init = config.get("init")
    if not isinstance(init, Mapping):
        return f"init={show(init)}"
    if init.get("scheme") == "default":
        defaults = vars(SCHEMES["default"]())
        if changed := [name for name in init if name != "scheme" and init[name] != defaults.get(name)]:
            return f"{changed[0]}={show(init[changed[0]])}"
    return f"init={show(init.get('scheme') or init.get('_target_'))}"
