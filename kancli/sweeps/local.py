"""Runs the jobs of a plan in processes of this machine: those of one shape together, and none is lost because another
one raises, exits, is killed or hangs."""

from __future__ import annotations

import contextlib
import os
import signal
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait

from pebble import ProcessExpired

from kancli.errors import one_line
from kancli.progress import counting
from kancli.settings import Settings, Sweep
from kancli.sweeps import costs
from kancli.sweeps.plan import ENDED, Job, Outcome, Plan
from kancli.workers import SILENT, workers


def processes_of(workers: int | None) -> int:
    """How many work beside this one, by `sweep.workers`."""
    return len(os.sched_getaffinity(0)) if workers is None else workers


def run(plan: Plan, runs: Mapping[int, Settings], *, processes: int | None = None) -> dict[int, str]:
    """Run jobs of a plan, and show how far it has come; return why those failed that did, by number.

    Args:
        runs: the settings of those to run, by number.
        processes: how many work beside this one; None for as many as the settings say.
    """
    if not runs:
        return {}
    sweep = next(iter(runs.values())).sweep
    jobs = {job.number: job for job in plan.jobs if job.number in runs}
    count = min(processes_of(sweep.workers) if processes is None else processes, len(jobs))
    waiting = deque([jobs[number] for number in group] for group in costs.groups(runs, max(1, count)))
    light = Plan(plan.folder, plan.head, [])  # the jobs go to the processes group by group
    failures: dict[int, str] = {}
    coming = _by_processes(light, waiting, sweep, count) if count else _here(light, waiting)
    with counting(len(runs)) as told, contextlib.closing(coming):
        for outcomes in coming:
            failed = {each.number: each.failure for each in outcomes if each.failure is not None}
            told(len(outcomes), len(failed))
            failures |= failed
            if sweep.max_failures is not None and len(failures) > sweep.max_failures:
                waiting.clear()
    return failures


def _here(plan: Plan, waiting: deque[list[Job]]) -> Generator[list[Outcome]]:
    while waiting:
        yield _work(plan, waiting.popleft())


def _by_processes(plan: Plan, waiting: deque[list[Job]], sweep: Sweep, count: int) -> Generator[list[Outcome]]:
    """What becomes of groups of jobs. Those of a group whose process came to grief are tried again one by one, and one
    that was alone is told of in its folder."""
    at_work: dict[Future[list[Outcome]], list[Job]] = {}
    given_up: set[int] = set()
    with workers(count) as pool:
        while waiting or at_work:
            while waiting and len(at_work) <= count:  # one is in reserve
                group = waiting.popleft()
                at_work[pool.schedule(_work, [plan, group], timeout=sweep.timeout)] = group
            for future in wait(at_work, return_when=FIRST_COMPLETED).done:
                group = at_work.pop(future)
                outcomes, cause = _answer(future, plan, group, sweep)
                ended = {each.number for each in outcomes}
                rest = [job for job in group if job.number not in ended]
                if len(group) > 1:
                    waiting.extendleft([job] for job in rest)
                elif rest and rest[0].number not in given_up:
                    given_up.add(rest[0].number)
                    at_work[pool.schedule(_fail, [plan, rest[0], cause])] = rest
                elif rest:
                    outcomes = [Outcome(rest[0].number, cause)]
                yield outcomes


def _work(plan: Plan, jobs: list[Job]) -> list[Outcome]:
    from kancli.sweeps import working  # with torch, which this process does without

    return working.work(plan, jobs)


def _fail(plan: Plan, job: Job, cause: str) -> list[Outcome]:
    from kancli.sweeps import working

    return [working.fail(plan, job, cause)]


def _answer(future: Future[list[Outcome]], plan: Plan, jobs: Sequence[Job], sweep: Sweep) -> tuple[list[Outcome], str]:
    """What became of jobs that were handed over together, as far as it is known; and what stopped the others."""
    try:
        return future.result(), ""
    except TimeoutError:
        cause = f"took longer than sweep.timeout={sweep.timeout:g} s"
    except ProcessExpired as error:
        cause = _ending(error.exitcode)
    except (Exception, SystemExit) as error:
        cause = one_line(error)
    known = []
    for job in jobs:
        record = plan.record(job) or {}
        if record.get("status") in ENDED:
            known.append(Outcome(job.number, record.get("error")))
    return known, cause


def _ending(code: int) -> str:
    if code == SILENT:
        return "its process ended with status 0, in the midst of it"
    if code >= 0:
        return f"its process ended with status {code}"
    name = signal.Signals(-code).name
    also = ", as the system does where memory runs out" if name == "SIGKILL" else ""
    return f"its process was killed by {name}{also}"
