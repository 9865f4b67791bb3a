"""The table of a sweep: results of its jobs, summaries over seeds, and tables over several sweeps."""

import csv
import json
import math
import shlex
import subprocess
import sys

import numpy as np
import pytest
from pyarrow import parquet

from kancli.sweeps.plan import read_plan
from kancli.sweeps.results import encode_csv
from kancli.sweeps.row import Row
from kancli.sweeps.summary import main_effects
from kancli.sweeps.table import read_rows


@pytest.mark.slow
def test_the_table_equals_the_jobs_own_records(kan_run, tmp_path):
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
        assert row["layer1_output_std"] == repr(std)
        assert columns["layer1_output_std"][number] == std
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
        error = same.std(ddof=1) / 3**0.5
        assert told["low"] == pytest.approx(same.mean() / math.exp(4.302652729911275 * error / same.mean()))
    effect = summary["effects"]["init"]["layer1_output_std"]
    means = table.mean(axis=(1, 2))
    assert effect["means"] == {"default": pytest.approx(means[0]), "linear": pytest.approx(means[1])}
    assert effect["share"] == pytest.approx(
        6 * ((means - table.mean()) ** 2).sum() / ((table - table.mean()) ** 2).sum()
    )
    assert "seed" not in summary["effects"]
    assert "default" in done.out
    assert "mean ± standard deviation over the seeds of a row" in done.out
    assert len(list(read_rows(read_plan(tmp_path / "sweep")))) == 12
    collect = "import sys; from kancli.cli import main; main(['collect', 'sweep']); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", collect], cwd=tmp_path, check=True, timeout=600)


@pytest.mark.slow
def test_collect_rebuilds_and_joins_tables_from_folders(kan_run, tmp_path):
    kan_run("-m", "noise_scale=0.1,1", "seed=0,1", "hydra.sweep.dir=one")
    kan_run("-m", "noise_scale=3", "grid=7", "k=3", "seed=0,1", "hydra.sweep.dir=two", "hydra/launcher=basic")
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
    assert [row["noise_scale"] for row in rows] == ["0.1", "0.1", "1", "1", "3", "3"]
    assert [row["grid"] for row in rows] == ["", "", "", "", "7", "7"], "what sets the sweeps apart is a column"
    assert "k" not in rows[0], "the default, typed in one of them"
    assert [row["folder"] for row in rows][3:] == ["../one/3", "../two/0", "../two/1"]
    assert rows[4]["replay"].startswith("kan-run noise_scale=3 grid=7 k=3 seed=0")
    assert kan_run("collect", "nowhere").code == 2
    assert "holds no runs" in kan_run("collect", str(tmp_path / "both")).err


def test_failed_jobs_are_in_the_table(kan_run, tmp_path):
    done = kan_run("-m", "noise_scale=1e30,0.1", "base_fun=square", "hydra.sweep.dir=sweep")
    assert done.code == 6
    first, second = csv.DictReader((tmp_path / "sweep/sweep.csv").read_text().splitlines())
    assert (first["status"], second["status"]) == ("failed", "complete")
    assert "not finite" in first["cause"]
    assert first["cause"] in done.err
    assert first["layer1_output_std"] == ""
    assert first["non_finite"] == "1"


@pytest.mark.parametrize("is_planned", [True, False])
def test_a_damaged_record_is_named_with_its_cause(kan_run, tmp_path, is_planned):
    assert kan_run("-m", "seed=0,1", "hydra.sweep.dir=sweep").code == 0
    (tmp_path / "sweep/1/run.json").write_text("{")
    if not is_planned:
        (tmp_path / "sweep/plan.jsonl").unlink()
    done = kan_run("collect", "sweep")
    assert done.code == 6
    assert "kan-run: damaged: 1: sweep/1/run.json: damaged: DecodeError" in done.err
    rows = list(csv.DictReader((tmp_path / "sweep/sweep.csv").read_text().splitlines()))
    assert [row["status"] for row in rows] == ["complete", "damaged"]
    assert "run.json: damaged: DecodeError" in rows[1]["cause"]


@pytest.mark.parametrize("is_planned", [True, False])
def test_a_job_with_a_damaged_file_is_damaged_in_every_table(kan_run, tmp_path, is_planned):
    assert kan_run("-m", "noise_scale=0.1,1,2,3", "hydra.sweep.dir=sweep").code == 0
    for number, name in enumerate(["edges.csv", "activations.safetensors", ".hydra/config.yaml"]):
        path = tmp_path / f"sweep/{number}" / name
        content = bytearray(path.read_bytes())
        content[-3] ^= 1
        path.write_bytes(content)
    if not is_planned:
        (tmp_path / "sweep/plan.jsonl").unlink()
    done = kan_run("collect", "sweep", "-o", "table")
    assert done.code == 6
    rows = list(csv.DictReader((tmp_path / "table/sweep.csv").read_text().splitlines()))
    assert [row["status"] for row in rows] == [*["damaged"] * 3, "complete"]
    assert "damaged: edges.csv is not what the run wrote" in rows[0]["cause"]
    assert "damaged: .hydra/config.yaml is not what the run wrote" in rows[2]["cause"]
    assert [row["noise_scale"] for row in rows] == ["0.1", "1", "2", "3"]
    assert [row["layer0_coef_std"] == "" for row in rows] == [True, True, True, False]
    done = kan_run("compare", "sweep")
    assert done.code == 2  # one column is left
    assert done.err.count("no complete run; left out") == 3


@pytest.mark.parametrize("target", ["new", "deep/new"])
def test_collect_creates_no_folder_without_runs(kan_run, tmp_path, target):
    (tmp_path / "empty").mkdir()
    done = kan_run("collect", "empty", "-o", target)
    assert (done.code, done.err) == (2, "kan-run: empty: holds no runs\n")
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_collect_names_a_folder_that_cannot_be_created(kan_run, tmp_path):
    kan_run("-m", "seed=0,1", "hydra.sweep.dir=sweep")
    (tmp_path / "file").touch()
    done = kan_run("collect", "sweep", "-o", "file")
    assert (done.code, done.err) == (2, "kan-run: -o=file: File exists; name a folder elsewhere with -o=DIR\n")


def test_a_share_needs_two_jobs_at_a_value():
    def rows(*values):
        return [
            Row(number, str(number), "complete", None, "", {"init": init, "seed": str(seed)}, [], {"std": std}, None)
            for number, (init, seed, std) in enumerate(values)
        ]

    alone = main_effects(rows(("a", 0, 1.0), ("b", 0, 2.0)))["init"]["std"]
    assert (alone["share"], alone["reason"]) == (None, "one job a value"), "any statistic would have a share of 1"
    level = main_effects(rows(("a", 0, 1.0), ("a", 1, 1.0), ("b", 0, 1.0)))["init"]["std"]
    assert (level["share"], level["reason"]) == (None, "constant")
    pair = main_effects(rows(("a", 0, 1.0), ("a", 1, 2.0), ("b", 0, 3.0)))["init"]["std"]
    assert pair == {"share": pytest.approx(0.75), "means": {"a": 1.5, "b": 3.0}}


def test_no_cell_of_a_csv_is_a_formula():
    header, row = ["a", "=b"], ["=1+1", "@x", "+x", "-x", "-1.5", "+3", "\tx", "plain", -2.5, None]
    cells = encode_csv(header, [row]).decode().splitlines()
    assert cells[0] == "a,'=b"
    assert cells[1] == "'=1+1,'@x,'+x,'-x,-1.5,+3,'\tx,plain,-2.5,"
