"""Runs the jobs of a plan in processes of this machine: those of one shape together, and none is lost because another
one raises, exits, is killed or hangs."""

from __future__ import annotations

import contextlib
import signal
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait

from pebble import ProcessExpired

from kancli.config.settings import Settings, Sweep
from kancli.errors import KanError, one_line
from kancli.runs.pool import EXITED_SILENTLY, process_pool
from kancli.sweeps import costs
from kancli.sweeps.costs import processes_of
from kancli.sweeps.plan import Job, Outcome, Plan
from kancli.sweeps.progress import counting

MAX_POOLS = 5  # that break down before a sweep ends


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
    coming = _by_processes(light, waiting, sweep, count) if count else _here(light, waiting, sweep)
    with counting(len(runs)) as told, contextlib.closing(coming):
        for outcomes in coming:
            failed = {each.number: each.failure for each in outcomes if each.failure is not None}
            told(len(outcomes), len(failed))
            failures |= failed
            if sweep.max_failures is not None and len(failures) > sweep.max_failures:
                waiting.clear()
    return failures


def _here(plan: Plan, waiting: deque[list[Job]], sweep: Sweep) -> Generator[list[Outcome]]:
    while waiting:
        yield _work(plan, waiting.popleft(), sweep.max_failures)


class PoolLostError(Exception):
    """A pool broke down as a whole, as where a process is killed while it starts."""


def _by_processes(plan: Plan, waiting: deque[list[Job]], sweep: Sweep, count: int) -> Generator[list[Outcome]]:
    """What becomes of groups of jobs. Those of a group whose process came to grief are tried again one by one, and one
    that was alone is told of in its folder.

    Raises:
        KanError: processes cannot be had, time and again.
    """
    given_up: set[int] = set()
    lost = 0
    while waiting:
        try:
            yield from _by_pool(plan, waiting, sweep, count, given_up)
        except PoolLostError as error:
            lost += 1
            if lost == MAX_POOLS:
                raise KanError(f"processes for the sweep end as they start: {error}") from error


def _by_pool(
    plan: Plan, waiting: deque[list[Job]], sweep: Sweep, count: int, given_up: set[int]
) -> Generator[list[Outcome]]:
    """The same by one pool of processes.

    Raises:
        PoolLostError: it broke down; what it had taken and not done is among those that wait.
    """
    at_work: dict[Future[list[Outcome]], list[Job]] = {}
    with process_pool(count) as pool:
        try:
            while waiting or at_work:
                while waiting and len(at_work) <= count:  # one is in reserve
                    future = pool.schedule(_work, [plan, waiting[0], sweep.max_failures], timeout=sweep.timeout)
                    at_work[future] = waiting.popleft()
                for future in wait(at_work, return_when=FIRST_COMPLETED).done:
                    group = at_work[future]
                    outcomes, cause = _answer(future, plan, group, sweep)
                    if cause and not pool.active:
                        raise PoolLostError(cause)
                    del at_work[future]
                    ended = {each.number for each in outcomes}
                    rest = [job for job in group if job.number not in ended]
                    if len(group) > 1:
                        waiting.extendleft([job] for job in rest)
                    elif rest and rest[0].number not in given_up:
                        at_work[pool.schedule(_fail, [plan, rest[0], cause])] = rest
                        given_up.add(rest[0].number)
                    elif rest:
                        outcomes = [Outcome(rest[0].number, cause)]
                    yield outcomes
        except (PoolLostError, RuntimeError) as error:
            if pool.active:
                raise
            for group in at_work.values():
                outcomes = _known(plan, group)
                ended = {each.number for each in outcomes}
                if rest := [job for job in group if job.number not in ended]:
                    waiting.appendleft(rest)
                yield outcomes
            raise PoolLostError(str(error)) from error


def _work(plan: Plan, jobs: list[Job], max_failures: int | None) -> list[Outcome]:
    from kancli.sweeps import worker as working  # with torch, which this process does without

    return working.work(plan, jobs, max_failures)


def _fail(plan: Plan, job: Job, cause: str) -> list[Outcome]:
    from kancli.sweeps import worker as working

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
    return _known(plan, jobs), cause


def _known(plan: Plan, jobs: Sequence[Job]) -> list[Outcome]:
    """What the folders of jobs tell of those that have ended."""
    records = ((job.number, plan.record(job)) for job in jobs)
    return [Outcome(number, record.error) for number, record in records if record is not None and record.has_ended]


def _ending(code: int) -> str:
    if code == EXITED_SILENTLY:
        return "its process ended with status 0, in the midst of it"
    if code >= 0:
        return f"its process ended with status {code}"
    name = signal.Signals(-code).name
    also = ", as the system does where memory runs out" if name == "SIGKILL" else ""
    return f"its process was killed by {name}{also}"
