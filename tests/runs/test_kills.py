"""A few of the kills of `kills`, which tries more of them by hand."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["run overwrite=true", "sweep", "check --jobs 2", "collect"])
def test_what_kill_9_leaves_can_be_finished(tmp_path, name):
    """In processes of their own, because `kills` forks."""
    argv = [sys.executable, "-m", "tests.runs.kills", "2", "0", name]
    done = subprocess.run(argv, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(tmp_path)},
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"| {name} | 2 |" in done.stdout
