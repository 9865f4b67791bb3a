"""Run the jobs of a plan with workers of this machine, batch by batch.

A job that raises, exits, hangs or has its worker killed does not take others with it: the unfinished jobs of its batch
run again one by one.
"""

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
from kancli.sweeps.batches import batches
from kancli.sweeps.costs import count_workers
from kancli.sweeps.plan import Job, Outcome, Plan
from kancli.sweeps.progress import progress_bar

MAX_LOST_POOLS = 5


def run(plan: Plan, runs: Mapping[int, Settings], *, workers: int | None = None) -> dict[int, str]:
    """Run jobs of a plan and show the progress.

    Args:
        runs: the settings of the jobs to run, by number.
        workers: number of worker processes, 0 for none; by default `sweep.workers`.

    Returns:
        The causes of the failures, by number of the job.

    Raises:
        KanError: worker processes cannot be started.
    """
    if not runs:
        return {}
    sweep = next(iter(runs.values())).sweep
    jobs = {job.number: job for job in plan.jobs if job.number in runs}
    count = min(count_workers(sweep.workers) if workers is None else workers, len(jobs))
    queue = deque([jobs[number] for number in batch] for batch in batches(runs, max(1, count)))
    head = Plan(plan.folder, plan.head, [])  # each worker gets this and a batch; the other jobs need not be pickled
    finished = _in_workers(head, queue, sweep, count) if count else _in_this_process(head, queue, sweep)
    failures: dict[int, str] = {}
    with progress_bar(len(runs)) as advance, contextlib.closing(finished):
        for outcomes in finished:
            failed = {outcome.number: outcome.failure for outcome in outcomes if outcome.failure is not None}
            advance(len(outcomes), len(failed))
            failures |= failed
            if sweep.max_failures is not None and len(failures) > sweep.max_failures:
                queue.clear()
    return failures


def _in_this_process(plan: Plan, queue: deque[list[Job]], sweep: Sweep) -> Generator[list[Outcome]]:
    while queue:
        yield _run_batch(plan, queue.popleft(), sweep.max_failures)


class PoolLostError(Exception):
    """A pool broke down as a whole, such as when a worker is killed while it starts."""


def _in_workers(plan: Plan, queue: deque[list[Job]], sweep: Sweep, count: int) -> Generator[list[Outcome]]:
    """Run batches in workers. A pool that breaks down is replaced.

    Raises:
        KanError: `MAX_LOST_POOLS` pools broke down.
    """
    recorded: set[int] = set()
    lost = 0
    while queue:
        try:
            yield from _in_pool(plan, queue, sweep, count, recorded)
        except PoolLostError as error:
            lost += 1
            if lost == MAX_LOST_POOLS:
                raise KanError(f"the worker processes of the sweep die as they start: {error}") from error


def _in_pool(
    plan: Plan, queue: deque[list[Job]], sweep: Sweep, count: int, recorded: set[int]
) -> Generator[list[Outcome]]:
    """Run batches in one pool.

    The jobs that a batch leaves unfinished, because its worker was lost, return to the queue one by one. The failure of
    a job that was alone is recorded in its folder, by a worker because that needs torch.

    Args:
        recorded: numbers of the jobs whose failure a worker was asked to record. It is asked once.

    Raises:
        PoolLostError: the pool broke down; unfinished jobs are back in the queue.
    """
    pending: dict[Future[list[Outcome]], list[Job]] = {}
    with process_pool(count) as pool:
        try:
            while queue or pending:
                while queue and len(pending) <= count:  # one batch waits, so that no worker does
                    future = pool.schedule(_run_batch, [plan, queue[0], sweep.max_failures], timeout=sweep.timeout)
                    pending[future] = queue.popleft()
                for future in wait(pending, return_when=FIRST_COMPLETED).done:
                    batch = pending[future]
                    outcomes, cause = _outcomes(future, plan, batch, sweep)
                    if cause and not pool.active:
                        raise PoolLostError(cause)
                    del pending[future]
                    rest = _unfinished(batch, outcomes)
                    if len(batch) > 1:
                        queue.extendleft([job] for job in rest)
                    elif rest and rest[0].number not in recorded:
                        pending[pool.schedule(_record_failure, [plan, rest[0], cause])] = rest
                        recorded.add(rest[0].number)
                    elif rest:
                        outcomes = [Outcome(rest[0].number, cause)]
                    yield outcomes
        except (PoolLostError, RuntimeError) as error:  # pebble's answer to work for a broken pool
            if pool.active:
                raise
            for batch in pending.values():
                outcomes = _recorded_outcomes(plan, batch)
                if rest := _unfinished(batch, outcomes):
                    queue.appendleft(rest)
                yield outcomes
            raise PoolLostError(str(error)) from error


def _run_batch(plan: Plan, batch: list[Job], max_failures: int | None) -> list[Outcome]:
    from kancli.sweeps import worker  # late, with torch: the sweep's own process does without

    return worker.run_batch(plan, batch, max_failures)


def _record_failure(plan: Plan, job: Job, cause: str) -> list[Outcome]:
    from kancli.sweeps import worker

    return [worker.record_failure(plan, job, cause)]


def _unfinished(batch: Sequence[Job], outcomes: Sequence[Outcome]) -> list[Job]:
    finished = {outcome.number for outcome in outcomes}
    return [job for job in batch if job.number not in finished]


def _outcomes(
    future: Future[list[Outcome]], plan: Plan, batch: Sequence[Job], sweep: Sweep
) -> tuple[list[Outcome], str]:
    """The outcomes of a batch as far as they are known, and the cause if some are not."""
    try:
        return future.result(), ""
    except TimeoutError:
        cause = f"took longer than sweep.timeout={sweep.timeout:g} s"
    except ProcessExpired as error:
        cause = _exit_message(error.exitcode)
    except (Exception, SystemExit) as error:
        cause = one_line(error)
    return _recorded_outcomes(plan, batch), cause


def _recorded_outcomes(plan: Plan, batch: Sequence[Job]) -> list[Outcome]:
    """The outcomes of the jobs of a batch that have ended, from their folders."""
    records = ((job.number, plan.record(job)) for job in batch)
    return [Outcome(number, record.error) for number, record in records if record is not None and record.has_ended]


def _exit_message(code: int) -> str:
    if code == EXITED_SILENTLY:
        return "its process exited with status 0 before the job was finished"
    if code >= 0:
        return f"its process exited with status {code}"
    name = signal.Signals(-code).name
    hint = ", as the system does when memory runs out" if name == "SIGKILL" else ""
    return f"its process was killed by {name}{hint}"
