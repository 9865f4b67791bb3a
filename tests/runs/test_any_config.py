"""Any overrides either give a finished run or an error message: exit code 0, 2, or 3 if values overflow."""

import contextlib
import io
import json
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some

from kancli.cli.dispatch import main
from kancli.config.catalogue import catalogue
from kancli.config.presets import Presets, builtin_folder
from kancli.inits import SCHEMES

PRESETS = Presets([builtin_folder()])
ODD_VALUES = [
    "",
    "null",
    "nan",
    "-1",
    "0",
    "1e309",
    "true",
    "[]",
    "[1,2",
    "x",
    "'a b'",
    "2-3-1",
    "{a:1}",
    "${seed}",
    "1e-9",
    "=",
    "~k",
    "+a=1",
]

VALID_OVERRIDES = some.one_of(
    some.lists(some.integers(1, 4), min_size=2, max_size=4).map(lambda width: f"width=[{','.join(map(str, width))}]"),
    some.integers(1, 8).map("grid={}".format),
    some.integers(0, 5).map("k={}".format),
    some.sampled_from(sorted(SCHEMES)).map("init={}".format),
    some.sampled_from(PRESETS.options("init")).map("init={}".format),
    some.sampled_from(["uniform", "normal", "grid", "sobol"]).map("inputs={}".format),
    some.integers(1, 30).map("inputs.n={}".format),
    some.integers(0, 2**63 - 1).map("seed={}".format),
    some.integers(1, 3).map("n_seeds={}".format),
    some.sampled_from(["basic", "full", "none"]).map("stats={}".format),
    some.sampled_from(["float32", "float64"]).map("dtype={}".format),
    some.floats(0, 1e30).map("noise_scale={!r}".format),
    some.floats(0, 10).map("gain={!r}".format),
    some.sampled_from(["none", "samples", "pykan"]).map("grid.adapt={}".format),
    some.sampled_from(["grid", "uniform", "normal"]).map("distribution={}".format),
    some.just("sparse_init=true"),
    some.just("stream=source"),
    some.integers(0, 9).map("inputs.seed={}".format),
    some.tuples(some.floats(-9, 0), some.floats(1, 9)).map(lambda ends: f"grid.range=[{ends[0]!r},{ends[1]!r}]"),
)
ODD_OVERRIDES = some.builds(
    "{}={}".format,
    some.sampled_from([key.path for key in catalogue()] + PRESETS.groups()),
    some.sampled_from(ODD_VALUES),
)


def run_in_empty_folder(words):
    """Return the exit code, stderr, the paths of all new files and folders, and the contents of each run.json."""
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.chdir(folder) if hasattr(contextlib, "chdir") else _chdir(folder),
    ):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = main(words)
            except SystemExit as error:  # argparse
                code = error.code
        paths = sorted(Path(folder).rglob("*"))
        records = [json.loads(path.read_text()) for path in paths if path.name == "run.json"]
        return code, err.getvalue(), paths, records


@contextlib.contextmanager
def _chdir(folder):
    """contextlib.chdir, which Python 3.10 lacks."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@pytest.mark.slow
@settings(max_examples=30)
@given(some.lists(VALID_OVERRIDES | ODD_OVERRIDES, max_size=6))
@example(["noise_scale=1e30", "dtype=float32", "width=[2,2,2]"])
@example(["grid.range=[2.1,2.2]", "grid.adapt=pykan", "inputs=uniform", "inputs.n=1"])  # no sample on the knots
def test_any_overrides_run_or_give_an_error_message(words):
    code, err, paths, records = run_in_empty_folder([*words, "figures=none"])
    assert code in (0, 2, 3), (code, err)
    assert "Traceback" not in err
    assert "internal error" not in err
    if code == 2:
        assert paths == [], "a mistake leaves nothing on disk"
        assert err
    else:
        (record,) = records
        assert record["status"] == ("complete" if code == 0 else "failed")
        assert not [path for path in paths if path.name.endswith(".part")]
