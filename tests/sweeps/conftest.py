"""Shared by the tests of sweeps: kan-run as a process, comparison of runs, and a scheme that fails on purpose."""

import json
import subprocess
import sys

import pytest

KAN_RUN = [sys.executable, "-m", "kancli"]


FILES = ["params.safetensors", "activations.safetensors", "stats.json", "layers.csv", "edges.csv"]


VOLATILE = {"argv", "started", "seconds", "threads", "sha256", "self_sha256", "git"}  # someone may commit meanwhile


def process(cwd, *argv, **more):
    return subprocess.run([*KAN_RUN, *argv], cwd=cwd, capture_output=True, text=True, timeout=300, check=False, **more)


def record(folder):
    return json.loads((folder / "run.json").read_text())


def assert_same_run(job, single):
    """Two folders of one run: the same bits, and records that differ by what a clock and a command line make of it."""
    for name in FILES:
        assert (job / name).read_bytes() == (single / name).read_bytes(), name
    mine, theirs = record(job), record(single)
    assert mine.keys() == theirs.keys()
    assert {k: v for k, v in mine.items() if k not in VOLATILE and k != "config"} == {
        k: v for k, v in theirs.items() if k not in VOLATILE and k != "config"
    }
    assert mine["sha256"]["tensors"] == theirs["sha256"]["tensors"]
    assert {path.name for path in job.iterdir()} == {path.name for path in single.iterdir()}


TROUBLE = """
import multiprocessing, os, signal, sys, time
from dataclasses import dataclass
from kancli.inits import Scheme
from kancli.inits.laws import Constant, Normal
from kancli.schema import Integer, key


class Troubled(Normal):
    kind = 0

    def sample(self, shape, *, generator):
        if multiprocessing.current_process().name != "pebble_pool_worker":
            return super().sample(shape, generator=generator)  # where the plan is made, or a task begins
        if self.kind == 1:
            raise ValueError("on purpose")
        if self.kind == 2:
            sys.exit("leaving")
        if self.kind == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.kind == 4:
            time.sleep(10_000)
        if self.kind == 5:
            os._exit(7)
        if self.kind == 6:
            return super().sample(shape, generator=generator) + float("inf")
        if self.kind == 7:
            os._exit(0)
        if self.kind == 8:
            os.kill(multiprocessing.parent_process().pid, signal.SIGKILL)
        if self.kind == 9:
            time.sleep(8)
        return super().sample(shape, generator=generator)


@dataclass(frozen=True)
class Trouble(Scheme):
    kind: int = key(0, Integer(0, 9), "what goes wrong")

    def laws(self, size):
        coef = Troubled(0.0, 1.0)
        object.__setattr__(coef, "kind", self.kind)
        return {"scale_base": Constant(1.0), "scale_sp": Constant(1.0), "coef": coef}
"""


@pytest.fixture
def trouble(tmp_path):
    own = tmp_path / "own"
    (own / "init").mkdir(parents=True)
    (own / "trouble.py").write_text(TROUBLE)
    (own / "init/trouble.yaml").write_text("_target_: trouble.Trouble\nkind: 0\n")
    return ["--config-dir", "own", "init=trouble"]
