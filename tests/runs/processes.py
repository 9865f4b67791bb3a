"""kan-run in a process of its own, and events to wait for."""

import os
import subprocess
import sys
import time

KAN_RUN = [sys.executable, "-m", "kancli"]


TIMEOUT = 600  # seconds, for what never takes so long; no test depends on the machine's speed


def run_process(cwd, *argv, env=None, **options):
    return subprocess.run([*KAN_RUN, *argv], cwd=cwd, env={**os.environ, **(env or {})}, capture_output=True, text=True,
                          timeout=TIMEOUT, check=False, **options)  # fmt: skip


def wait_until(condition, process):
    """Wait until something holds of a running process."""
    limit = time.monotonic() + TIMEOUT
    while not condition():
        assert process.poll() is None, "the process ended too early"
        assert time.monotonic() < limit
        time.sleep(0.01)
