"""Resolve the interpolations of a composed config."""

from __future__ import annotations

import re
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

from kancli.config.extras import missing_plugin_message
from kancli.config.nested import MISSING
from kancli.config.shorthands import read_text
from kancli.errors import ConfigError

FROM_ENVIRONMENT = re.compile(r"\$\{oc\.env:[^${}]*\}")
NUMBER = re.compile(r"hydra[:.]job\.(num|id)\b")


def plain_config(config: DictConfig, *, number: int | None = None) -> dict[str, Any]:
    """Convert the job's part of a composed config to plain values.

    Args:
        number: of the job in a sweep, which Hydra itself writes into the config later.

    Raises:
        ConfigError: an interpolation cannot be resolved.
    """
    names = _task_keys(config)
    if number is not None:
        config = config.copy()
        with open_dict(config.hydra.job):
            config.hydra.job.num = config.hydra.job.id = number
    try:
        # Each value is resolved below the whole config: it may refer to Hydra's part.
        return {name: _resolved(config, name) for name in names}
    except OmegaConfBaseException as error:
        raise ConfigError([describe(error)]) from None


def uses_number(config: DictConfig) -> bool:
    """Whether values of the job's part refer to the number that the job has in a sweep."""
    written: Any = OmegaConf.to_container(config, resolve=False)
    return any(NUMBER.search(repr(written[name])) for name in _task_keys(config))


def _task_keys(config: DictConfig) -> list[str]:
    return [str(name) for name in config if name != "hydra"]


def _resolved(config: DictConfig, name: str) -> Any:
    if OmegaConf.is_missing(config, name):
        return MISSING
    value = config[name]
    if OmegaConf.is_config(value):
        return _spelt(OmegaConf.to_container(value), OmegaConf.to_container(value, resolve=True), name)
    return _spelt(config._get_node(name)._value(), value, name)  # pyright: ignore


def _spelt(written: Any, resolved: Any, path: str) -> Any:
    """Resolved values, with numbers in place of texts from environment variables that spell them."""
    if isinstance(resolved, dict) and isinstance(written, dict):
        return {name: _spelt(written[name], value, f"{path}.{name}") for name, value in resolved.items()}
    if isinstance(resolved, str) and isinstance(written, str) and FROM_ENVIRONMENT.fullmatch(written):
        return read_text(path, resolved)
    return resolved


def register_hydra_resolver() -> None:
    """Make ${hydra:PATH} work before a job runs too."""
    OmegaConf.register_new_resolver("hydra", _select_hydra, replace=True)


def _select_hydra(path: str, *, _root_: Any) -> Any:
    """The resolver ${hydra:PATH}: Hydra's own needs a global config, which exists only while a job runs.

    Raises:
        ConfigKeyError: Hydra's part has no such value, or has it only while a job runs.
    """
    part: Any = _root_.hydra if "hydra" in _root_ else HydraConfig.get()
    value = OmegaConf.select(part, path)
    if value is None and (OmegaConf.select(part, path, default=MISSING) == MISSING):
        raise ConfigKeyError(f"${{hydra:{path}}}: has no value here; type for example ${{hydra:runtime.choices.init}}")
    return value


def describe(error: Exception) -> str:
    """The first line of an exception, and of OmegaConf's behind it."""
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else None
    first_lines = [str(part).strip().splitlines()[0] for part in (error, cause) if part and str(part).strip()]
    message = "; ".join(first_lines) or type(error).__name__
    return missing_plugin_message(message) or message
