"""What the tests share: a kan-run in this process, in an empty folder."""

import gc
import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

from kancli.cli import main
from kancli.presets import Presets, builtin_folder

# Those of other launchers need what the README's test command does not install: .ci/run runs them.
collect_ignore = [] if importlib.util.find_spec("submitit") else ["launchers"]

# The same examples every time, and no folder of what failed before: a test run is repeatable too.
settings.register_profile("repeatable", database=None, deadline=None, derandomize=True)
settings.load_profile("repeatable")


@dataclass
class Outcome:
    code: int
    out: str
    err: str
    cwd: Path

    @property
    def folder(self):
        """The run's folder: the last line on stdout names it."""
        return self.cwd / self.out.splitlines()[-1]

    def json(self, name):
        return json.loads((self.folder / name).read_text())


@pytest.fixture
def kan_run(tmp_path, monkeypatch, capfd):
    """Call kan-run in an empty folder; the jobs of a sweep run in this process too, where it is not said otherwise."""
    monkeypatch.chdir(tmp_path)

    def run(*argv):
        if "-m" in argv and not any(word.startswith(("sweep.workers=", "hydra/launcher=")) for word in argv):
            argv = (*argv, "sweep.workers=0")
        capfd.readouterr()
        try:
            code = main(argv)
        except SystemExit as error:  # argparse
            code = error.code
        finally:
            gc.enable()
        captured = capfd.readouterr()
        return Outcome(code, captured.out, captured.err, tmp_path)

    return run


@pytest.fixture
def presets():
    return Presets([builtin_folder()])
