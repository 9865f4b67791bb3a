"""The page that kan-run report writes, parsed as HTML."""

import base64
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kancli.report.data import relative_url
from kancli.report.page import VERDICT_SYMBOLS
from kancli.stats.options import WORST_FIRST
from kancli.sweeps.plan import read_plan
from tests.report.parser import Page, report
from tests.runs.records import edit_record, reseal


def test_data_equals_the_files_of_the_jobs(kan_run, sweep):
    page = report(kan_run)
    data = page.data
    assert data["keys"] == ["init", "noise_scale", "seed"]
    assert data["fixed"] == ["init", "noise_scale"]
    assert len(data["jobs"]) == 12
    for job, planned in zip(data["jobs"], read_plan(sweep).jobs, strict=True):
        stats = json.loads((sweep / str(job["job"]) / "stats.json").read_text())
        values = dict(zip(data["statistics"], job["values"], strict=True))
        assert values["layer1_output_std"] == stats["layers"][1]["output"]["std"]
        assert values["propagation_signal"] == stats["propagation"]["signal"]
        outcomes = dict(zip(data["judged"], job["words"], strict=True))
        for verdict in stats["verdicts"]:
            name = verdict["name"]
            assert (values[name], outcomes[name]) == (verdict["value"], verdict["verdict"])
        assert [f"{key}={value}" for key, value in zip(data["keys"], job["keys"], strict=True)] == planned.words[:3]
        assert (job["status"], job["link"], job["cause"]) == ("complete", f"./{job['job']}/", None)
        assert job["seconds"] == json.loads((sweep / str(job["job"]) / "run.json").read_text())["seconds"]["total"]
    summary = json.loads((sweep / "summary.json").read_text())
    assert len(data["cells"]) == 4
    for cell, expected in zip(data["cells"], summary["cells"], strict=True):
        assert dict(zip(data["fixed"], cell["keys"], strict=True)) == expected["keys"]
        assert (cell["jobs"], cell["complete"]) == (expected["jobs"], 3)
        for name, values in zip(data["statistics"], cell["values"], strict=True):
            assert dict(zip(("mean", "sd", "low", "high", "n"), values, strict=True)) == expected["statistics"][name]
    inert = data["judged"].index("spline_inert")
    assert [cell["words"][inert] for cell in data["cells"]] == [[0, 3, 0, 0], [0, 0, 0, 3]] * 2
    assert data["shown"][:2] == ["layer1_output_std", "propagation_signal"]
    assert "spline_inert" in data["shown"]
    for text in (
        "2 × 2 × 3 = 12 jobs planned",
        "✓ 12 complete",
        "init=default",
        "! 6 warn",
        "Identical in the 12 jobs",
        "least share of the spline branches in both branches' variance",
        "kan-run -m init=default,linear",
        "mean ± standard deviation over the jobs of a row",
    ):
        assert text in page.text
    assert "Failures" not in page.text
    assert f"{summary['effects']['init']['layer1_output_std']['share']:.0%}".replace("%", " %") in page.text


def test_undecided_verdicts_have_a_symbol(kan_run):
    """The splines' share over three members is 0.006, from 0.002 to 0.015, at noise_scale=0.3; the bound is 0.01."""
    assert list(VERDICT_SYMBOLS) == list(WORST_FIRST)[::-1]
    assert kan_run("-m", "noise_scale=0.3,1", "n_seeds=3", "hydra.sweep.dir=sweep").code == 0
    page = report(kan_run)
    inert = page.data["judged"].index("spline_inert")
    assert [cell["words"][inert] for cell in page.data["cells"]] == [[0, 0, 1, 0], [0, 0, 0, 1]]
    assert page.data["symbols"]["undecided"] == "?"
    assert "? undecided: splines inert 1/1" in page.text
    assert "? undecided" in report(kan_run, "sweep/0").text


def test_the_page_of_a_run_is_titled_by_what_was_run(kan_run):
    kan_run("init=linear", "noise_scale=1.0", "width=2-3-1", "figures=none", "hydra.run.dir=run")
    page = report(kan_run, "run")
    assert "<h1>KAN 2-3-1, init=linear noise_scale=1.0</h1>" in page.source
    assert "<title>KAN 2-3-1, init=linear noise_scale=1.0: report of a run</title>" in page.source
    assert "kan-run report of a run, run" in page.text


def test_a_page_that_differs_is_replaced_only_with_overwrite(kan_run, tmp_path):
    kan_run("figures=none", "hydra.run.dir=run")
    assert kan_run("report", "run").code == kan_run("report", "run").code == 0, "the same page"
    (tmp_path / "run/report.html").write_text("mine")
    refused = kan_run("report", "run")
    assert refused.err == (
        "kan-run: run/report.html: there already, with other content; type --overwrite to replace it,"
        " or -o DIR to write elsewhere\n"
    )
    assert (tmp_path / "run/report.html").read_text() == "mine"
    assert kan_run("report", "run", "--overwrite").code == 0


def test_the_page_of_a_sweep_is_titled_by_what_was_swept(kan_run, sweep):
    """As typed, without Hydra's own keys and the width, which goes before."""
    page = report(kan_run)
    assert "<h1>KAN 2-5-1, init=default,linear noise_scale=0.1,3 seed=range(3)</h1>" in page.source
    assert "kan-run report of a sweep, sweep" in page.text
    (sweep / "plan.jsonl").unlink()
    listed = "init=default,linear noise_scale=0.1,3 seed=0,1,2"
    assert f"<h1>KAN 2-5-1, {listed}</h1>" in report(kan_run).source


def test_a_sweep_of_widths_is_titled_by_them(kan_run):
    kan_run("-m", "width=2-1,2-3-1", "hydra.sweep.dir=sweep")
    assert "<h1>KAN, width=2-1,2-3-1</h1>" in report(kan_run).source


def test_a_page_in_another_folder_links_to_the_runs(kan_run, sweep, tmp_path):
    written = kan_run("report", "sweep", "-o", "pages/new")
    assert written.out == "pages/new/report.html\n"
    assert not (sweep / "report.html").exists()
    page = Page(tmp_path / written.out.strip())
    assert [job["link"] for job in page.data["jobs"][:2]] == ["../../sweep/0/", "../../sweep/1/"]
    assert all((tmp_path / "pages/new" / job["link"] / "run.json").exists() for job in page.data["jobs"])


@pytest.mark.slow
def test_the_page_shows_one_network_for_each_combination(kan_run, tmp_path):
    kan_run("-m", "grid=3,5", "seed=0,1", "figures=default", "figures.dpi=30", "hydra.sweep.dir=sweep")
    page = report(kan_run, "sweep")
    names = [name for name in page.attributes("alt") if name.startswith("job ")]
    assert [name.partition(": ")[2][:6] for name in names] == ["grid=3", "grid=5"]
    assert all(name.endswith(" of 2") for name in names)
    assert "One job for each combination of swept keys: of several seeds, the one of median output std." in page.text
    assert len([url for url in page.attributes("href") if url.endswith("network.png")]) == 4, "the others are links"


def test_page_is_self_contained(kan_run, sweep):
    page = report(kan_run)
    assert page.attributes("src")
    assert all(source.startswith("data:image/png;base64,") for source in page.attributes("src"))
    assert not {name for name, _ in page.elements} & {"link", "iframe", "object", "embed", "base", "form"}
    assert all(url.startswith(("#", "./")) for url in page.attributes("href"))
    assert not [attributes for _, attributes in page.elements if any(name.startswith("on") for name in attributes)]
    without_data = page.source.replace(page.raw["application/json"], "")
    assert "http://" not in without_data
    assert "https://" not in without_data
    assert "url(" not in page.raw["style"]
    (policy,) = (attributes["content"] for _, attributes in page.elements if "http-equiv" in attributes)
    for kind, content in (("script", page.raw["module"]), ("style", page.raw["style"])):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; img-src data:;")


def test_same_folder_gives_same_bytes(kan_run, tmp_path, monkeypatch, sweep):
    first = report(kan_run).source
    assert report(kan_run).source == first  # an existing report.html has no influence
    (tmp_path / "elsewhere").mkdir()
    sweep.rename(tmp_path / "elsewhere/sweep")
    monkeypatch.chdir(tmp_path / "elsewhere/sweep")
    assert kan_run("report", ".").code == 0
    assert Path("report.html").read_text() == first


def test_urls_stay_below_the_page():
    assert relative_url("a b/ü?#%") == "./a%20b/%C3%BC%3F%23%25"
    assert relative_url("javascript:alert(1)") == "./javascript%3Aalert%281%29"


@pytest.mark.slow
def test_failures_are_listed_with_causes(kan_run):
    done = kan_run("-m", "noise_scale=1e30,0.1,0.3", "base_fun=square", "hydra.sweep.dir=sweep")
    assert done.code == 6
    shutil.rmtree(done.cwd / "sweep/2")
    (done.cwd / "sweep/1/stats.json").write_text("{}")
    reseal(done.cwd / "sweep/1")
    page = report(kan_run)
    first, second, third = page.data["jobs"]
    assert [job["status"] for job in page.data["jobs"]] == ["failed", "damaged", "missing"]
    assert "not finite" in first["cause"]
    assert first["cause"] in page.text
    assert first["replay"].startswith("kan-run noise_scale=1e+30 ")
    assert first["replay"] in page.attributes("data-copy", "button")
    assert "stats.json: its statistics have schema null" in second["cause"]
    assert second["cause"] in page.text
    assert (third["cause"], set(third["values"])) == (None, {None})
    for text in (
        "✗ 1 failed",
        "1 job left no record: 2",
        "kan-run resume sweep",
        "kan-run resume sweep --only failed",
    ):
        assert text in page.text


def test_differences_between_environments_are_listed(kan_run, sweep):
    for number, torch, threads in ((3, "1.0", 1), (7, "1.0", 64)):
        record = json.loads((sweep / f"{number}/run.json").read_text())
        record["versions"]["torch"] = torch
        record["threads"] = threads
        edit_record(sweep / str(number), **record)
    text = report(kan_run).text
    assert "Jobs differ." in text
    assert "1.0: jobs 3, 7" in text
    assert "64: job 7" in text


@pytest.mark.slow
def test_page_of_a_single_run(kan_run):
    done = kan_run("init=linear", "noise_scale=0.5", "hydra.run.dir=run", "n_seeds=3")
    assert done.code == 0, done.err
    page = report(kan_run, "run")
    stats = done.json("stats.json")
    values = dict(zip(page.data["statistics"], page.data["jobs"][0]["values"], strict=True))
    assert values["layer0_coef_std"] == stats["layers"][0]["coef"]["std"]["mean"]
    (inert,) = (verdict for verdict in stats["verdicts"] if verdict["name"] == "spline_inert")
    assert f"{inert['value']:.3g} [{inert['low']:.3g}, {inert['high']:.3g}]" in page.text
    assert f"{stats['layers'][1]['output']['std']['mean']:.3g}" in page.text
    assert "value [95 % interval]" in page.text
    assert "Means over the networks" in page.text
    assert base64.b64encode((done.folder / "figures/network.png").read_bytes()).decode() in page.source
    assert "kan-run init=linear noise_scale=0.5 n_seeds=3" in page.text
    assert "as recorded" in page.text
    assert kan_run("noise_scale=1e30", "base_fun=square", "hydra.run.dir=failed").code == 3
    assert "not finite" in report(kan_run, "failed").text


def test_page_of_runs_without_a_plan(kan_run, sweep):
    data = report(kan_run).data
    (sweep / "plan.jsonl").unlink()
    page = report(kan_run)
    assert "12 runs without a plan" in page.text
    assert "report of a folder of runs" in page.text
    assert page.data["keys"] == data["keys"]
    assert sorted(job["values"] for job in page.data["jobs"]) == sorted(job["values"] for job in data["jobs"])
    (sweep / "4/run.json").write_text("{")
    assert [job["status"] for job in report(kan_run).data["jobs"]].count("damaged") == 1


@pytest.mark.slow
def test_of_many_network_diagrams_the_extremes_are_embedded(kan_run, tmp_path, monkeypatch):
    done = kan_run("-m", "seed=range(4)", "figures=default", "hydra.sweep.dir=sweep")
    assert done.code == 0, done.err
    assert len(report(kan_run).attributes("src")) == 4
    monkeypatch.setattr("kancli.sweeps.representatives.MAX_SHOWN", 2)
    page = report(kan_run)
    assert len(page.attributes("src")) == 2
    assert sorted(url for url in page.attributes("href") if url.endswith("network.png")) == [
        f"./{number}/figures/network.png" for number in range(4)
    ]
    assert "2 of 4 combinations: the 1 of smallest and the 1 of largest output std" in page.text
    monkeypatch.setattr("kancli.sweeps.representatives.MAX_SHOWN", 16)
    (tmp_path / "sweep/0/figures/network.png").write_text("not a PNG")
    first, *_ = report(kan_run).data["jobs"]
    cause = "sweep/0: damaged: figures/network.png is not what the run wrote"
    assert (first["status"], first["cause"]) == ("damaged", cause)


@pytest.mark.slow
def test_report_imports_neither_torch_nor_matplotlib():
    code = "import sys, kancli.report.write; print(sorted({'torch', 'matplotlib', 'pyarrow'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
