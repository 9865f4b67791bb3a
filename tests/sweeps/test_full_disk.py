"""A disk that is full in the middle of a sweep: exit code 6, no remains; resume does the rest once there is room."""

import errno
import gc
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kancli.cli.dispatch import main
from tests.sweeps.conftest import FILES, assert_same_run

SWEEP = ["-m", "noise_scale=0.1,1", "seed=range(6)", "figures=none"]
JOBS = [str(number) for number in range(12)]


def assert_resumable(folder, code, err):
    """Check the answer of a sweep that met a full disk, and that nothing of it is half written."""
    assert code == 6, err
    assert "No space left on device" in err
    assert "kan-run resume " in err
    assert not [path for path in folder.rglob(".*") if path.name != ".hydra"]
    finished = {path.parent.name for path in folder.glob("*/run.json")}
    assert {path.name for path in folder.iterdir() if path.is_dir()} - {"figures"} == finished < set(JOBS)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The same sweep on a disk with room."""
    folder = tmp_path_factory.mktemp("whole") / "sweep"
    assert main([*SWEEP, "sweep.workers=0", f"hydra.sweep.dir={folder}"]) == 0
    gc.enable()
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("written", [31, 40])
def test_a_full_disk_in_this_process(kan_run, tmp_path, whole, monkeypatch, written):
    """In place of a disk, `Path.write_bytes` fails after some files."""
    write, count = Path.write_bytes, []

    def write_or_fail(path, content):
        count.append(path)
        if len(count) > written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", write_or_fail)
    for words in ([*SWEEP, "hydra.sweep.dir=sweep"], ["resume", "sweep", "sweep.workers=0"]):
        done = kan_run(*words)
        assert_resumable(tmp_path / "sweep", done.code, done.err)
    monkeypatch.setattr(Path, "write_bytes", write)
    done = kan_run("resume", "sweep", "sweep.workers=0")
    assert done.code == 0, done.err
    for name in JOBS:
        assert_same_run(tmp_path / "sweep" / name, whole / name)


ON_SMALL_DISK = """
set -e
mount -t tmpfs -o size=600k tmpfs disk
set +e
"$@" hydra.sweep.dir=disk/sweep; echo "sweep $?"
"$PYTHON" -m kancli resume disk/sweep; echo "resume $?"
cp -r disk/sweep full
mount -o remount,size=50m disk
"$PYTHON" -m kancli resume disk/sweep; echo "resume with room $?"
cp -r disk/sweep sweep
"""


def can_mount():
    """Whether this process may mount a file system of its own."""
    if shutil.which("unshare") is None:
        return False
    command = ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(command, capture_output=True).returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(not can_mount(), reason="mounts a small disk; the same without one is above")
def test_a_small_disk(tmp_path, whole):
    (tmp_path / "disk").mkdir()
    script = ["unshare", "-rm", "bash", "-c", ON_SMALL_DISK, "bash"]
    done = subprocess.run(
        [*script, sys.executable, "-m", "kancli", *SWEEP, "sweep.workers=2"], cwd=tmp_path, capture_output=True,
        text=True, env={**os.environ, "PYTHON": sys.executable},
    )  # fmt: skip
    codes = [line for line in done.stdout.splitlines() if line.startswith(("sweep ", "resume "))]
    assert codes == ["sweep 6", "resume 6", "resume with room 0"], done.stdout + done.stderr
    assert_resumable(tmp_path / "full", 6, done.stderr)
    for name in JOBS:
        for file in FILES:
            assert (tmp_path / "sweep" / name / file).read_bytes() == (whole / name / file).read_bytes(), (name, file)
