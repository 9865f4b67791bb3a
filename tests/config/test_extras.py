"""The extras of pyproject.toml, and the answers that name them."""

from pathlib import Path

import pytest

from kancli.config.extras import EXTRAS, missing_plugin_message

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def test_every_extra_is_declared():
    declared = PYPROJECT.read_text().partition("[project.optional-dependencies]")[2].partition("\n[")[0]
    assert all(f"\n{extra} = [" in declared for extra in EXTRAS.values())


@pytest.mark.parametrize(("path", "extra"), EXTRAS.items())
def test_the_extra_of_a_missing_plugin_is_named(path, extra):
    group, _, name = path.rpartition("/")
    message = missing_plugin_message(f"In 'hydra/config': Could not find '{path}'")
    assert message == f"{group}={name}: not installed; in the clone of kancli, type pip install '.[{extra}]'"


def test_other_messages_are_left():
    assert missing_plugin_message("Could not find 'init/nope'") is None
