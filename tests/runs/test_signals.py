"""Signals to kan-run in a process of its own: the exit code is 128 + the signal's number, and the record says so."""

import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.runs.processes import KAN_RUN, TIMEOUT, wait_until

pytestmark = pytest.mark.slow


def handles_signals(process):
    """Whether a process has handlers of its own for SIGINT and SIGTERM; Python itself has one for SIGINT alone."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = int(status.partition("SigCgt:")[2].split()[0], 16)
    return bool(caught >> (signal.SIGTERM - 1) & 1)


def has_loaded(process, library):
    """Whether a process has mapped a shared library of this name."""
    return library in Path(f"/proc/{process.pid}/maps").read_text()


LONG_RUN = ["width=deep", "inputs.n=3000000", "activations.n=0", "hydra.run.dir=run"]


@contextlib.contextmanager
def interrupted_run(cwd, number):
    """Start a long run, send a signal at the end of the block, and check how the process ends."""
    running = subprocess.Popen(
        [*KAN_RUN, *LONG_RUN], cwd=cwd, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield running
        running.send_signal(number)
        out, err = running.communicate(timeout=TIMEOUT)
    finally:
        running.kill()
    assert running.returncode == 128 + number
    assert out == ""
    assert err == f"kan-run: interrupted by {signal.Signals(number).name}\n"


MOMENTS = {
    "at once": lambda process: True,
    "numpy is loaded": lambda process: has_loaded(process, "_multiarray_umath"),
    "torch is being loaded": lambda process: has_loaded(process, "libtorch_cpu"),
}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_signal_before_the_run_ends_it(tmp_path, number, moment):
    with interrupted_run(tmp_path, number) as process:
        wait_until(lambda: handles_signals(process) and MOMENTS[moment](process), process)
    assert '"status": "complete"' not in "".join(path.read_text() for path in tmp_path.rglob("run.json"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_the_run_is_recorded(tmp_path, number):
    run = tmp_path / "run" / "run.json"
    with interrupted_run(tmp_path, number) as process:
        wait_until(run.exists, process)
        time.sleep(0.5)
        assert '"status": "running"' in run.read_text()
    assert '"status": "interrupted"' in run.read_text()


@pytest.mark.parametrize("delay", [0.0, 0.002, 0.02])
def test_a_second_signal_is_ignored(tmp_path, delay):
    run = tmp_path / "run" / "run.json"
    running = subprocess.Popen([*KAN_RUN, *LONG_RUN], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    try:
        wait_until(run.exists, running)
        time.sleep(0.3)
        for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM):
            running.send_signal(number)
            time.sleep(delay)
        _, err = running.communicate(timeout=TIMEOUT)
    finally:
        running.kill()
    assert running.returncode == 130
    assert err == "kan-run: interrupted by SIGINT\n"
    assert '"status": "interrupted"' in run.read_text()


def test_a_signal_ends_a_sweep(tmp_path):
    argv = [*KAN_RUN, "-m", "seed=range(3000)", "stats=none", "hydra.sweep.dir=sweep"]
    running = subprocess.Popen(argv, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        wait_until((tmp_path / "sweep" / "3" / "run.json").exists, running)
        running.send_signal(signal.SIGTERM)
        _, err = running.communicate(timeout=TIMEOUT)
    finally:
        running.kill()
    assert running.returncode == 143
    assert err.endswith("kan-run: interrupted by SIGTERM\n")
    statuses = [json.loads(path.read_text())["status"] for path in tmp_path.glob("sweep/*/run.json")]
    assert len(statuses) < 3000
    assert statuses.count("interrupted") <= 1
    assert set(statuses) <= {"complete", "interrupted"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_signal_ends_a_check(tmp_path, kan_run, number, jobs):
    """The answers before the signal are printed; there are none after it."""
    assert kan_run("hydra.run.dir=small", "figures=none").code == 0
    assert kan_run("bless", "small", "-o", "small.json").code == 0
    record = json.loads((tmp_path / "small.json").read_text())
    record["config"]["inputs"]["n"] = 4_000_000
    (tmp_path / "large.json").write_text(json.dumps(record))
    argv = [*KAN_RUN, "check", "small.json", "large.json", "--jobs", jobs]
    checking = subprocess.Popen(
        argv, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert checking.stdout is not None
        assert checking.stdout.readline().startswith("small.json: match (")
        time.sleep(0.5)
        os.killpg(checking.pid, number)  # to every process, as Ctrl-C in a terminal
        out, err = checking.communicate(timeout=TIMEOUT)
    finally:
        checking.kill()
    assert checking.returncode == 128 + number
    assert (out, err) == ("", f"kan-run: interrupted by {signal.Signals(number).name}\n")
