"""The files under configs/ and the declared keys agree."""

import pytest

from kancli.config.compose import compose
from kancli.config.hydra import compose_run, create_hydra
from kancli.config.identity import affects_identity, config_of
from kancli.config.interpolations import plain_config
from kancli.config.nested import flatten
from kancli.config.settings import Settings
from kancli.figures.options import NAMES


def values(config):
    """Values by dotted path, with lists as tuples."""
    return {path: tuple(value) if isinstance(value, list) else value for path, value in flatten(config)}


def test_the_default_config_holds_every_key_with_its_declared_default(presets):
    """config.yaml and the default preset of each group: no key is missing, and none is there that no field declares."""
    assert values(compose([], presets).config) == values(config_of(Settings()))


def test_all_figures_are_those_that_exist(presets):
    draft = compose(["figures=all"], presets)
    assert draft.settings.figures.names == tuple(NAMES)
    config, settings = compose_run(create_hydra(presets), draft)
    assert plain_config(config)["figures"]["names"] == list(NAMES), "the record holds the names"
    assert settings is draft.settings


@pytest.mark.parametrize(
    ("path", "expected"),
    [("seed", True), ("grid.size", True), ("init.noise_scale", True), ("inputs.n", True), ("nodes", True),
     ("device", False), ("figures", False), ("figures.beta", False), ("stats.ntk.n", False), ("sweep.workers", False)],
)  # fmt: skip
def test_keys_say_whether_they_belong_to_the_identity(path, expected):
    assert affects_identity(path) is expected
