"""Pages of damaged and hostile folders: what is damaged is named, and no text of a record becomes markup."""

import pytest

from tests.report.conftest import HOSTILE, HOSTILE_KEY
from tests.report.parser import report
from tests.runs.records import reseal


def test_hostile_names_are_escaped(kan_run, hostile_sweep):
    page = report(kan_run)
    assert [attributes.get("type") for name, attributes in page.elements if name == "script"] == [
        "application/json",
        "module",
    ]
    assert "b" not in {name for name, _ in page.elements}
    assert all(url.startswith(("#", "./")) for url in page.attributes("href"))
    assert all(source.startswith("data:image/png;base64,") for source in page.attributes("src"))
    data = page.data
    assert data["keys"][0] == HOSTILE_KEY
    assert [job["keys"][0] for job in data["jobs"][:2]] == ["b", HOSTILE]
    assert (data["jobs"][1]["status"], data["jobs"][1]["cause"]) == (HOSTILE, HOSTILE)
    assert data["jobs"][1]["link"] == "./javascript%3Aalert%281%29/"
    assert HOSTILE in data["judged"]
    assert page.text.count(HOSTILE) > 5


DAMAGE = {
    "plan.jsonl": ["", "\x00", "{}", '{"schema": 1, "jobs": 0}', "head", "job"],
    "figures/sweep.png": ["", "not a PNG"],
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in DAMAGE.items() for text in texts])
def test_damaged_file_of_a_sweep_is_named(kan_run, name, text, sweep):
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
def test_damaged_stats_of_a_run_are_named(kan_run, kan_run_once, text):
    done = kan_run_once("hydra.run.dir=run")
    path = done.folder / "stats.json"
    path.unlink()
    if text is not None:
        path.write_text(text)
        reseal(done.folder)
    done = kan_run("report", "run")
    assert done.code == 2
    assert ("run/stats.json" if text is not None else "run: damaged: stats.json is missing") in done.err
    assert len(done.err.splitlines()) == 1
    assert not (done.cwd / "run/report.html").exists()


def test_mistakes_exit_with_a_message(kan_run, tmp_path):
    for words in ([], ["a", "b"]):
        assert "name the folder of a sweep or of a run" in kan_run("report", *words).err
    assert "nowhere: no such folder" in kan_run("report", "nowhere").err
    (tmp_path / "empty").mkdir()
    done = kan_run("report", "empty")
    assert (done.code, done.err) == (2, "kan-run: empty: holds no runs\n")
    kan_run("hydra.run.dir=run")
    (tmp_path / "run/report.html").mkdir()
    done = kan_run("report", "run")
    assert (done.code, "run/report.html: there already" in done.err) == (2, True)
    done = kan_run("report", "run", "--overwrite")
    assert (done.code, done.err) == (2, "kan-run: run/report.html: cannot be written: Is a directory\n")
