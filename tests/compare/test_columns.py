"""kan-run compare."""

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image
from rich.table import Table

from kancli.compare.columns import format_tables, read_columns
from tests.runs.records import edit_record


def table_of(folder):
    rows = csv.reader((folder / "compare.csv").read_text().splitlines())
    header, *body = rows
    return {row[0]: dict(zip(header[1:], row[1:], strict=True)) for row in body}


def signal(folder):
    return json.loads((folder / "stats.json").read_text())["propagation"]["signal"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs and a sweep, shared by the tests of this module."""
    from kancli.cli.dispatch import main

    top = tmp_path_factory.mktemp("runs")
    for name in ("linear", "noisy"):
        assert main([f"init={name}", "figures=none", f"hydra.run.dir={top / name}"]) == 0
    assert (
        main(["-m", "init=default,glorot", "seed=range(3)", "sweep.workers=0", f"hydra.sweep.dir={top / 'sweep'}"]) == 0
    )
    return top


def test_two_runs_are_compared(kan_run, runs, tmp_path):
    for name in ("linear", "noisy"):
        shutil.copytree(runs / name, tmp_path / name)
    done = kan_run("compare", "./linear", "./noisy")
    assert done.code == 0, done.err
    lines = [line.split() for line in done.out.splitlines()]
    assert lines[0] == ["init=linear", "init=noisy"]
    assert ["base_fun", "identity", "silu"] in lines
    assert ["init.noise_scale", "0", "1"] in lines
    assert not any(line[:1] in (["width"], ["seed"], ["init.scheme"]) for line in lines)  # they are the same
    assert ["nodes", "alike", "0", "fail", "0.308"] in lines
    assert ["gradient", "vanishes"] not in [line[:2] for line in lines]  # measured in neither
    assert done.out.splitlines()[-2:] == ["linear/compare.csv", "linear/figures/compare.png"]
    row = table_of(tmp_path / "linear")["propagation_signal"]
    assert {name: float(value) for name, value in row.items()} == {
        "init=linear": signal(runs / "linear"), "init=noisy": signal(runs / "noisy")
    }  # fmt: skip
    assert (tmp_path / "linear/figures/compare.png").read_bytes().startswith(b"\x89PNG")


def test_a_table_is_replaced_only_with_overwrite(kan_run, runs, tmp_path):
    words = ("compare", str(runs / "linear"), str(runs / "noisy"), "-o", "here")
    assert kan_run(*words).code == kan_run(*words).code == 0, "the same content"
    before = (tmp_path / "here/compare.csv").read_bytes()
    others = ("compare", str(runs / "noisy"), str(runs / "linear"), "-o", "here")
    refused = kan_run(*others)
    assert refused.code == 2
    assert "here/compare.csv and 1 more: there already, with other content; type --overwrite" in refused.err
    assert (tmp_path / "here/compare.csv").read_bytes() == before
    assert kan_run(*others, "--overwrite").code == 0
    assert (tmp_path / "here/compare.csv").read_bytes() != before


def test_runs_that_differ_in_seed_share_a_column(kan_run, runs, tmp_path):
    done = kan_run("compare", str(runs / "sweep"), str(runs / "noisy"), "-o", "both/of them")
    assert done.code == 0, done.err
    row = table_of(tmp_path / "both/of them")["propagation_signal"]
    values = [signal(runs / "sweep" / str(number)) for number in range(3, 6)]
    assert float(row["init=glorot"]) == pytest.approx(np.mean(values))
    assert float(row["init=glorot sd"]) == pytest.approx(np.std(values, ddof=1))
    assert row["init=glorot n"] == "3"
    assert "init=noisy sd" not in row
    assert ["runs", "3", "3", "1"] in [line.split() for line in done.out.splitlines()]


@pytest.mark.slow
def test_presets_are_run_first(kan_run, tmp_path):
    done = kan_run("compare", "default", "pykan_0_0_5", "width=2-3-1", "-o", "made")
    assert done.code == 0, done.err
    assert "2 of 2 runs complete: made" in done.out
    assert done.out.splitlines()[-2:] == ["made/compare.csv", "made/figures/compare.png"]
    row = table_of(tmp_path / "made")["propagation_signal"]
    alone = kan_run("init=pykan_0_0_5", "width=2-3-1", "figures=none")
    assert float(row["init=pykan_0_0_5"]) == signal(alone.folder)


def test_the_terminal_states_what_is_judged_and_what_a_spread_is(runs):
    *_, caption = lines = format_tables(read_columns([runs / "sweep", runs / "noisy"]))
    labels = [cell for line in lines if isinstance(line, Table) for cell in line.columns[0].cells]
    assert "splines inert" in labels
    assert not {"spline_inert", "linear", "rough"} & set(labels)
    assert "± standard deviation over the runs of a column" in str(caption)
    *_, caption = format_tables(read_columns([runs / "linear", runs / "noisy"]))
    assert "±" not in str(caption)


def count_tables(columns):
    return sum(isinstance(line, Table) for line in format_tables(columns))


def test_many_columns_make_several_tables(runs, tmp_path):
    for name in ("linear", "noisy"):
        for place in ("one", "two"):
            shutil.copytree(runs / name, tmp_path / place / name)
    folders = [top / name for top in (runs, tmp_path / "one", tmp_path / "two") for name in ("linear", "noisy")]
    columns = read_columns(folders)
    assert [column.name for column in columns[:2]] == ["linear init=linear", "noisy init=noisy"]
    assert count_tables(columns) == 2
    assert count_tables(read_columns([runs / "sweep"])) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ([], "compare: name folders of runs"),
        (["glorat", "default"], "glorat: neither a folder nor a preset of init; did you mean glorot?"),
        (["{runs}/noisy"], "compare: 1 column; allowed: 2 to 40; name more runs"),
        (["{runs}/noisy", "{runs}/noisy/"], "compare: 1 column; allowed: 2 to 40; name more runs"),
        (["glorot"], "compare: 1 column; allowed: 2 to 40; name more runs"),
        (["seed=1,2"], "compare: 1 column; allowed: 2 to 40; name more runs"),
        (["default", "seed=x"], "seed=x: allowed: "),
        (["grid=range(1,60)"], "compare: 59 columns; allowed: 2 to 40; name fewer runs"),
        (["{runs}/noisy", "{runs}/linear", "grid=3"], "grid.size: a run is drawn as it was"),
        (["{runs}/noisy", "{runs}/linear", "-o", "file"], "-o=file: "),
        (["default", "glorot", "grid=x"], "grid=x: allowed: "),
    ],
)
def test_mistakes_are_answered_without_output(kan_run, runs, tmp_path, words, answer):
    (tmp_path / "file").touch()
    done = kan_run("compare", *(word.format(runs=runs) for word in words))
    assert done.code == 2
    assert answer in done.err
    assert not done.out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_a_run_without_activations_is_not_drawn(kan_run, tmp_path):
    for scheme in ("default", "glorot"):
        kan_run(f"init={scheme}", "figures=none", "activations.n=0", f"hydra.run.dir={scheme}")
    (tmp_path / "runs").mkdir()
    done = kan_run("compare", "./default", "./glorot", "-o", "runs")
    assert done.code == 0, done.err
    assert "nothing to draw; left out" in done.err
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["compare.csv"]


def test_a_word_that_is_folder_and_preset_is_refused(kan_run, tmp_path):
    (tmp_path / "glorot").mkdir()
    done = kan_run("compare", "default", "glorot")
    assert done.code == 2
    assert "glorot: a folder and a preset; type ./glorot, or init=glorot" in done.err


@pytest.mark.slow
def test_failed_runs_are_reported(kan_run, tmp_path):
    kan_run("-m", "init=default", "inputs.std=1,2", "seed=0,1", "hydra.sweep.dir=sweep")
    for number in (1, 2, 3):
        edit_record(tmp_path / f"sweep/{number}", status="failed", error="x")
    kan_run("init=glorot", "figures=none", "hydra.run.dir=single")
    done = kan_run("compare", "sweep", "single")
    assert done.code == 0, done.err
    assert "sweep/2: no complete run; left out" in done.err
    assert ["runs", "1", "of", "2", "1"] in [line.split() for line in done.out.splitlines()]


@pytest.mark.slow
def test_figure_options_apply_when_presets_are_run(kan_run, runs, tmp_path):
    done = kan_run("compare", str(runs / "noisy"), "glorot", "figures.style=dark", "-o", "made")
    assert done.code == 0, done.err
    corner = np.asarray(Image.open(tmp_path / "made/figures/compare.png").convert("RGB"))[0, 0]
    assert corner.max() < 60


def test_a_rerun_is_named_by_what_differs(kan_run, kan_run_once, tmp_path):
    first = kan_run_once("width=2-3-1", "figures=none")
    kan_run("rerun", str(first.folder), "noise_scale=0.7", "hydra.run.dir=again")
    named = kan_run("compare", str(first.folder), "again", "-o", "out")
    header = (tmp_path / "out/compare.csv").read_text().splitlines()[0]
    assert header == f"statistic,{first.folder.name},again noise_scale=0.7"
    assert "again noise_scale=0.7" in named.out.splitlines()[0]
