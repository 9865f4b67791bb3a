"""Check the code, folders and environment variables that Hydra's part of a config names.

Hydra imports and calls the objects that its part of a config names. Without `allow_code=true` only classes of Hydra
itself, of its plugins and callbacks, of Python's loggers and of Optuna's samplers are allowed, presets below the folder
of --config-dir, and no environment variables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from kancli.errors import ConfigError
from kancli.inits.plugins import code_policy

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

JOBS = "KANCLI_JOBS"  # the only variable that a config may set: a launcher's task finds its jobs there
ENVIRONMENT = "hydra.job.env_set"
SEARCH_PATH = "hydra.searchpath"

# Each pattern ends in a single class name: a longer path would reach everything that the module imports, such as
# logging.handlers.os.system.
ALLOWED_CODE = re.compile(
    r"(hydra\._internal\.core_plugins|hydra_plugins\.\w+)\.\w+\.[A-Z]\w*"
    r"|(hydra\.experimental\.callbacks|logging|logging\.handlers|colorlog|optuna\.samplers)\.[A-Z]\w*"
    r"|ext://sys\.std(out|err)"
)
# Keys whose value is imported: by Hydra (_target_), by Python's logging, and by Optuna's sweeper (the last).
CODE_KEYS = ("_target_", "()", "class", "queue", "listener", "custom_search_space")
# Interpolations that resolve to text or a number, or to a value in Hydra's part, which is checked there.
SCALAR_INTERPOLATION = re.compile(r"\$\{(hydra\.[\w.]+|(now|unique|hydra|oc\.env|python_version):[^${}]*)\}")


def check_code(config: DictConfig) -> None:
    """Check that Hydra's part of a config names only allowed code and folders, and sets no environment variable.

    Raises:
        ConfigError: it does otherwise, and the user did not give `allow_code=true`.
    """
    if code_policy().anywhere:
        return
    leaves = list(_leaves(OmegaConf.to_container(config.hydra), "hydra"))
    faults = [
        f"{path}={value}: sets a variable of the environment, which can run code; to have it add allow_code=true"
        for path, value in leaves
        if f"{path}.".startswith(f"{ENVIRONMENT}.") and value is not None and path != f"{ENVIRONMENT}.{JOBS}"
    ]
    faults += [fault for path, value in leaves if path.startswith(SEARCH_PATH) for fault in _folder_faults(value)]
    faults += [
        f"{path}={value}: names code that is not Hydra's; to have it run add allow_code=true"
        for path, value in leaves
        if _is_foreign_code(path, value) or _may_resolve_to_section(value, config)
    ]
    if faults:
        raise ConfigError(faults)


def check_search_path(overrides: Sequence[Override]) -> None:
    """Check that typed overrides let Hydra search for presets below the folder of --config-dir only.

    Hydra imports the package of a `pkg://` entry to look into it, so this comes before the composition.

    Raises:
        ConfigError: they name another folder or a package, and the user did not give `allow_code=true`.
    """
    if code_policy().anywhere:
        return
    faults = []
    for override in overrides:
        if override.get_key_element().lstrip("+~") == SEARCH_PATH and not override.is_sweep_override():
            value = override.value()
            entries = value if isinstance(value, list) else [value]
            faults += [fault for entry in entries for fault in _folder_faults(entry)]
    if faults:
        raise ConfigError(faults)


def _folder_faults(entry: Any) -> Iterator[str]:
    """The fault of an entry of Hydra's search path that lies outside the user's folder."""
    folder, path = code_policy().folder, str(entry).removeprefix("file://")
    is_below = folder is not None and "://" not in path and Path(path).resolve().is_relative_to(folder.resolve())
    if entry is not None and not is_below:
        yield f"{SEARCH_PATH}={entry}: lies outside the folder of --config-dir; to have it add allow_code=true"


def _is_foreign_code(path: str, value: Any) -> bool:
    is_code = path.rpartition(".")[2] in CODE_KEYS or str(value).startswith("ext://")
    return is_code and value is not None and not ALLOWED_CODE.fullmatch(str(value))


def _may_resolve_to_section(value: Any, config: DictConfig) -> bool:
    """Whether a value is an interpolation that resolves to a section or list, whose contents `check_code` would miss.

    True as well if the result is not known before Hydra resolves it.
    """
    if not isinstance(value, str) or not value.startswith("${") or SCALAR_INTERPOLATION.fullmatch(value):
        return False
    if not re.fullmatch(r"\$\{\w[\w.]*\}", value):
        return _is_single_interpolation(value)
    try:
        return OmegaConf.is_config(OmegaConf.select(config, value[2:-1]))
    except OmegaConfBaseException:
        return True


def _is_single_interpolation(value: str) -> bool:
    """Whether text is a single interpolation, without text after it, which would make the result a string."""
    depth = 0
    for position, character in enumerate(value):
        depth += (character == "{") - (character == "}")
        if depth == 0 and character == "}":
            return position == len(value) - 1
    return True


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """The values of nested sections and lists, with their dotted paths."""
    if isinstance(value, dict):
        for name, entry in value.items():
            yield from _leaves(entry, f"{path}.{name}")
    elif isinstance(value, list):
        for number, entry in enumerate(value):
            yield from _leaves(entry, f"{path}.{number}")
    else:
        yield path, value
