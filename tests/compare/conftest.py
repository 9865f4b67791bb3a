"""A blessed file, which tests may change."""

import json

import pytest


@pytest.fixture
def kept(kan_run, kan_run_once, tmp_path):
    """A blessed file, and a way to write it changed."""
    folder = kan_run_once("width=2-3-1", "figures=none").out.splitlines()[-1]
    kan_run("bless", folder, "-o", "kept.json")

    def changed(change, name="changed.json"):
        content = json.loads((tmp_path / "kept.json").read_text())
        del content["sha256"]  # or an edited file that matches is inconclusive
        change(content)
        (tmp_path / name).write_text(json.dumps(content))
        return name

    return changed
