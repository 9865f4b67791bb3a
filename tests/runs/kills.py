"""Kill kan-run with SIGKILL at random moments, and check what it leaves: `python -m tests.runs.kills 80 [SEED NAME]`.

After each kill no worker is left, every file is whole, and no run that is not complete says that it is. The work done
again then gives the same bits as work that was never interrupted, and no temporary file is left. The processes are
forked after torch is loaded, so that the moments fall into their work.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from safetensors.torch import load_file

import kancli.figures.network
import kancli.runs.experiment
import kancli.sweeps.results  # noqa: F401 - with all that a run needs
from kancli.cli import main
from kancli.errors import SIGNALLED
from kancli.sweeps.plan import read_plan
from tests.runs.interrupted import interrupted_after
from tests.runs.kill_scenarios import SCENARIOS, Scenario

MARK = "KANCLI_TEST_KILL"  # environment variable by which the workers of a killed process are found
SECONDS_TO_END = 60  # for workers whose parent was killed, on a busy machine
BITS = (
    "params.safetensors", "activations.safetensors", "stats.json", "layers.csv", "edges.csv", "members.csv",
    "trained.safetensors", "fit.safetensors", "training.csv", "ranking.csv", "ranking.json",
)  # fmt: skip
TIMES = ("started", "seconds", "argv", "total", "folder")  # columns and keys that no two executions share


def start(folder: Path, argv: Sequence[str], mark: str = "", *, interrupted: bool = False) -> int:
    """Start a command in a folder, with a SIGINT in its training if wanted; return the number of its process."""
    if pid := os.fork():
        return pid
    code = 1
    try:
        main_module: Any = sys.modules["__main__"]
        main_module.__spec__, main_module.__file__ = None, None  # or workers would load this module and torch first
        os.environ[MARK] = mark
        os.chdir(folder)
        output = os.open("output.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(output, 1)
        os.dup2(output, 2)
        with interrupted_after(20) if interrupted else contextlib.nullcontext():
            code = main(argv)
    finally:
        os._exit(code)


def execute(folder: Path, argv: Sequence[str], *, interrupted: bool = False) -> None:
    """Run a command to its end, or interrupt it in its training."""
    status = os.waitpid(start(folder, argv, interrupted=interrupted), 0)[1]
    output = folder / "output.txt"
    wanted = signal.SIGINT + SIGNALLED if interrupted else 0
    assert os.waitstatus_to_exitcode(status) == wanted, (argv, status, output.read_text()[-2000:])
    output.unlink()


class Killer:
    """One scenario, with the results of an undisturbed execution."""

    def __init__(self, scenario: Scenario, top: Path) -> None:
        self.scenario, self.top = scenario, top
        self.start, self.whole = top / "start", top / "whole"
        self.start.mkdir(parents=True)
        for argv in scenario.before:
            execute(self.start, argv)
        if scenario.interrupted:
            execute(self.start, scenario.interrupted, interrupted=True)
        shutil.copytree(self.start, self.whole)
        begun = time.monotonic()
        execute(self.whole, scenario.command)
        self.seconds = time.monotonic() - begun

    def kill(self, moment: float) -> str:
        """Kill the command after a share of its time, check what is left, and finish the work.

        Returns:
            What the kill met: "ended" before it, "nothing" on disk, "unfinished" or "complete".
        """
        folder = Path(shutil.copytree(self.start, self.top / "killed"))
        try:
            was_running = _kill(folder, self.scenario.command, moment * self.seconds)
            statuses = check_files(folder)
            met = "ended" if not was_running else self._progress(folder, statuses)
            execute(folder, self._words_after(folder))
            self._compare(folder)
        except AssertionError:
            print(f"kept: {folder}", file=sys.stderr)
            raise
        shutil.rmtree(folder)
        return met

    def _progress(self, folder: Path, statuses: Counter[str]) -> str:
        if sorted(folder.rglob("*")) == [
            folder / path.relative_to(self.start) for path in sorted(self.start.rglob("*"))
        ]:
            return "nothing"
        return "unfinished" if statuses["running"] or (folder / "sweep").exists() else "complete"

    def _words_after(self, folder: Path) -> Sequence[str]:
        command = self.scenario.command
        if command[0] == "-m" and (folder / "sweep/plan.jsonl").exists():
            return ["resume", "sweep"]
        record = folder / "run/run.json"
        if "train.save_s=0.01" in (*command, *self.scenario.interrupted) and record.exists():
            status = json.loads(record.read_text())["status"]
            return ["ls", "."] if status == "complete" else ["resume", "run"]
        return [*command, "overwrite=true"] if "hydra.run.dir=run" in command else command

    def _compare(self, folder: Path) -> None:
        """Check that the results are those of the undisturbed execution."""
        hidden = [path for path in folder.rglob(".*") if path.name != ".hydra"]
        assert not hidden, hidden
        for name in self.scenario.results:
            mine, whole = folder / name, self.whole / name
            if whole.is_file():
                assert comparable(mine) == comparable(whole), name
                continue
            assert names_below(mine) == names_below(whole), name
            for path in whole.rglob("*"):
                if path.name in (*BITS, "sweep.csv", "plan.jsonl") or path.suffix == ".png":
                    assert comparable(mine / path.relative_to(whole)) == comparable(path), path
            check_statuses_complete(mine)


def _kill(folder: Path, argv: Sequence[str], seconds: float) -> bool:
    """Start a command, kill it after a time, and wait for the end of its workers; return whether it was running."""
    mark = f"{folder}-{time.monotonic_ns()}"
    pid, end = start(folder, argv, mark), time.monotonic() + seconds
    while was_running := os.waitpid(pid, os.WNOHANG)[0] == 0:
        if time.monotonic() >= end:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            break
        time.sleep(0.001)
    (folder / "output.txt").unlink(missing_ok=True)  # killed before it was made
    deadline = time.monotonic() + SECONDS_TO_END
    while left := marked_processes(mark):
        assert time.monotonic() < deadline, f"processes left: {left}"
        time.sleep(0.05)
    return was_running


def marked_processes(mark: str) -> list[int]:
    """The processes that have a mark in their environment, by number."""
    needle, found = f"{MARK}={mark}".encode(), []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if needle in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
        except OSError:  # it has ended
            continue
    return found


def check_files(folder: Path) -> Counter[str]:
    """Check that each file of a folder is whole; return how many runs have each status."""
    for path in folder.rglob("*.safetensors"):
        if not is_staged(path, folder):
            load_file(path)
    for path in folder.rglob("*.json"):
        if not is_staged(path, folder):
            json.loads(path.read_text())
    if (folder / "sweep/plan.jsonl").exists():
        read_plan(folder / "sweep")
    return Counter(check_record(path) for path in folder.rglob("run.json") if not is_staged(path, folder))


def is_staged(path: Path, top: Path) -> bool:
    """Whether a file lies in a hidden folder, where it is not read."""
    return any(part.startswith(".") and part != ".hydra" for part in path.relative_to(top).parts)


def check_record(path: Path) -> str:
    """The status of a run. Check that one which is complete has all its files."""
    record = msgspec.json.decode(path.read_bytes())
    if record["status"] == "complete":
        for name, digest in record["sha256"]["files"].items():
            assert hashlib.sha256((path.parent / name).read_bytes()).hexdigest() == digest, name
    return record["status"]


def check_statuses_complete(folder: Path) -> None:
    """Check that all runs of a folder are complete, with the bits that they recorded."""
    statuses = check_files(folder)
    assert set(statuses) <= {"complete"}, statuses


def names_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def comparable(path: Path) -> object:
    """The content of a file, without what depends on the time and the place."""
    if path.name == "plan.jsonl":
        return read_plan(path.parent).jobs
    if path.name == "stats.json":
        content = json.loads(path.read_text())
        content.get("training", {}).pop("seconds", None)
        return content
    if path.name in ("sweep.csv", "training.csv"):
        header, *rows = [line.split(",") for line in path.read_text().splitlines()]
        kept = [column for column, name in enumerate(header) if not name.startswith(TIMES)]
        return [[row[column] for column in kept] for row in (header, *rows)]
    if path.suffix == ".html":
        return path.stat().st_size > 0
    return path.read_bytes()


def kill_all(count: int, seed: int, names: Sequence[str]) -> None:
    """Kill each of the named scenarios in turn, and print a table."""
    moments = random.Random(seed)
    with tempfile.TemporaryDirectory() as top:
        killers = {name: Killer(SCENARIOS[name], Path(top) / str(number)) for number, name in enumerate(names)}
        met = {name: Counter[str]() for name in killers}
        for number in range(count):
            name = names[number % len(names)]
            met[name][killers[name].kill(moments.uniform(0, 0.9))] += 1
            print(f"{number + 1} {name}: {dict(met[name])}", file=sys.stderr, flush=True)
    print("| killed | kills | nothing on disk | unfinished | complete | ended before |")
    print("|---|---|---|---|---|---|")
    for name, counts in met.items():
        parts = [counts[kind] for kind in ("nothing", "unfinished", "complete", "ended")]
        print(f"| {name} | {sum(parts)} | {' | '.join(map(str, parts))} |")


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:3]]
    kill_all(numbers[0], numbers[1] if len(numbers) > 1 else 0, sys.argv[3:] or list(SCENARIOS))
