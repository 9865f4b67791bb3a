"""The limit on processes: it is named with its number, and fewer workers and threads are taken."""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from kancli.errors import ConfigError
from kancli.runs import pool, process_limit
from kancli.runs.process_limit import LIBRARIES, ProcessLimit, fit_threads, fit_workers


def make_group(top, version, limits):
    """Nested control groups, each with what it allows and has in use."""
    mounted, own = top / "cgroup", top / "own"
    folder = mounted / ("pids" if version == 1 else "")
    own.write_text(f"4:memory:/x\n{'8:pids:/a/b' if version == 1 else '0::/a/b'}\n")
    for name, (most, used) in zip(("a", "a/b"), limits, strict=True):
        (folder / name).mkdir(parents=True)
        (folder / name / "pids.max").write_text(f"{most}\n")
        (folder / name / "pids.current").write_text(f"{used}\n")
    return mounted, own


@pytest.mark.parametrize("version", [1, 2])
def test_the_group_with_the_least_room_limits(tmp_path, version):
    groups = make_group(tmp_path, version, [(20, 17), ("max", 5)])
    assert list(process_limit._of_groups(*groups)) == [ProcessLimit("pids.max of the control group", 20, 17)]
    (groups[0] / ("pids/a/b" if version == 1 else "a/b") / "pids.max").write_text("6\n")
    limits = list(process_limit._of_groups(*groups))
    assert [limit.free for limit in limits] == [1, 3]
    assert str(limits[0]) == "pids.max of the control group is 6, with 5 in use"


def test_threads_of_a_user_count_against_its_limit(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (40, 40))
    monkeypatch.setattr(process_limit, "_threads_of_user", lambda: 30)
    assert list(process_limit._of_user()) == [ProcessLimit("ulimit -u", 40, 30)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert list(process_limit._of_user()) == []


def test_a_limit_whose_use_is_unknown_is_none(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (40, 40))
    monkeypatch.setattr(sys, "platform", "darwin")
    assert list(process_limit._of_user()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")
def test_the_threads_of_this_process_are_counted():
    assert process_limit._threads_of_user() >= len(os.listdir("/proc/self/task"))


@pytest.mark.parametrize(("free", "workers"), [(7, 1), (8, 1), (9, 2), (12, 3), (1000, 4)])
def test_workers_fit_below_the_limit(free, workers):
    assert fit_workers(4, ProcessLimit("ulimit -u", free + 3, 3)) == workers
    assert fit_workers(4, None) == 4


@pytest.mark.parametrize("free", [0, 1, 6])
def test_a_limit_without_room_for_a_worker_is_named_with_its_number(free):
    with pytest.raises(ConfigError, match=rf"ulimit -u is {free + 3}, with 3 in use; .*sweep.workers=0"):
        fit_workers(4, ProcessLimit("ulimit -u", free + 3, 3))


def test_libraries_take_one_thread_near_a_limit(monkeypatch):
    for name in LIBRARIES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(process_limit, "process_limit", lambda: ProcessLimit("ulimit -u", 10_000, 3))
    fit_threads()
    assert not [name for name in LIBRARIES if name in os.environ]
    monkeypatch.setenv("MKL_NUM_THREADS", "2")
    monkeypatch.setattr(process_limit, "process_limit", lambda: ProcessLimit("ulimit -u", 10, 3))
    fit_threads()
    assert [os.environ[name] for name in LIBRARIES] == ["1", "1", "2"]


@pytest.mark.slow
def test_a_sweep_takes_the_workers_that_there_is_room_for(kan_run, tmp_path, monkeypatch):
    sweep = ["-m", "seed=range(3)", "figures=none", "hydra.sweep.dir=sweep"]
    monkeypatch.setattr(pool, "process_limit", lambda: ProcessLimit("pids.max of the control group", 6, 3))
    refused = kan_run(*sweep, "sweep.workers=2")
    assert refused.code == 2
    assert "kan-run: no worker process can be started: pids.max of the control group is 6, with 3 in use" in refused.err
    assert list(tmp_path.iterdir()) == []
    assert kan_run(*sweep, "--dry-run").code == 0
    assert kan_run("resume", "sweep", "sweep.workers=2").code == 2
    monkeypatch.setattr(pool, "process_limit", lambda: ProcessLimit("pids.max of the control group", 11, 3))
    done = kan_run("resume", "sweep", "sweep.workers=2")
    assert done.code == 0, done.err
    assert "kan-run: 1 worker in place of 2: pids.max of the control group is 11, with 3 in use" in done.err


AS_USER = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups",
           "--inh-caps=+dac_override", "--ambient-caps=+dac_override"]  # fmt: skip
CAN_CHANGE_USER = os.geteuid() == 0 and shutil.which("setpriv") is not None


@pytest.mark.slow
@pytest.mark.skipif(not CAN_CHANGE_USER, reason="a limit of a user of its own needs the superuser; others are above")
def test_a_real_limit_of_a_user():
    def kan_run(limit, *words):
        return subprocess.run(
            [*AS_USER, sys.executable, "-m", "kancli", *words], cwd=folder, capture_output=True, text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NPROC, (limit, limit)),
        )  # fmt: skip

    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # below folders that any user may enter
        Path(folder).chmod(0o777)
        sweep = ["-m", "seed=range(3)", "figures=none", "hydra.sweep.dir=sweep", "sweep.workers=2"]
        refused = kan_run(4, *sweep)
        assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1), refused.stderr
        assert "no worker process can be started: ulimit -u is 4, with 1 in use" in refused.stderr
        assert os.listdir(folder) == []
        done = kan_run(8, *sweep)
        assert done.returncode == 0, done.stderr
        assert "1 worker in place of 2: ulimit -u is 8, with 1 in use" in done.stderr
        assert "3 of 3 runs complete: sweep" in done.stdout
        assert kan_run(1, "hydra.run.dir=run", "figures=none").returncode == 0  # a run starts no process
