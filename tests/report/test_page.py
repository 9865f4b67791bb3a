"""The page that kan-run report makes, read as a program reads HTML; and in Chromium, as a person does."""

import base64
import dataclasses
import gc
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest

from kancli.cli.dispatch import main
from kancli.report.data import data_of
from kancli.report.elements import bar, link, tag
from kancli.report.page import document
from kancli.sweeps.plan import read
from kancli.sweeps.reader import RunsFolder
from kancli.sweeps.table import rows_of
from tests.report import chromium

NASTY = "</script><b>bold</b><img src=x onerror=alert(1)>\"'&${title}"
NASTY_KEY = "</script><b>"


class Page(HTMLParser):
    """What a page holds: its elements with their attributes, its text, its data."""

    def __init__(self, path):
        super().__init__()
        self.source = Path(path).read_text(encoding="utf-8")
        self.elements = []
        self.words = []
        self.raw = {}  # what scripts and styles hold
        self._open = []
        self.feed(self.source)
        assert not self._open  # every element is closed

    def handle_starttag(self, name, attrs):
        self.elements.append((name, dict(attrs)))
        if name not in ("meta", "img", "rect"):
            self._open.append(name)

    def handle_endtag(self, name):
        assert self._open.pop() == name

    def handle_data(self, text):
        if self._open and self._open[-1] in ("script", "style"):
            kind = self.elements[-1][1].get("type", self._open[-1])
            self.raw[kind] = self.raw.get(kind, "") + text
        else:
            self.words.append(text)

    def attributes(self, name, *tags):
        return [attributes[name] for each, attributes in self.elements if name in attributes and each in (tags or each)]

    @property
    def data(self):
        return json.loads(self.raw["application/json"])

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def shared_sweep(tmp_path_factory):
    """A sweep with its page, which tests leave as it is."""
    folder = tmp_path_factory.mktemp("shared") / "sweep"
    words = ["init=default,linear", "noise_scale=0.1,3", "seed=range(3)", f"hydra.sweep.dir={folder}"]
    assert main(["-m", *words, "sweep.workers=0"]) == 0
    assert main(["report", str(folder)]) == 0
    gc.enable()
    return folder


@pytest.fixture
def sweep(shared_sweep, tmp_path):
    """One that a test may harm."""
    return Path(shutil.copytree(shared_sweep, tmp_path / "sweep", ignore=shutil.ignore_patterns("report.html")))


def report(kan_run, folder="sweep"):
    done = kan_run("report", str(folder))
    assert done.code == 0, done.err
    path = done.cwd / done.out.splitlines()[-1]
    assert path == done.cwd / folder / "report.html"
    return Page(path)


def test_the_page_tells_what_the_jobs_found(kan_run, sweep):
    page = report(kan_run)
    data = page.data
    assert data["keys"] == ["init", "noise_scale", "seed"]
    assert data["fixed"] == ["init", "noise_scale"]
    assert len(data["jobs"]) == 12
    for job, planned in zip(data["jobs"], read(sweep).jobs, strict=True):
        stats = json.loads((sweep / str(job["job"]) / "stats.json").read_text())
        values = dict(zip(data["statistics"], job["values"], strict=True))
        assert values["layer1_output_std"] == stats["layers"][1]["output"]["std"]
        assert values["propagation_signal"] == stats["propagation"]["signal"]
        words = dict(zip(data["judged"], job["words"], strict=True))
        for each in stats["verdicts"]:
            assert (values[each["name"]], words[each["name"]]) == (each["value"], each["verdict"])
        assert [f"{key}={value}" for key, value in zip(data["keys"], job["keys"], strict=True)] == planned.words[:3]
        assert (job["status"], job["link"], job["cause"]) == ("complete", f"./{job['job']}/", None)
        assert job["seconds"] == json.loads((sweep / str(job["job"]) / "run.json").read_text())["seconds"]["total"]
    summary = json.loads((sweep / "summary.json").read_text())
    assert len(data["cells"]) == 4
    for cell, told in zip(data["cells"], summary["cells"], strict=True):
        assert dict(zip(data["fixed"], cell["keys"], strict=True)) == told["keys"]
        assert (cell["jobs"], cell["complete"]) == (told["jobs"], 3)
        for name, values in zip(data["statistics"], cell["values"], strict=True):
            assert dict(zip(("mean", "sd", "low", "high", "n"), values, strict=True)) == told["statistics"][name]
    inert = data["judged"].index("spline_inert")
    assert [cell["words"][inert] for cell in data["cells"]] == [[0, 3, 0], [0, 0, 3]] * 2
    assert data["shown"][:2] == ["layer1_output_std", "propagation_signal"]
    assert "spline_inert" in data["shown"]
    for said in (
        "2 × 2 × 3 = 12 jobs planned",
        "✓ 12 complete",
        "init=default",
        "! 6 warn",
        "The same in all 12 jobs",
        "least share of the branches' variance that is the splines'",
        "kan-run -m init=default,linear",
    ):
        assert said in page.text
    assert "Failures" not in page.text
    assert f"{summary['effects']['init']['layer1_output_std']['share']:.0%}".replace("%", " %") in page.text


def test_it_needs_nothing_but_itself(kan_run, sweep):
    page = report(kan_run)
    assert page.attributes("src")
    assert all(each.startswith("data:image/png;base64,") for each in page.attributes("src"))
    assert not {name for name, _ in page.elements} & {"link", "iframe", "object", "embed", "base", "form"}
    assert all(each.startswith(("#", "./")) for each in page.attributes("href"))
    assert not [attributes for _, attributes in page.elements if any(name.startswith("on") for name in attributes)]
    shown = page.source.replace(page.raw["application/json"], "")
    assert "http://" not in shown
    assert "https://" not in shown
    assert "url(" not in page.raw["style"]
    (policy,) = (attributes["content"] for _, attributes in page.elements if "http-equiv" in attributes)
    for kind in ("script", "style"):
        digest = base64.b64encode(hashlib.sha256(page.raw[kind].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; img-src data:;")


def test_the_same_folder_gives_the_same_bytes(kan_run, tmp_path, monkeypatch, sweep):
    first = report(kan_run).source
    assert report(kan_run).source == first  # the page itself is no part of what it tells
    (tmp_path / "elsewhere").mkdir()
    sweep.rename(tmp_path / "elsewhere/sweep")
    monkeypatch.chdir(tmp_path / "elsewhere/sweep")
    assert kan_run("report", ".").code == 0
    assert Path("report.html").read_text() == first


@pytest.fixture
def nasty_sweep(sweep):
    """A sweep in whose files everything that can be a text is one that would break a page."""
    head, *jobs = map(json.loads, (sweep / "plan.jsonl").read_text().splitlines())
    head["swept"] = {NASTY_KEY: [NASTY, "b"], **head["swept"]}
    head["typed"] = head["options"] = head["notices"] = [NASTY]
    for number, job in enumerate(jobs):
        job["words"] = [f"{NASTY_KEY}={NASTY if number % 2 else 'b'}", *job["words"]]
    job = jobs[1]
    (sweep / "1").rename(sweep / "javascript:alert(1)")
    job["folder"] = "javascript:alert(1)"
    (sweep / "plan.jsonl").write_text("\n".join(map(json.dumps, [head, *jobs])) + "\n")
    path = sweep / "javascript:alert(1)"
    record = json.loads((path / "run.json").read_text())
    record |= {"status": NASTY, "error": NASTY, "versions": {NASTY: NASTY}, "config": {NASTY: NASTY}}
    (path / "run.json").write_text(json.dumps(record))
    stats = json.loads((sweep / "2/stats.json").read_text())
    stats["verdicts"][5] |= {"name": NASTY, "verdict": "fail"}
    stats["verdicts"][6] |= {"verdict": NASTY}
    (sweep / "2/stats.json").write_text(json.dumps(stats))
    shutil.copy(next(sweep.glob("figures/*.png")), sweep / "figures" / f"{NASTY.replace('/', '')}.png")
    return sweep


def test_nothing_in_the_data_becomes_markup(kan_run, nasty_sweep):
    page = report(kan_run)
    assert [attributes.get("type") for name, attributes in page.elements if name == "script"] == [
        "application/json",
        None,
    ]
    assert "b" not in {name for name, _ in page.elements}
    assert all(each.startswith(("#", "./")) for each in page.attributes("href"))
    assert all(each.startswith("data:image/png;base64,") for each in page.attributes("src"))
    data = page.data
    assert data["keys"][0] == NASTY_KEY
    assert [job["keys"][0] for job in data["jobs"][:2]] == ["b", NASTY]
    assert (data["jobs"][1]["status"], data["jobs"][1]["cause"]) == (NASTY, NASTY)
    assert data["jobs"][1]["link"] == "./javascript%3Aalert%281%29/"
    assert NASTY in data["judged"]
    assert page.text.count(NASTY) > 5


def test_an_element_escapes_what_it_is_given():
    assert tag("a", "<b>", href='"&') == '<a href="&quot;&amp;">&lt;b&gt;</a>'
    assert tag("p", tag("i", "x"), "<", class_="y", hidden=True, title=None) == '<p class="y" hidden><i>x</i>&lt;</p>'
    assert link("a b/ü?#%") == "./a%20b/%C3%BC%3F%23%25"
    assert [bar(share).split('"')[-4] for share in (-1, 0.5, 2)] == ["0.0", "50.0", "100.0"]


@pytest.mark.slow
def test_failures_are_told_with_their_causes(kan_run):
    done = kan_run("-m", "noise_scale=1e41,0.1,0.3", "hydra.sweep.dir=sweep")
    assert done.code == 6
    shutil.rmtree(done.cwd / "sweep/2")
    (done.cwd / "sweep/1/stats.json").write_text("{}")
    page = report(kan_run)
    first, second, third = page.data["jobs"]
    assert [each["status"] for each in page.data["jobs"]] == ["failed", "complete", "missing"]
    assert "not finite" in first["cause"]
    assert first["cause"] in page.text
    assert first["replay"].startswith("kan-run noise_scale=1e+41 ")
    assert first["replay"] in page.attributes("data-copy", "button")
    assert "stats.json: damaged: KeyError: 'verdicts'" in second["cause"]
    assert second["cause"] in page.text
    assert (third["cause"], set(third["values"])) == (None, {None})
    for said in (
        "✗ 1 failed",
        "1 job left no record: 2",
        "kan-run resume sweep",
        "kan-run resume sweep --only failed",
    ):
        assert said in page.text


def test_where_jobs_differ_in_their_surroundings(kan_run, sweep):
    for number, torch, threads in ((3, "1.0", 1), (7, "1.0", 64)):
        record = json.loads((sweep / f"{number}/run.json").read_text())
        record["versions"]["torch"] = torch
        record["threads"] = threads
        (sweep / f"{number}/run.json").write_text(json.dumps(record))
    text = report(kan_run).text
    assert "Not the same in all jobs." in text
    assert "1.0: jobs 3, 7" in text
    assert "64: job 7" in text


@pytest.mark.slow
def test_the_page_of_one_run(kan_run):
    done = kan_run("init=linear", "noise_scale=0.5", "hydra.run.dir=run", "n_seeds=3")
    assert done.code == 0, done.err
    page = report(kan_run, "run")
    stats = done.json("stats.json")
    values = dict(zip(page.data["statistics"], page.data["jobs"][0]["values"], strict=True))
    assert values["layer0_coef_std"] == stats["layers"][0]["coef"]["std"]["mean"]
    (rough,) = (each for each in stats["verdicts"] if each["name"] == "rough")
    assert f"{rough['value']:.3g} [{rough['low']:.3g}, {rough['high']:.3g}]" in page.text
    assert f"{stats['layers'][1]['output']['std']['mean']:.3g}" in page.text
    assert base64.b64encode((done.folder / "figures/network.png").read_bytes()).decode() in page.source
    assert "kan-run init=linear noise_scale=0.5 n_seeds=3" in page.text
    assert "as recorded" in page.text
    assert kan_run("noise_scale=1e41", "hydra.run.dir=failed").code == 3
    assert "not finite" in report(kan_run, "failed").text


def test_runs_without_a_plan(kan_run, sweep):
    data = report(kan_run).data
    (sweep / "plan.jsonl").unlink()
    page = report(kan_run)
    assert "12 runs without a plan" in page.text
    assert page.data["keys"] == data["keys"]
    assert sorted(job["values"] for job in page.data["jobs"]) == sorted(job["values"] for job in data["jobs"])
    (sweep / "4/run.json").write_text("{")
    assert [job["status"] for job in report(kan_run).data["jobs"]].count("damaged") == 1


@pytest.mark.slow
def test_only_the_first_diagrams_are_shown(kan_run, tmp_path, monkeypatch):
    done = kan_run("-m", "seed=range(4)", "figures=default", "hydra.sweep.dir=sweep")
    assert done.code == 0, done.err
    assert len(report(kan_run).attributes("src")) == 4
    monkeypatch.setattr("kancli.report.images.MAX_JOBS", 2)
    page = report(kan_run)
    assert len(page.attributes("src")) == 2
    assert [each for each in page.attributes("href") if each.endswith("network.png")] == [
        f"./{number}/figures/network.png" for number in range(4)
    ]
    (tmp_path / "sweep/0/figures/network.png").write_text("no picture")
    assert "0/figures/network.png: damaged: no PNG; left out" in kan_run("report", "sweep").err


HARMS = {
    "plan.jsonl": ["", "\x00", "{}", '{"schema": 1, "jobs": 0}', "head", "job"],
    "figures/sweep.png": ["", "no picture"],
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in HARMS.items() for text in texts])
def test_damaged_sweeps_are_named(kan_run, name, text, sweep):
    path = sweep / name
    lines = path.read_text().splitlines() if name == "plan.jsonl" else []
    if text == "head":
        text = "\n".join([lines[0].replace('"swept": {', '"swept": {"k": 3, '), *lines[1:]])
    elif text == "job":
        text = "\n".join([*lines[:-1], lines[-1].replace('"words": [', '"words": [3, ')])
    path.write_text(text)
    done = kan_run("report", "sweep")
    assert done.code == 2
    assert name in done.err
    assert len(done.err.splitlines()) == 1
    assert not (sweep / "report.html").exists()


@pytest.mark.parametrize("text", [None, "{", "[]", "{}", '{"verdicts": 3}', '{"verdicts": [], "layers": [{}]}',
                                  '{"verdicts": [{"name": "rough", "verdict": "pass", "value": "<b>"}]}'])  # fmt: skip
def test_damaged_runs_are_named(kan_run, kan_run_once, text):
    done = kan_run_once("hydra.run.dir=run")
    path = done.folder / "stats.json"
    path.unlink()
    if text is not None:
        path.write_text(text)
    done = kan_run("report", "run")
    assert done.code == 2
    assert "run/stats.json" in done.err
    assert len(done.err.splitlines()) == 1
    assert not (done.cwd / "run/report.html").exists()


def test_mistakes(kan_run, tmp_path):
    for words in ([], ["a", "b"]):
        assert "name the folder of a sweep or of a run" in kan_run("report", *words).err
    assert "nowhere: no such folder" in kan_run("report", "nowhere").err
    (tmp_path / "empty").mkdir()
    done = kan_run("report", "empty")
    assert (done.code, done.err) == (2, "kan-run: empty: holds no runs\n")
    kan_run("hydra.run.dir=run")
    (tmp_path / "run/report.html").mkdir()
    done = kan_run("report", "run")
    assert (done.code, done.err) == (2, "kan-run: run/report.html: cannot be written: Is a directory\n")


@pytest.mark.slow
def test_it_loads_no_torch():
    code = "import sys, kancli.report.write; print(sorted({'torch', 'matplotlib', 'pyarrow'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


# ---- in Chromium ----


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if chromium.program() is None:
        told = "no Chromium on this machine: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(told)
        pytest.skip(told)
    opened = chromium.Chromium(tmp_path_factory.mktemp("chromium"))
    yield opened
    opened.close()


def column(browser, at):
    return browser.run(f"[...document.querySelectorAll('.results tbody tr')].map(row => row.cells[{at}].innerText)")


def count(browser):
    return browser.run("document.querySelector('.count').textContent")


def wait_for(browser, expression):
    end = time.monotonic() + chromium.PATIENCE
    while not browser.run(expression):
        assert time.monotonic() < end, expression
        time.sleep(0.02)


@pytest.mark.slow
def test_the_table_is_sorted_and_filtered(kan_run, browser, sweep):
    data = report(kan_run).data
    page = sweep / "report.html"
    browser.open(page)
    assert count(browser) == "4 of 4 combinations, seeds taken together"
    browser.click("input[value=jobs]")
    assert column(browser, 0) == [str(number) for number in range(12)]
    assert browser.run("location.hash") == "#view=jobs"
    stds = [job["values"][data["statistics"].index("layer1_output_std")] for job in data["jobs"]]
    order = sorted(range(12), key=stds.__getitem__)
    assert browser.run("[...document.querySelectorAll('.results th')][6].innerText") == "layer1_output_std"
    browser.click("[data-sort=layer1_output_std]")
    assert column(browser, 0) == list(map(str, order))
    assert browser.run("document.querySelectorAll('[aria-sort=ascending]').length") == 1
    browser.press("Enter", "\r")  # the header keeps the focus
    assert column(browser, 0) == list(map(str, order[::-1]))
    assert browser.run("location.hash") == "#view=jobs&sort=layer1_output_std&order=descending"
    browser.press("Enter", "\r")
    assert column(browser, 0) == [str(number) for number in range(12)]
    browser.click("[type=search]")
    browser.call("Input.insertText", text="init=linear NOISE_scale=3 seed=1")
    wait_for(browser, "document.body.dataset.rows === '1'")
    assert column(browser, 0) == ["10"]
    assert count(browser) == "1 of 12 jobs with “init=linear NOISE_scale=3 seed=1”"
    assert browser.told == []
    assert all(address.startswith(("file:", "data:", "about:")) for address in browser.asked)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fragment", "jobs"),
    [
        ("#view=jobs&sort=seed&order=descending", [2, 5, 8, 11, 1, 4, 7, 10, 0, 3, 6, 9]),
        ("#view=jobs&sort=init&filter=noise_scale%3D3", [3, 4, 5, 9, 10, 11]),
        ("#view=jobs&filter=noise_scale%3D0", []),  # a whole value or nothing
        ("#view=jobs&filter=spline_inert+linear", [6, 7, 8]),
        ("#view=jobs&verdict=warn&filter=default", [0, 1, 2, 4, 5]),
        ("#view=jobs&verdict=not:spline_inert", [0, 1, 2, 6, 7, 8]),
        ("#view=jobs&status=failed", []),
        ("#view=jobs&sort=nothing&order=strange&columns=none", list(range(12))),
    ],
)
def test_a_view_has_an_address(shared_sweep, browser, fragment, jobs):
    browser.open(shared_sweep / "report.html", fragment)
    assert column(browser, 0) == list(map(str, jobs))
    assert browser.run("document.body.dataset.rows") == str(len(jobs))
    assert browser.told == []


@pytest.mark.slow
def test_columns_are_chosen_and_commands_copied(shared_sweep, browser):
    data = Page(shared_sweep / "report.html").data
    browser.open(shared_sweep / "report.html", "#view=jobs&columns=all")
    heads = browser.run("[...document.querySelectorAll('.results thead th')].map(each => each.innerText)")
    assert set(data["statistics"]) < set(heads)
    browser.open(shared_sweep / "report.html", "#view=jobs")
    browser.run("document.querySelector('.columns').open = true")
    browser.click("input[value=linear][name=column]")
    heads = browser.run("[...document.querySelectorAll('.results thead th')].map(each => each.innerText)")
    assert heads[6:-2] == [*data["shown"], "linear"]
    at = data["statistics"].index("linear")
    assert column(browser, len(heads) - 3)[0] == f"✓ {data['jobs'][0]['values'][at]:.3g}"
    browser.run("navigator.clipboard.writeText = text => { window.copied = text; return Promise.resolve(); }")
    browser.click(".results tbody [data-copy]")
    wait_for(browser, "window.copied !== undefined")
    assert browser.run("window.copied") == data["jobs"][0]["replay"]


@pytest.mark.slow
def test_numbers_look_as_those_of_kan_run(shared_sweep, browser):
    """The script's own formatting is Python's `.3g`."""
    rows = list(rows_of(read(shared_sweep)))
    values = [0, -0.0, 1, -1.5, 999.4, 999.6, 1234.5, 0.0001, 0.00012345, 0.00009999, 1e-7, -3.14159e20, 100, 12.345]
    name = next(iter(rows[0].statistics))
    made = [
        dataclasses.replace(rows[0], number=at, statistics={name: value}, verdicts=())
        for at, value in enumerate(values)
    ]
    path = shared_sweep / "numbers.html"
    path.write_bytes(document(RunsFolder(shared_sweep, made, [{}] * len(made), read(shared_sweep).head)))
    browser.open(path, "#view=jobs&columns=all")
    assert column(browser, 6) == [f"{value + 0.0:.3g}" if value else "0" for value in values]


@pytest.mark.slow
def test_nothing_in_the_data_is_run(kan_run, browser, nasty_sweep):
    report(kan_run)
    for fragment in ("", "#view=jobs&columns=all", "#view=jobs&filter=%3C%2Fscript%3E%3Cb%3E&sort=%3Cb%3E"):
        browser.open(nasty_sweep / "report.html", fragment)
        assert browser.told == []
        assert browser.run("document.querySelectorAll('b, img[src=x]').length") == 0
        assert int(browser.run("document.body.dataset.rows")) > 0


@pytest.mark.slow
def test_it_is_read_on_a_phone_in_the_dark_on_paper_and_without_scripts(kan_run, browser, tmp_path, sweep):
    report(kan_run)
    page = sweep / "report.html"
    for width in (320, 390, 1280):
        browser.size(width, 800)
        browser.open(page, "#view=jobs")
        assert browser.run("document.documentElement.scrollWidth <= innerWidth")
    papers = {}
    for scheme in ("light", "dark"):
        browser.screenshot(tmp_path / f"{scheme}.png", prefers_color_scheme=scheme)
        papers[scheme] = browser.run("getComputedStyle(document.body).backgroundColor")
    assert papers == {"light": "rgb(255, 255, 255)", "dark": "rgb(17, 20, 24)"}
    browser.call("Emulation.setEmulatedMedia", media="print", features=[])
    assert browser.run("getComputedStyle(document.querySelector('.controls')).display") == "none"
    assert browser.run("getComputedStyle(document.querySelector('.box')).overflow") == "visible"
    browser.call("Emulation.setEmulatedMedia", media="", features=[])
    browser.pdf(tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.call("Page.navigate", url=page.as_uri() + "?plain")
        wait_for(browser, "document.readyState === 'complete' && location.search === '?plain'")
        assert browser.run("document.querySelectorAll('.results tbody tr').length") == 4
        assert "2 × 2 × 3 = 12 jobs planned" in browser.run("document.body.innerText")
        assert browser.run("[...document.images].every(each => each.naturalWidth > 100)")
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


@pytest.mark.slow
def test_a_thousand_jobs_are_shown_soon(shared_sweep, browser):
    """On a machine at rest they are all there in half a second."""
    rows = list(rows_of(read(shared_sweep)))
    many = [dataclasses.replace(rows[at % 12], number=at, keys={**rows[at % 12].keys, "seed": str(at // 12)})
            for at in range(1000)]  # fmt: skip
    path = shared_sweep / "many.html"
    path.write_bytes(document(RunsFolder(shared_sweep, many, [{}] * 1000, read(shared_sweep).head)))
    assert len(data_of(many)["jobs"]) == 1000
    assert path.stat().st_size < 2_500_000
    browser.open(path, "#view=jobs")
    assert browser.run("document.querySelectorAll('.results tbody tr').length") == 1000
    assert int(browser.run("document.body.dataset.whole")) < 10_000  # whatever else this machine does
