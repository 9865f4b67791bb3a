"""Which code Hydra's part of a config may name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from kancli.errors import ConfigError
from kancli.inits.plugins import code_policy

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
    """Check that Hydra's part of a config names no code but Hydra's own and Python's loggers.

    Raises:
        ConfigError: it does, and the user has not said that it may.
    """
    if code_policy().anywhere:
        return
    faults = [
        f"{path}={value}: names code that is not Hydra's; to have it run add allow_code=true"
        for path, value in _leaves(OmegaConf.to_container(config.hydra), "hydra")
        if (
            (_names_code(path) or str(value).startswith("ext://"))
            and value is not None
            and not KNOWN_CODE.fullmatch(str(value))
        )
        or _may_be_a_section(value, config)
    ]
    if faults:
        raise ConfigError(faults)


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
