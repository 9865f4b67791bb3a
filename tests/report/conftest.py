"""A sweep to report on, and a headless Chromium."""

import gc
import json
import os
import shutil
from pathlib import Path

import pytest

from kancli.cli.dispatch import main
from tests.report import chromium
from tests.runs.records import edit_record, reseal, write_plan

HOSTILE = "</script><b>bold</b><img src=x onerror=alert(1)>\"'&${title}{{ title }}{% if %}"
HOSTILE_KEY = "</script><b>"


@pytest.fixture(scope="session")
def shared_sweep(tmp_path_factory):
    """A sweep of 2 × 2 × 3 jobs with its page, which tests leave unchanged."""
    folder = tmp_path_factory.mktemp("shared") / "sweep"
    words = ["init=default,linear", "noise_scale=0.1,3", "seed=range(3)", f"hydra.sweep.dir={folder}"]
    assert main(["-m", *words, "sweep.workers=0"]) == 0
    assert main(["report", str(folder)]) == 0
    gc.enable()
    return folder


@pytest.fixture
def sweep(shared_sweep, tmp_path):
    """A copy of the shared sweep, without its page, that a test may change."""
    return Path(shutil.copytree(shared_sweep, tmp_path / "sweep", ignore=shutil.ignore_patterns("report.html")))


@pytest.fixture
def hostile_sweep(sweep):
    """A sweep in whose files every text that a user controls would break an unescaped page."""
    head, *jobs = map(json.loads, (sweep / "plan.jsonl").read_text().splitlines())
    head["swept"] = {HOSTILE_KEY: [HOSTILE, "b"], **head["swept"]}
    head["typed"] = head["options"] = head["notices"] = [HOSTILE]
    for number, job in enumerate(jobs):
        job["words"] = [f"{HOSTILE_KEY}={HOSTILE if number % 2 else 'b'}", *job["words"]]
    job = jobs[1]
    (sweep / "1").rename(sweep / "javascript:alert(1)")
    job["folder"] = "javascript:alert(1)"
    write_plan(sweep / "plan.jsonl", head, jobs)
    path = sweep / "javascript:alert(1)"
    record = json.loads((path / "run.json").read_text())
    record |= {"status": HOSTILE, "error": HOSTILE, "versions": {HOSTILE: HOSTILE}, "config": {HOSTILE: HOSTILE}}
    edit_record(path, **record)
    stats = json.loads((sweep / "2/stats.json").read_text())
    stats["verdicts"][5] |= {"name": HOSTILE, "verdict": "fail"}
    stats["verdicts"][6] |= {"verdict": HOSTILE}
    (sweep / "2/stats.json").write_text(json.dumps(stats))
    reseal(sweep / "2")
    shutil.copy(next(sweep.glob("figures/*.png")), sweep / "figures" / f"{HOSTILE.replace('/', '')}.png")
    return sweep


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    if chromium.find_program() is None:
        message = "no Chromium on this machine: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    chrome = chromium.Chromium(tmp_path_factory.mktemp("chromium"))
    yield chrome
    chrome.close()
