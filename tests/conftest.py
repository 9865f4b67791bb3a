"""What the tests share: a kan-run in this process, in an empty folder."""

import copy
import gc
import importlib.util
import json
import os
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import yaml
from hypothesis import settings

from kancli.cli.dispatch import main
from kancli.config import presets as presets_module
from kancli.config.presets import Presets, builtin_folder

# Before torch is loaded: workers side by side that each take every core wait for one another.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Where the environment forbids bytecode, each process that a test starts would compile kancli again, and each worker
# would compile the tests again, ten seconds for their rewritten asserts.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Those of other launchers need what the README's test command does not install: .ci/run runs them.
collect_ignore = [] if importlib.util.find_spec("submitit") else ["sweeps/launchers"]

# The same examples every time, and no folder of what failed before: a test run is repeatable too.
settings.register_profile("repeatable", database=None, deadline=None, derandomize=True)
settings.load_profile("repeatable")


GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser):
    parser.addoption("--rewrite-golden", action="store_true", help="rewrite the golden files that differ")


@pytest.fixture(scope="session")
def check_golden(pytestconfig):
    """Compare a text with a golden file; with `--rewrite-golden`, write the file first."""

    def check(name, text):
        if pytestconfig.getoption("--rewrite-golden"):
            (GOLDEN / name).write_text(text)
        assert text == (GOLDEN / name).read_text()

    return check


@pytest.fixture(scope="session", autouse=True)
def yaml_once():
    """Parse each YAML text once in a session: the presets take a seventh of every run in these tests."""
    parse, parsed = yaml.load, {}

    def load(stream, Loader):  # noqa: N803 - PyYAML's name
        text = stream
        if hasattr(stream, "read"):
            text = stream.read()
            stream.seek(0)
        key = (text, Loader.__qualname__)  # OmegaConf makes a class of the same name for each call
        if key not in parsed:
            parsed[key] = parse(stream, Loader)  # which names the file in its errors
        return copy.deepcopy(parsed[key])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml, "load", load)
        yield


@pytest.fixture(scope="session", autouse=True)
def presets_once():
    """Read each preset once in a session, unless its text changes: they take OmegaConf an eighth of the fast tests."""
    load, loaded = presets_module._load, {}

    def load_once(path):
        try:
            key = (path, path.read_bytes())
        except OSError:
            return load(path)  # which answers it
        if key not in loaded:
            loaded[key] = load(path)
        preset = loaded[key]
        return replace(preset, defaults=copy.deepcopy(preset.defaults), body=copy.deepcopy(preset.body))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(presets_module, "_load", load_once)
        yield


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
    monkeypatch.setenv("COLUMNS", "80")

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


@pytest.fixture(scope="session")
def made_before():
    """The runs of `kan_run_once` by their words, each with a copy of its folder."""
    return {}


@pytest.fixture
def kan_run_once(kan_run, tmp_path, tmp_path_factory, made_before):
    """A kan-run that was made before where it can be: a test gets a copy of its folder, which it may harm."""

    def run(*argv):
        if argv not in made_before:
            made = kan_run(*argv)
            assert made.code == 0, made.err
            kept = tmp_path_factory.mktemp("made") / "run"
            made_before[argv] = made, shutil.copytree(made.folder, kept)
            return made
        made, kept = made_before[argv]
        copied = replace(made, cwd=tmp_path)
        shutil.copytree(kept, copied.folder)
        return copied

    return run


@pytest.fixture
def spy_mark(tmp_path, monkeypatch):
    """A file that the module `spy`, which lies on sys.path, creates when it is imported."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    mark = folder / "imported"
    (folder / "spy.py").write_text(f"open({str(mark)!r}, 'w').close()\n")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "spy", raising=False)
    yield mark
    sys.modules.pop("spy", None)


@pytest.fixture
def presets():
    return Presets([builtin_folder()])


def pytest_collection_finish():
    """What is loaded by now stays: the collector of garbage need not look through it again and again."""
    gc.freeze()
