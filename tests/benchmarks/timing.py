"""Wall times of two things, measured in turn so that a busy machine slows both, and the table of them."""

import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
INSTALLED = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": ""}  # this checkout, with bytecode as pip leaves it


def compare(
    title: str, sides: Mapping[str, Callable[[], float]], runs: int, *, at_least: float = 0, at_most: float = math.inf
) -> bool:
    """Run two measurements A B A B ..., print them, and tell whether the ratio A / B of the medians is as wanted.

    Args:
        sides: two functions by name; each makes one run and returns its seconds.
    """
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(runs):
        for name, measure in sides.items():
            times[name].append(measure())
    print(f"{f'{title}, {runs} runs each':<66}{'median':>10}{'min':>10}{'max':>10}")
    for name, seconds in times.items():
        print(f"  {name:<64}", *(f"{of(seconds):7.3f} s" for of in (statistics.median, min, max)))
    first, second = (statistics.median(seconds) for seconds in times.values())
    return verdict("ratio", first / second, at_least=at_least, at_most=at_most)


class Worker:
    """A process that runs one piece of work again and again, timing itself: two such can be measured in turn.

    Args:
        interpreter: the python that has what the work needs.
        setup: code that defines `work()`.
        burst: runs in one turn, after one that does not count: the other side has had the caches and the cores.
    """

    LOOP = """
import statistics, sys, time
def seconds():
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
for _ in sys.stdin:
    first, *others = [seconds() for _ in range(1 + BURST)]
    print("seconds", statistics.median(others or [first]), flush=True)
"""

    def __init__(self, interpreter: str, setup: str, burst: int) -> None:
        self.process = subprocess.Popen(
            [interpreter, "-W", "ignore", "-c", f"BURST = {burst}\n" + setup + self.LOOP],
            env={**os.environ, **INSTALLED, **({} if interpreter == sys.executable else {"PYTHONPATH": ""})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self()

    def __call__(self) -> float:
        """One turn: the median of its seconds.

        Raises:
            RuntimeError: the process has ended.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("seconds "):
                return float(line.split()[1])
        raise RuntimeError(f"{self.process.args}: ended with exit code {self.process.wait()}")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


class Here:
    """As `Worker`, in this process."""

    def __init__(self, interpreter: str, setup: str, burst: int) -> None:
        self.names: dict[str, Any] = {}
        self.burst = burst
        exec(setup, self.names)
        self()

    def __call__(self) -> float:
        seconds = []
        for _ in range(1 + self.burst):
            start = time.perf_counter()
            self.names["work"]()
            seconds.append(time.perf_counter() - start)
        return statistics.median(seconds[1:] or seconds)

    def close(self) -> None:
        self.names.clear()


def verdict(name: str, value: float, unit: str = "", *, at_least: float = 0, at_most: float = math.inf) -> bool:
    """Print a value beside its bound, and tell whether it keeps it."""
    kept = at_least <= value <= at_most
    wanted = f"at least {at_least:g}" if at_least else f"at most {at_most:g}"
    bound = f", wanted {wanted}{unit}: {'met' if kept else 'MISSED'}" if at_least or at_most < math.inf else ""
    print(f"  {name} {value:.2f}{unit}{bound}\n", flush=True)
    return kept


def run(argv: Sequence[str], folder: str, *, code: int = 0, says: str = "", **env: str) -> tuple[float, str]:
    """Run a command in a folder, with this checkout importable, and return its wall time and what it printed.

    Args:
        code, says: the exit code and a part of the output that show that it did what is measured.

    Raises:
        RuntimeError: it did something else.
    """
    start = time.perf_counter()
    done = subprocess.run(
        argv,
        cwd=folder,
        env={**os.environ, **INSTALLED, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    seconds = time.perf_counter() - start
    if done.returncode != code or says not in done.stdout:
        raise RuntimeError(f"{' '.join(argv)}: exit code {done.returncode}, output:\n{done.stdout}")
    return seconds, done.stdout
