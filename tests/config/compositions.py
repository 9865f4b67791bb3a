"""The two compositions of a config, and the faults of overrides."""

from hydra.types import RunMode

from kancli.config.compose import CONFIG_NAME, compose
from kancli.config.hydra import create_hydra
from kancli.config.interpolations import plain_config
from kancli.errors import ConfigError


def compose_with_hydra(presets, *overrides):
    hydra = create_hydra(presets)
    return hydra.compose_config(CONFIG_NAME, list(overrides), run_mode=RunMode.RUN, with_log_configuration=False)


def compose_both_ways(presets, *overrides):
    """The config, after checking that both compositions give the same."""
    composed = compose(overrides, presets)
    assert composed.plain
    assert composed.settings
    config = plain_config(compose_with_hydra(presets, *overrides))
    assert config == composed.config
    return config


def find_faults(presets, *overrides):
    try:
        compose(overrides, presets).settings  # noqa: B018
    except ConfigError as error:
        return error.faults
    return []
