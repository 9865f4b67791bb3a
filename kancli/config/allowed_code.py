"""Which code, folders and variables of the environment Hydra's part of a config may name."""

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

# Hydra makes whatever object its own part of a config names. Without more ado these: classes that lie where they are
# looked for, since a dotted path goes on through whatever a module has imported (logging.handlers.os.system).
KNOWN_CODE = re.compile(
    r"(hydra\._internal\.core_plugins|hydra_plugins\.\w+)\.\w+\.[A-Z]\w*"
    r"|(hydra\.experimental\.callbacks|logging|logging\.handlers|colorlog|optuna\.samplers)\.[A-Z]\w*"
    r"|ext://sys\.std(out|err)"
)


# Hydra's key, those of logging, and one of Optuna's sweeper
NAMES_CODE = ("_target_", "()", "class", "queue", "listener", "custom_search_space")


def check_code(config: DictConfig) -> None:
    """Check that Hydra's part of a config names no code but Hydra's own and Python's loggers, and sets no environment.

    Raises:
        ConfigError: it does, and the user has not said that it may.
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
        if (
            (_names_code(path) or str(value).startswith("ext://"))
            and value is not None
            and not KNOWN_CODE.fullmatch(str(value))
        )
        or _may_be_a_section(value, config)
    ]
    if faults:
        raise ConfigError(faults)


def check_search_path(overrides: Sequence[Override]) -> None:
    """Check that typed overrides let Hydra search for presets below the folder of --config-dir only.

    Hydra imports the package of a `pkg://` entry to look into it, so this comes before the composition.

    Raises:
        ConfigError: they name another folder or a package, and the user has not said that they may.
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


def _names_code(path: str) -> bool:
    return path.rpartition(".")[2] in NAMES_CODE


# Interpolations that come to text or a number, or to what stands in Hydra's part and is checked there.
PLAIN_INTERPOLATION = re.compile(r"\$\{(hydra\.[\w.]+|(now|unique|hydra|oc\.env|python_version):[^${}]*)\}")


def _may_be_a_section(value: Any, config: DictConfig) -> bool:
    """Whether a value is an interpolation that comes to a section or a list, whose contents would pass unseen; or may,
    as far as can be told yet."""
    if not isinstance(value, str) or not value.startswith("${") or PLAIN_INTERPOLATION.fullmatch(value):
        return False
    if not re.fullmatch(r"\$\{\w[\w.]*\}", value):
        return _is_whole(value)
    try:
        return OmegaConf.is_config(OmegaConf.select(config, value[2:-1]))
    except OmegaConfBaseException:
        return True


def _is_whole(value: str) -> bool:
    """Whether text is one interpolation, with nothing beside it that would make text of it."""
    depth = 0
    for place, letter in enumerate(value):
        depth += (letter == "{") - (letter == "}")
        if depth == 0 and letter == "}":
            return place == len(value) - 1
    return True


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """The values of nested sections and lists, each with its path."""
    if isinstance(value, dict):
        for name, entry in value.items():
            yield from _leaves(entry, f"{path}.{name}")
    elif isinstance(value, list):
        for number, entry in enumerate(value):
            yield from _leaves(entry, f"{path}.{number}")
    else:
        yield path, value
