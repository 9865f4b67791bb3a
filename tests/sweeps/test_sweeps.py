"""Sweeps in processes of their own: the jobs are the single runs, none is lost, and the table tells what they found."""

import contextlib
import csv
import json
import os
import random
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from pyarrow import parquet

from kancli.config.hydra import create_hydra, plain_config
from kancli.config.overrides import parse_and_resolve
from kancli.sweeps.jobs import expand
from kancli.sweeps.plan import read_plan
from kancli.sweeps.product import product_of
from kancli.sweeps.table import rows_of

KAN_RUN = [sys.executable, "-m", "kancli"]
SWEEP = ["-m", "init=default,linear", "noise_scale=0.1,1", "seed=range(3)", "hydra.sweep.dir=sweep"]
FILES = ["params.safetensors", "activations.safetensors", "stats.json", "layers.csv", "edges.csv"]
VOLATILE = {"argv", "started", "seconds", "threads", "sha256"}


def process(cwd, *argv, **more):
    return subprocess.run([*KAN_RUN, *argv], cwd=cwd, capture_output=True, text=True, timeout=300, check=False, **more)


def record(folder):
    return json.loads((folder / "run.json").read_text())


def assert_like(job, single):
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


@pytest.mark.slow
def test_a_job_is_the_single_run(tmp_path, kan_run):
    done = process(tmp_path, *SWEEP)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "12 of 12 runs complete: sweep"
    plan = read_plan(tmp_path / "sweep")
    for number in (0, 5, 10):
        job = plan.jobs[number]
        single = kan_run(*job.words, f"hydra.run.dir=single{number}")
        assert single.code == 0
        assert_like(plan.path(job), tmp_path / f"single{number}")


SWEEPS = [
    ["init=default,linear", "noise_scale=0.1,1", "seed=3,4"],
    ["width=2-3-1,deep", "grid=coarse,7", "k=1", "figures=[network]"],
    ["init=glorot,pykan_0_2_8", "inputs=sobol,uniform", "inputs.n=7", "stats=full"],
    ["experiment=reference", "figures=none"],
    ["experiment=noise", "init=default,noisy"],
    ["figures.title=a,'b c'", "verdicts.rough=[3,null]", "++hydra.job.name=x", "base_fun=silu,identity"],
]


@pytest.mark.slow
@pytest.mark.parametrize("typed", SWEEPS, ids=" ".join)
def test_what_is_composed_and_recorded_is_what_hydra_itself_makes_of_it(kan_run, presets, typed):
    """Hydra's basic launcher composes every job whole."""
    words = [*typed, "seed=0"] if not any(word.startswith("seed=") for word in typed) else typed
    for launcher in ("basic", "kancli"):
        done = kan_run("-m", *words, f"hydra.sweep.dir={launcher}", f"hydra/launcher={launcher}", "sweep.workers=0")
        assert done.code == 0, done.err
    basic = sorted(done.cwd.glob("basic/*/run.json"))
    assert len(basic) > 1
    for path in basic:
        theirs, mine = path.parent, done.cwd / "kancli" / path.parent.name
        for name in ("config.yaml", "overrides.yaml"):
            assert yaml.safe_load((mine / ".hydra" / name).read_text()) == yaml.safe_load(
                (theirs / ".hydra" / name).read_text()
            )
        ours, hydras = (
            yaml.safe_load((each / ".hydra/hydra.yaml").read_text().replace("kancli", "basic"))["hydra"]
            for each in (mine, theirs)
        )
        for each in (ours, hydras):
            del each["launcher"], each["runtime"]["config_sources"], each["overrides"]["hydra"]
        assert ours == hydras
        assert record(mine)["identity"] == record(theirs)["identity"]
        assert record(mine)["config"] == record(theirs)["config"]


@pytest.mark.slow
def test_generated_sweeps_expand_as_hydra_composes_them(presets):
    choose = random.Random(1)
    values = {
        "width": ["2-5-1", "[2,2]", "wide"],
        "grid": ["3", "fine"],
        "k": ["1", "cubic"],
        "init": ["linear", "noisy", "default"],
        "noise_scale": ["0.1", "1", "1e-3"],
        "inputs.n": ["5", "7"],
        "seed": ["0", "3", "10"],
        "inputs": ["normal", "uniform"],
        "dtype": ["float32", "float64"],
        "verdicts.off_grid": ["[0.1,0.2]", "[0.3,null]"],
    }
    compared = 0
    for _ in range(12):
        keys = choose.sample(sorted(values), 4)
        typed = [f"{key}={','.join(choose.sample(values[key], 2))}" for key in keys]
        hydra = create_hydra(presets)
        master = hydra.compose_config("config", [*typed], run_mode=RunMode.MULTIRUN)
        for job in choose.sample(
            expand(product_of(parse_and_resolve(typed, presets, sweeping=True), presets), presets, None).jobs, 3
        ):
            theirs = hydra.config_loader.load_sweep_config(master, job.words)
            assert job.config == plain_config(theirs)
            assert list(job.config) == [name for name in theirs if name != "hydra"]
            compared += 1
    assert compared == 36


@pytest.mark.slow
def test_the_plan_counts_drops_and_tells(kan_run, tmp_path):
    done = kan_run("-m", "init=default,glorot", "noise_scale=0.1,1,1.0", "seed=0,1", "--dry-run")
    assert done.code == 0
    assert "noise_scale: glorot has no such knob; left out there" in done.err
    assert "2 × 3 × 2 = 12 jobs, 6 duplicates, 6 without them, " in done.err
    (folder,) = tmp_path.glob("multirun/*/*")
    assert sorted(path.name for path in folder.iterdir()) == ["multirun.yaml", "plan.jsonl"]
    words = [job.words[:-2] for job in read_plan(folder).jobs]
    assert words == [
        ["init=default", "noise_scale=0.1", "seed=0"],
        ["init=default", "noise_scale=0.1", "seed=1"],
        ["init=default", "noise_scale=1", "seed=0"],
        ["init=default", "noise_scale=1", "seed=1"],
        ["init=glorot", "seed=0"],
        ["init=glorot", "seed=1"],
    ]
    assert kan_run("resume", str(folder)).out.splitlines()[-1].startswith("6 of 6 runs complete")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["init=default,glorot", "gian=1"], ["gian=1"]),
        (["init=glorot,lecun", "noise_scale=1"], ["noise_scale=1", "init.scheme=glorot"]),
        (["seed=0,-1"], ["seed=-1"]),
        (["seed=0,1", "sweep.workers=1,2"], ["sweep.workers=1,2", "one value"]),
        (["seed=0,1", "sweep.workers=-1"], ["sweep.workers=-1"]),
        (["seed=0,1", "hydra.sweep.subdir=same"], ["hydra.sweep.subdir=same", "would share the folder same"]),
        (["width=[2,9000000,2]", "seed=0,1"], ["GiB are free"]),
    ],
)
def test_one_bad_job_stops_the_sweep_before_it_begins(kan_run, tmp_path, words, told):
    done = kan_run("-m", *words, "sweep.workers=0") if "sweep.workers" not in " ".join(words) else kan_run("-m", *words)
    assert done.code == 2
    assert all(each in done.err for each in told), done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_folders_of_a_users_own_naming(kan_run, tmp_path):
    words = [
        "init=default,linear",
        "seed=1,2",
        "hydra.sweep.dir=s",
        "hydra.sweep.subdir=${init.scheme}/${hydra.job.override_dirname}",
    ]
    done = kan_run("-m", *words)
    assert done.code == 0, done.err
    found = sorted(str(path.parent.relative_to(tmp_path / "s")) for path in tmp_path.glob("s/**/run.json"))
    assert len(found) == 4
    assert found[0].startswith("default/figures=none,init=default,")


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
            time.sleep(100)
        if self.kind == 5:
            os._exit(7)
        if self.kind == 6:
            return super().sample(shape, generator=generator) + float("inf")
        if self.kind == 7:
            os._exit(0)
        if self.kind == 8:
            os.kill(os.getppid(), signal.SIGKILL)
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
CAUSES = {
    1: "ValueError: on purpose",
    2: "SystemExit: leaving",
    3: "its process was killed by SIGKILL, as the system does when memory runs out",
    4: "took longer than sweep.timeout=6 s",
    5: "its process exited with status 7",
    6: "not finite",
    7: "its process exited with status 0 before the job was finished",
}


@pytest.fixture
def trouble(tmp_path):
    own = tmp_path / "own"
    (own / "init").mkdir(parents=True)
    (own / "trouble.py").write_text(TROUBLE)
    (own / "init/trouble.yaml").write_text("_target_: trouble.Trouble\nkind: 0\n")
    return ["--config-dir", "own", "init=trouble"]


@pytest.mark.slow
def test_whatever_befalls_a_job_the_others_finish(tmp_path, trouble):
    """Those that misbehave share a group with those that do not."""
    words = ["-m", *trouble, "kind=0,1,2,3,4,5,6,7", "seed=0,1", "sweep.timeout=6", "hydra.sweep.dir=sweep"]
    done = process(tmp_path, *words)
    assert done.returncode == 6, done.stderr
    assert "2 of 16 runs complete: sweep" in done.stdout
    summary = json.loads((tmp_path / "sweep/summary.json").read_text())
    assert summary["status"] == {"complete": 2, "failed": 14}
    assert len(summary["failures"]) == 14
    for job in read_plan(tmp_path / "sweep").jobs:
        told = record(tmp_path / "sweep" / job.folder)
        kind = int(job.words[1].removeprefix("kind="))
        if kind == 0:
            assert told["status"] == "complete"
            continue
        assert told["status"] == "failed"
        assert CAUSES[kind] in told["error"]
        (failure,) = (each for each in summary["failures"] if each["job"] == job.number)
        assert failure["cause"] == told["error"]
        assert failure["replay"] == shlex.join(["kan-run", "--config-dir", str(tmp_path / "own"), *job.words])
    replayed = process(tmp_path, *shlex.split(summary["failures"][0]["replay"])[1:])
    assert replayed.returncode == 0  # alone, in the process that reads the command line, nothing goes wrong
    again = process(tmp_path, "resume", "sweep", "--config-dir", "own")
    assert again.returncode == 6
    assert "0 of 16 jobs to do" in again.stderr
    (tmp_path / "own/trouble.py").write_text(TROUBLE.replace("self.kind == 1", "self.kind == 99"))
    changed = process(tmp_path, "resume", "sweep", "--config-dir", "own", "--only", "2,3")
    assert changed.returncode == 6
    assert "has changed since the plan" in changed.stderr


@pytest.mark.slow
def test_too_many_failures_end_it(tmp_path, trouble):
    words = [*trouble, "kind=1", "seed=range(300)", "sweep.max_failures=3", "sweep.workers=1", "hydra.sweep.dir=sweep"]
    done = process(tmp_path, "-m", *words)
    assert done.returncode == 6
    summary = json.loads((tmp_path / "sweep/summary.json").read_text())
    assert 3 < summary["status"]["failed"] < 300
    assert summary["status"]["missing"] == 300 - summary["status"]["failed"]
    assert "kan-run resume sweep" in done.stderr


@pytest.mark.slow
def test_a_sweep_killed_and_resumed_ends_as_one_never_killed(tmp_path):
    words = ["-m", "init=default,linear", "noise_scale=0.1,1,3,7", "seed=range(50)"]
    whole = process(tmp_path, *words, "hydra.sweep.dir=whole")
    assert whole.returncode == 0
    moments, kills, argv = random.Random(0), 0, [*words, "hydra.sweep.dir=killed"]
    while True:
        running = subprocess.Popen(
            [*KAN_RUN, *argv], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        enough = len(list(tmp_path.glob("killed/[0-9]*"))) + moments.randint(0, 150)
        while running.poll() is None and len(list(tmp_path.glob("killed/[0-9]*"))) <= enough:
            time.sleep(moments.uniform(0, 0.2))
        if running.poll() is not None:
            break
        running.send_signal(signal.SIGKILL)
        running.wait()
        kills += 1
        argv = ["resume", "killed"]
        for path in (tmp_path / "killed").glob("[0-9]*/run.json"):
            assert record(path.parent)["status"] == "complete"
    assert running.returncode == 0
    assert kills > 1
    plan = read_plan(tmp_path / "whole")
    assert len(plan.jobs) == 400
    for job in plan.jobs:
        assert_like(tmp_path / "killed" / job.folder, tmp_path / "whole" / job.folder)
    mine, theirs = ((tmp_path / each / "sweep.csv").read_text().splitlines() for each in ("killed", "whole"))
    assert len(mine) == len(theirs) == 401
    assert not list((tmp_path / "killed").glob(".*"))


@pytest.mark.slow
def test_a_signal_waits_for_the_table(tmp_path):
    argv = [*KAN_RUN, "-m", "init=default,linear", "seed=range(10)", "hydra.sweep.dir=sweep"]
    running = subprocess.Popen(argv, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    while len(list(tmp_path.glob("sweep/[0-9]*/run.json"))) < 20 and running.poll() is None:
        time.sleep(0.02)
    running.send_signal(signal.SIGTERM)
    out, err = running.communicate(timeout=60)
    assert running.returncode in (0, 143), err  # 0 where it came too late
    assert "20 of 20 runs complete: sweep" in out
    assert json.loads((tmp_path / "sweep/summary.json").read_text())["status"] == {"complete": 20}
    assert (tmp_path / "sweep/figures/sweep.png").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("moment", [0.0, 0.5, 1.0])
def test_processes_that_are_killed_while_they_start_are_replaced(tmp_path, moment):
    argv = [*KAN_RUN, "-m", "init=default,linear", "seed=range(10)", "hydra.sweep.dir=sweep", "sweep.workers=2"]
    running = subprocess.Popen(argv, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    while len(started := spawned_by(running.pid)) < 2 and running.poll() is None:
        time.sleep(0.02)
    time.sleep(moment)
    for each in started:
        os.kill(each, signal.SIGKILL)
    out, err = running.communicate(timeout=120)
    assert running.returncode == 0, err
    assert "20 of 20 runs complete: sweep" in out


def spawned_by(parent):
    """The processes of a pool, by their numbers."""
    found = []
    for task in Path(f"/proc/{parent}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(each) for each in task.read_text().split()]
    return [each for each in found if "spawn_main" in Path(f"/proc/{each}/cmdline").read_text()]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_table_is_made_after_an_interruption_too(tmp_path, number):
    argv = [*KAN_RUN, "-m", "seed=range(3000)", "hydra.sweep.dir=sweep"]
    running = subprocess.Popen(argv, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    limit = time.monotonic() + 60
    while not (tmp_path / "sweep/0/run.json").exists() and time.monotonic() < limit:
        time.sleep(0.05)
    running.send_signal(number)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 128 + number
    complete = len(list(tmp_path.glob("sweep/[0-9]*/run.json")))
    assert f"{complete} of 3000 runs complete: sweep" in out
    assert err.endswith(f"kan-run: interrupted by {signal.Signals(number).name}\n")
    assert "kan-run resume sweep" in err
    rows = list(csv.DictReader((tmp_path / "sweep/sweep.csv").read_text().splitlines()))
    assert [row["status"] for row in rows].count("complete") == complete
    assert len(rows) == 3000


@pytest.mark.slow
def test_later_edits_of_presets_do_not_leak_into_a_plan(kan_run, tmp_path):
    own = tmp_path / "own/init"
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text("scheme: default\nnoise_scale: 0.5\nnoise_scale_base: 0\n")
    kan_run("-m", "--config-dir", "own", "init=mine,linear", "--dry-run", "hydra.sweep.dir=sweep")
    (own / "mine.yaml").write_text("scheme: glorot\n")
    assert kan_run("resume", "sweep").code == 0
    assert record(tmp_path / "sweep/0")["config"]["init"]["noise_scale"] == 0.5


@pytest.mark.slow
def test_only_what_is_named_is_made_again(kan_run, tmp_path):
    kan_run("-m", "noise_scale=1e41,0.1", "seed=0,1", "hydra.sweep.dir=sweep")
    before = {path.parent.name: path.stat().st_mtime_ns for path in tmp_path.glob("sweep/*/run.json")}
    assert len(before) == 4
    for only, changed in (([], set()), (["--only", "failed"], {"0", "1"}), (["--only", "1,2"], {"1"})):
        done = kan_run("resume", "sweep", *only)
        assert done.code == 6
        after = {path.parent.name: path.stat().st_mtime_ns for path in tmp_path.glob("sweep/*/run.json")}
        assert {name for name in after if after[name] != before[name]} == changed
        before = after
    for only in ("4", "x", "-1", ""):
        assert kan_run("resume", "sweep", "--only", only).code == 2


def test_a_sweep_at_work_is_not_resumed(kan_run, tmp_path):
    kan_run("-m", "seed=0,1", "--dry-run", "hydra.sweep.dir=sweep")
    with read_plan(tmp_path / "sweep").lock():
        done = kan_run("resume", "sweep")
    assert done.code == 2
    assert "another kan-run is running this sweep" in done.err


def test_a_plan_of_other_laws_is_not_gone_on_with(kan_run, tmp_path):
    kan_run("-m", "seed=0,1", "--dry-run", "hydra.sweep.dir=sweep")
    path = tmp_path / "sweep/plan.jsonl"
    path.write_text(path.read_text().replace('"semantics": ', '"semantics": 1000', 1))
    done = kan_run("resume", "sweep")
    assert done.code == 2
    assert "planned with semantics 1000" in done.err
    assert not (tmp_path / "sweep/0").exists()


@pytest.mark.slow
def test_an_input_file_that_changed_since_the_plan_is_told(kan_run, tmp_path):
    samples = tmp_path / "x.csv"
    samples.write_text("1,2\n3,4\n")
    kan_run("-m", "inputs=x.csv", "seed=0,1", "--dry-run", "hydra.sweep.dir=sweep")
    samples.write_text("1,2\n3,5\n")
    done = kan_run("resume", "sweep")
    assert done.code == 6
    assert "has changed since the plan: the file of samples" in done.err
    assert record(tmp_path / "sweep/0")["status"] == "failed"


@pytest.mark.parametrize("harm", ["gone", "empty", "cut", "garbage", "schema", "outside"])
def test_damaged_plans_are_named(kan_run, tmp_path, harm):
    kan_run("-m", "seed=0,1", "--dry-run", "hydra.sweep.dir=sweep")
    path = tmp_path / "sweep/plan.jsonl"
    text = path.read_text()
    if harm == "gone":
        path.unlink()
    else:
        harmed = {
            "empty": "",
            "cut": text.splitlines()[0] + "\n",
            "garbage": "\x00\x01",
            "schema": text.replace('"schema": 1', '"schema": 9'),
            "outside": text.replace('"folder": "1"', '"folder": "../1"'),
        }
        path.write_text(harmed[harm])
    done = kan_run("resume", "sweep")
    assert done.code == 2
    assert "plan.jsonl" in done.err
    assert len(done.err.splitlines()) == 1


def test_the_table_tells_what_the_jobs_found(kan_run, tmp_path):
    done = kan_run("-m", "init=default,linear", "noise_scale=0.1,1", "seed=range(3)", "hydra.sweep.dir=sweep")
    rows = list(csv.DictReader((tmp_path / "sweep/sweep.csv").read_text().splitlines()))
    columns = parquet.read_table(tmp_path / "sweep/sweep.parquet").to_pydict()
    assert len(rows) == len(columns["job"]) == 12
    assert columns["noise_scale"][:4] == [0.1, 0.1, 0.1, 1.0]
    assert columns["seed"] == [0, 1, 2] * 4
    stds = []
    for number, row in enumerate(rows):
        stats = json.loads((tmp_path / "sweep" / row["folder"] / "stats.json").read_text())
        std = stats["layers"][1]["output"]["std"]
        assert float(row["layer1_output_std"]) == columns["layer1_output_std"][number] == std
        assert float(row["propagation_signal"]) == stats["propagation"]["signal"]
        verdicts = {each["name"]: each for each in stats["verdicts"]}
        assert row["rough_verdict"] == verdicts["rough"]["verdict"]
        assert float(row["rough"]) == verdicts["rough"]["value"]
        assert row["replay"] == shlex.join(["kan-run", *read_plan(tmp_path / "sweep").jobs[number].words])
        stds.append(std)
    table = np.array(stds).reshape(2, 2, 3)  # init, noise_scale, seed
    summary = json.loads((tmp_path / "sweep/summary.json").read_text())
    assert summary["status"] == {"complete": 12}
    assert [cell["keys"] for cell in summary["cells"]] == [
        {"init": init, "noise_scale": scale} for init in ("default", "linear") for scale in ("0.1", "1")
    ]
    for cell, same in zip(summary["cells"], table.reshape(4, 3), strict=True):
        told = cell["statistics"]["layer1_output_std"]
        assert (told["mean"], told["sd"], told["n"]) == (pytest.approx(same.mean()), pytest.approx(same.std(ddof=1)), 3)
        assert told["low"] == pytest.approx(same.mean() - 4.302652729911275 * same.std(ddof=1) / 3**0.5)
    effect = summary["effects"]["init"]["layer1_output_std"]
    means = table.mean(axis=(1, 2))
    assert effect["means"] == {"default": pytest.approx(means[0]), "linear": pytest.approx(means[1])}
    assert effect["share"] == pytest.approx(
        6 * ((means - table.mean()) ** 2).sum() / ((table - table.mean()) ** 2).sum()
    )
    assert "seed" not in summary["effects"]
    assert "default" in done.out
    assert len(list(rows_of(read_plan(tmp_path / "sweep")))) == 12


@pytest.mark.slow
def test_a_table_over_several_sweeps_is_made_from_their_folders(kan_run, tmp_path):
    kan_run("-m", "noise_scale=0.1,1", "seed=0,1", "hydra.sweep.dir=one")
    kan_run("-m", "noise_scale=3", "seed=0,1", "hydra.sweep.dir=two", "hydra/launcher=basic")
    before = (tmp_path / "one/sweep.csv").read_bytes(), (tmp_path / "one/summary.json").read_bytes()
    for name in ("sweep.csv", "sweep.parquet", "summary.json", "figures/sweep.png"):
        (tmp_path / "one" / name).unlink()
    assert kan_run("collect", "one").code == 0
    assert ((tmp_path / "one/sweep.csv").read_bytes(), (tmp_path / "one/summary.json").read_bytes()) == before
    assert (tmp_path / "one/figures/sweep.png").stat().st_size > 10_000
    (tmp_path / "two/plan.jsonl").unlink()  # as a sweep of an older kancli, or of anyone's own
    assert kan_run("collect", "one", "two").code == 2
    done = kan_run("collect", "one", "two", "-o", "both")
    assert done.code == 0, done.err
    rows = list(csv.DictReader((tmp_path / "both/sweep.csv").read_text().splitlines()))
    assert [row["job"] for row in rows] == list("012345")
    assert [row["noise_scale"] for row in rows] == ["0.1", "0.1", "1", "1", "", ""]
    assert [row["folder"] for row in rows][3:] == ["../one/3", "../two/0", "../two/1"]
    assert rows[4]["replay"].startswith("kan-run noise_scale=3 seed=0")
    assert kan_run("collect", "nowhere").code == 2
    assert "holds no runs" in kan_run("collect", str(tmp_path / "both")).err


def test_jobs_that_fail_are_in_the_table(kan_run, tmp_path):
    done = kan_run("-m", "noise_scale=1e41,0.1", "hydra.sweep.dir=sweep")
    assert done.code == 6
    first, second = csv.DictReader((tmp_path / "sweep/sweep.csv").read_text().splitlines())
    assert (first["status"], second["status"]) == ("failed", "complete")
    assert "not finite" in first["cause"]
    assert first["cause"] in done.err
    assert first["layer1_output_std"] == ""
    assert first["non_finite"] == "1"


@pytest.mark.slow
def test_an_experiment_may_sweep_over_the_seed(kan_run, tmp_path):
    (tmp_path / "own/experiment").mkdir(parents=True)
    (tmp_path / "own/experiment/seeds.yaml").write_text("hydra: {sweeper: {params: {seed: 'range(3)', grid: '2,3'}}}")
    done = kan_run("-m", "--config-dir", "own", "experiment=seeds")
    assert done.code == 0, done.err
    assert done.out.splitlines()[-1].startswith("6 of 6 runs complete")
    done = kan_run("-m", "--config-dir", "own", "experiment=seeds,reference")
    assert done.code == 2
    assert "is a sweep over seed itself; give it alone" in done.err


class Telling(Callback):
    """Says what of it is called."""

    def on_multirun_start(self, config, **more):
        print("on_multirun_start")

    def on_multirun_end(self, config, **more):
        print("on_multirun_end")

    def on_job_end(self, config, job_return, **more):
        print("on_job_end")


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["kancli", "basic"])
def test_hydras_callbacks(kan_run, launcher):
    done = kan_run("-m", "seed=1,2", "++hydra.callbacks.mine._target_=tests.sweeps.test_sweeps.Telling",
                   "allow_code=true", "hydra.sweep.dir=sweep", "sweep.workers=0",
                   f"hydra/launcher={launcher}")  # fmt: skip
    assert done.code == 0, done.err
    heard = [line for line in done.out.splitlines() if line.startswith("on_")]
    notice = "hydra.callbacks: on_job_end: not called where jobs are computed together; hydra/launcher=basic calls it"
    if launcher == "basic":
        assert heard == ["on_multirun_start", "on_job_end", "on_job_end", "on_multirun_end"]
    else:
        assert heard == ["on_multirun_start", "on_multirun_end"]
    assert (notice in done.err) == (launcher == "kancli")
