"""The page that kan-run report writes, in Chromium."""

import inspect
import time

import pytest

from kancli.report.page import render_page
from kancli.stats.options import statement
from kancli.sweeps.plan import read_plan
from kancli.sweeps.reader import RunsFolder
from kancli.sweeps.row import Row
from kancli.sweeps.table import read_rows
from tests.report import chromium
from tests.report.parser import Page, report


def column(browser, index):
    return browser.evaluate(
        f"[...document.querySelectorAll('.results tbody tr')].map(row => row.cells[{index}].innerText)"
    )


def count(browser):
    return browser.evaluate("document.querySelector('.count').textContent")


def wait_for(browser, expression):
    end = time.monotonic() + chromium.TIMEOUT
    while not browser.evaluate(expression):
        assert time.monotonic() < end, expression
        time.sleep(0.02)


@pytest.mark.slow
def test_table_sorts_and_filters(kan_run, browser, sweep):
    data = report(kan_run).data
    page = sweep / "report.html"
    browser.open(page)
    assert count(browser) == "4 of 4 combinations, averaged over seeds"
    browser.click("input[value=jobs]")
    assert column(browser, 0) == [str(number) for number in range(12)]
    assert browser.evaluate("location.hash") == "#view=jobs"
    stds = [job["values"][data["statistics"].index("layer1_output_std")] for job in data["jobs"]]
    order = sorted(range(12), key=stds.__getitem__)
    assert browser.evaluate("[...document.querySelectorAll('.results th')][6].innerText") == "layer1_output_std"
    browser.click("[data-sort=layer1_output_std]")
    assert column(browser, 0) == list(map(str, order))
    assert browser.evaluate("document.querySelectorAll('[aria-sort=ascending]').length") == 1
    browser.press("Enter", "\r")  # the header keeps the focus
    assert column(browser, 0) == list(map(str, order[::-1]))
    assert browser.evaluate("location.hash") == "#view=jobs&sort=layer1_output_std&order=descending"
    browser.press("Enter", "\r")
    assert column(browser, 0) == [str(number) for number in range(12)]
    browser.click("[type=search]")
    browser.call("Input.insertText", text="init=linear NOISE_scale=3 seed=1")
    wait_for(browser, "document.body.dataset.rows === '1'")
    assert column(browser, 0) == ["10"]
    assert count(browser) == "1 of 12 jobs with “init=linear NOISE_scale=3 seed=1”"
    assert browser.errors == []
    assert all(url.startswith(("file:", "data:", "about:")) for url in browser.requests)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fragment", "jobs"),
    [
        ("#view=jobs&sort=seed&order=descending", [2, 5, 8, 11, 1, 4, 7, 10, 0, 3, 6, 9]),
        ("#view=jobs&sort=init&filter=noise_scale%3D3", [3, 4, 5, 9, 10, 11]),
        ("#view=jobs&filter=noise_scale%3D0", []),  # key=value must match a whole value
        ("#view=jobs&filter=splines+inert+linear", [6, 7, 8]),
        ("#view=jobs&verdict=warn&filter=default", [0, 1, 2, 4, 5]),
        ("#view=jobs&verdict=not:spline_inert", [0, 1, 2, 6, 7, 8]),
        ("#view=jobs&status=failed", []),
        ("#view=jobs&sort=nothing&order=strange&columns=none", list(range(12))),
    ],
)
def test_address_restores_a_view(shared_sweep, browser, fragment, jobs):
    browser.open(shared_sweep / "report.html", fragment)
    assert column(browser, 0) == list(map(str, jobs))
    assert browser.evaluate("document.body.dataset.rows") == str(len(jobs))
    assert browser.errors == []


@pytest.mark.slow
def test_undecided_verdicts_are_shown_and_filtered(kan_run, browser):
    done = kan_run("-m", "noise_scale=0.3,1", "n_seeds=3", "seed=0,100", "hydra.sweep.dir=sweep")
    assert done.code == 0, done.err
    data = report(kan_run).data
    inert = data["judged"].index("spline_inert")
    assert [job["words"][inert] for job in data["jobs"]] == ["undecided", "undecided", "pass", "pass"]
    for fragment, jobs in {"undecided": [0, 1], "pass": [2, 3], "warn": [], "": [0, 1, 2, 3]}.items():
        browser.open(done.cwd / "sweep/report.html", f"#view=jobs&verdict={fragment}")
        assert column(browser, 0) == list(map(str, jobs))
    assert column(browser, 4) == ["? undecided: splines inert"] * 2 + ["✓ all pass"] * 2
    browser.open(done.cwd / "sweep/report.html", "#view=cells&sort=verdicts&order=descending")
    assert column(browser, 2) == ["? undecided: splines inert 2/2", "✓ all pass"]
    assert browser.errors == []


@pytest.mark.slow
def test_columns_can_be_chosen_and_commands_copied(shared_sweep, browser):
    data = Page(shared_sweep / "report.html").data
    browser.open(shared_sweep / "report.html", "#view=jobs&columns=all")
    headers = browser.evaluate("[...document.querySelectorAll('.results thead th')].map(header => header.innerText)")
    assert set(map(statement, data["statistics"])) < set(headers)
    assert "splines inert" in headers
    browser.open(shared_sweep / "report.html", "#view=jobs")
    browser.evaluate("document.querySelector('.columns').open = true")
    browser.click("input[value=linear][name=column]")
    headers = browser.evaluate("[...document.querySelectorAll('.results thead th')].map(header => header.innerText)")
    assert headers[6:-2] == [*map(statement, data["shown"]), "all edges linear"]
    index = data["statistics"].index("linear")
    assert column(browser, len(headers) - 3)[0] == f"✓ {data['jobs'][0]['values'][index]:.3g}"
    browser.evaluate("navigator.clipboard.writeText = text => { window.copied = text; return Promise.resolve(); }")
    browser.click(".results tbody [data-copy]")
    wait_for(browser, "window.copied !== undefined")
    assert browser.evaluate("window.copied") == data["jobs"][0]["replay"]


@pytest.mark.slow
def test_numbers_are_formatted_as_in_the_terminal(shared_sweep, browser):
    """The script formats numbers as Python's `.3g` does."""
    row = next(read_rows(read_plan(shared_sweep)))
    values = [0, -0.0, 1, -1.5, 999.4, 999.6, 1234.5, 0.0001, 0.00012345, 0.00009999, 1e-7, -3.14159e20, 100, 12.345]
    name = next(iter(row.statistics))
    rows = [
        Row(number, row.folder, row.status, row.cause, row.replay, row.keys, [], {name: value}, row.seconds)
        for number, value in enumerate(values)
    ]
    path = shared_sweep / "numbers.html"
    path.write_bytes(render_page(RunsFolder(shared_sweep, rows, [None] * len(rows), read_plan(shared_sweep).head)))
    browser.open(path, "#view=jobs&columns=all")
    assert column(browser, 6) == [f"{value + 0.0:.3g}" if value else "0" for value in values]


@pytest.mark.slow
def test_hostile_names_run_no_script(kan_run, browser, hostile_sweep):
    report(kan_run)
    for fragment in ("", "#view=jobs&columns=all", "#view=jobs&filter=%3C%2Fscript%3E%3Cb%3E&sort=%3Cb%3E"):
        browser.open(hostile_sweep / "report.html", fragment)
        assert browser.errors == []
        assert browser.evaluate("document.querySelectorAll('b, img[src=x]').length") == 0
        assert int(browser.evaluate("document.body.dataset.rows")) > 0


@pytest.mark.slow
def test_address_of_a_section_keeps_the_default_view(shared_sweep, browser):
    browser.open(shared_sweep / "report.html", "#verdicts")
    assert count(browser) == "4 of 4 combinations, averaged over seeds"
    assert browser.evaluate("location.hash") == "#verdicts"


@pytest.mark.slow
@pytest.mark.parametrize("width", [320, 390, 1280])
def test_page_fits_its_window(shared_sweep, browser, width):
    browser.size(width, 800)
    browser.open(shared_sweep / "report.html", "#view=jobs")
    assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.slow
def test_colours_follow_the_preferred_scheme(shared_sweep, browser, tmp_path):
    browser.open(shared_sweep / "report.html")
    backgrounds = {}
    for scheme in ("light", "dark"):
        browser.screenshot(tmp_path / f"{scheme}.png", prefers_color_scheme=scheme)
        backgrounds[scheme] = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    browser.call("Emulation.setEmulatedMedia", features=[])
    assert backgrounds == {"light": "rgb(255, 255, 255)", "dark": "rgb(17, 20, 24)"}


@pytest.mark.slow
def test_print_hides_controls_and_opens_folded_parts(shared_sweep, browser, tmp_path):
    browser.open(shared_sweep / "report.html", "#view=jobs")
    browser.call("Emulation.setEmulatedMedia", media="print", features=[])
    assert browser.evaluate("getComputedStyle(document.querySelector('.controls')).display") == "none"
    assert browser.evaluate("getComputedStyle(document.querySelector('.box')).overflow") == "visible"
    browser.call("Emulation.setEmulatedMedia", media="", features=[])
    folded = "document.querySelectorAll('details:not([open], .columns)').length"
    assert browser.evaluate(folded) > 0
    browser.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert browser.evaluate(folded) == 0
    browser.evaluate("dispatchEvent(new Event('afterprint'))")
    assert browser.evaluate(folded) > 0
    browser.pdf(tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.slow
def test_page_is_readable_without_scripts(shared_sweep, browser):
    page = shared_sweep / "report.html"
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.call("Page.navigate", url=page.as_uri() + "?plain")
        wait_for(browser, "document.readyState === 'complete' && location.search === '?plain'")
        assert browser.evaluate("document.querySelectorAll('.results tbody tr').length") == 4
        assert browser.evaluate("getComputedStyle(document.querySelector('.controls')).display") == "none"
        assert "2 × 2 × 3 = 12 jobs planned" in browser.evaluate("document.body.innerText")
        assert browser.evaluate("[...document.images].every(image => image.naturalWidth > 100)")
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


@pytest.mark.slow
def test_page_of_a_single_run_copies_its_command(kan_run, browser):
    done = kan_run("hydra.run.dir=run")
    report(kan_run, "run")
    browser.open(done.folder / "report.html")
    browser.evaluate("navigator.clipboard.writeText = text => { window.copied = text; return Promise.resolve(); }")
    browser.click("[data-copy]")
    wait_for(browser, "window.copied !== undefined")
    assert browser.evaluate("window.copied").startswith("kan-run")
    assert browser.errors == []


def changed(row, **changes):
    return Row(**{name: getattr(row, name) for name in inspect.signature(Row).parameters} | changes)


@pytest.fixture(scope="module")
def large_page(shared_sweep):
    """A page of 1000 jobs."""
    jobs = list(read_rows(read_plan(shared_sweep)))
    rows = [
        changed(jobs[number % 12], number=number, keys={**jobs[number % 12].keys, "seed": str(number // 12)})
        for number in range(1000)
    ]
    path = shared_sweep / "large.html"
    path.write_bytes(render_page(RunsFolder(shared_sweep, rows, [None] * 1000, read_plan(shared_sweep).head)))
    return path


@pytest.mark.slow
def test_a_thousand_jobs_load_quickly(large_page, browser):
    """On an idle machine they take half a second."""
    assert len(Page(large_page).data["jobs"]) == 1000
    assert large_page.stat().st_size < 2_500_000
    browser.open(large_page, "#view=jobs")
    assert browser.evaluate("document.querySelectorAll('.results tbody tr').length") == 1000
    assert int(browser.evaluate("document.body.dataset.complete")) < 10_000  # on a busy machine


@pytest.mark.slow
def test_print_renders_pending_rows(large_page, browser):
    browser.open(large_page, "#view=jobs")
    counts = browser.evaluate("""(() => {
        const count = () => document.querySelectorAll('.results tbody tr').length;
        document.querySelector('[data-sort=seed]').click();
        const before = count();
        dispatchEvent(new Event('beforeprint'));
        const printed = count();
        dispatchEvent(new Event('afterprint'));
        return [before, printed];
    })()""")
    assert counts == [150, 1000]
