"""The number of processors, also where the system does not say which of them a process may use."""

import os

import pytest

from kancli.config import processors
from kancli.config.processors import processors_within_quota, usable_processors


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system has no affinity of processes")
def test_processors_are_those_that_the_process_may_use():
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert usable_processors() == 1
    finally:
        os.sched_setaffinity(0, before)


def test_a_sweep_needs_no_affinity(kan_run, monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert usable_processors() == os.cpu_count()
    done = kan_run("-m", "seed=range(2)", "figures=none", "stats=none", "hydra.sweep.dir=sweep")
    assert done.code == 0, done.err
    assert "2 of 2 runs complete" in done.out


def make_group(top, version, quotas):
    """Nested control groups, each with its quota and period in microseconds."""
    mounted, own = top / "cgroup", top / "own"
    own.write_text("3:pids:/x\n" + ("5:cpu,cpuacct:/a/b\n" if version == 1 else "0::/a/b\n"))
    for name, (quota, period) in zip(("a", "a/b"), quotas, strict=True):
        folder = mounted / ("cpu" if version == 1 else "") / name
        folder.mkdir(parents=True)
        if version == 1:
            (folder / "cpu.cfs_quota_us").write_text(f"{quota}\n")
            (folder / "cpu.cfs_period_us").write_text(f"{period}\n")
        else:
            (folder / "cpu.max").write_text(f"{'max' if quota < 0 else quota} {period}\n")
    return mounted, own


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("quotas", "expected"),
    [
        ([(250_000, 100_000), (-1, 100_000)], 3),
        ([(400_000, 100_000), (20_000, 100_000)], 1),
        ([(-1, 100_000), (-1, 100_000)], 64),
        ([(9_900_000, 100_000), (-1, 100_000)], 64),
    ],
)
def test_the_smallest_quota_of_the_groups_limits(tmp_path, monkeypatch, version, quotas, expected):
    monkeypatch.setattr(processors, "usable_processors", lambda: 64)
    assert processors_within_quota(*make_group(tmp_path, version, quotas)) == expected


def test_without_groups_all_usable_processors_count(tmp_path):
    assert processors_within_quota(tmp_path / "none", tmp_path / "neither") == usable_processors()
