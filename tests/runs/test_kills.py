"""A few of the kills of `kills`, which tries more of them by hand."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


NAMES = ["run overwrite=true", "sweep", "check --jobs 2", "collect"]


@pytest.mark.slow
def test_what_kill_9_leaves_can_be_finished(tmp_path):
    """In a process of its own, because `kills` forks; in one for all, which loads torch once."""
    argv = [sys.executable, "-m", "tests.runs.kills", str(2 * len(NAMES)), "0", *NAMES]
    done = subprocess.run(argv, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(tmp_path)},
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stderr
    for name in NAMES:
        assert f"| {name} | 2 |" in done.stdout
