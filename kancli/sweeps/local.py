"""Run the jobs of a plan with workers of this machine, batch by batch.

A job that raises, exits, hangs or has its worker killed does not take others with it: the unfinished jobs of its batch
run again one by one. Where there is no room on the disk, the sweep stops.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence

from kancli.config.settings import Settings
from kancli.runs.calls import Call, run_calls
from kancli.runs.folder import remove_staged
from kancli.sweeps.batches import batches
from kancli.sweeps.costs import count_workers
from kancli.sweeps.plan import Job, Outcome, Plan
from kancli.sweeps.progress import progress_bar


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
    head = Plan(plan.folder, plan.head, [])  # each worker gets this and a batch; the other jobs need not be pickled
    queue = deque(
        Call(_run_batch, (head, [jobs[number] for number in batch], sweep.max_failures), sweep.timeout)
        for batch in batches(runs, max(1, count))
    )
    finished = _in_workers(queue, count) if count else _in_this_process(queue)
    failures: dict[int, str] = {}
    with _no_staged_folders(plan, jobs.values()), progress_bar(len(runs)) as advance, contextlib.closing(finished):
        for outcomes in finished:
            failed = {outcome.number: outcome.failure for outcome in outcomes if outcome.failure is not None}
            advance(len(outcomes), len(failed))
            failures |= failed
            is_full = any(outcome.no_room for outcome in outcomes)
            if is_full or (sweep.max_failures is not None and len(failures) > sweep.max_failures):
                queue.clear()
    return failures


@contextlib.contextmanager
def _no_staged_folders(plan: Plan, jobs: Iterable[Job]) -> Iterator[None]:
    """Context manager: at the end, removes the folders of jobs that no worker finished."""
    try:
        yield
    finally:
        for job in jobs:
            remove_staged(plan.path(job))


def _in_this_process(queue: deque[Call]) -> Generator[list[Outcome]]:
    while queue:
        call = queue.popleft()
        yield call.function(*call.args)


def _in_workers(queue: deque[Call], count: int) -> Generator[list[Outcome]]:
    """Run batches in workers.

    The jobs that a batch leaves unfinished, because its worker was lost, return to the queue one by one. The failure of
    a job that was alone is recorded in its folder, by a worker because that needs torch.
    """
    recorded: set[int] = set()  # numbers of the jobs whose failure a worker was asked to record; it is asked once
    for answer in run_calls(queue, count):
        if answer.cause is None:
            yield answer.value
            continue
        plan, batch, last = answer.call.args
        outcomes = _recorded_outcomes(plan, batch)
        rest = _unfinished(batch, outcomes)
        if rest and answer.lost_pool:
            queue.appendleft(dataclasses.replace(answer.call, args=(plan, rest, last)))
        elif len(batch) > 1:
            queue.extendleft(dataclasses.replace(answer.call, args=(plan, [job], last)) for job in rest)
        elif rest and rest[0].number not in recorded:
            queue.appendleft(Call(_record_failure, (plan, rest, answer.cause)))
            recorded.add(rest[0].number)
        elif rest:
            outcomes = [Outcome(rest[0].number, answer.cause)]
        yield outcomes


def _run_batch(plan: Plan, batch: list[Job], max_failures: int | None) -> list[Outcome]:
    from kancli.sweeps import worker  # late, with torch: the sweep's own process does without

    return worker.run_batch(plan, batch, max_failures)


def _record_failure(plan: Plan, jobs: list[Job], cause: str) -> list[Outcome]:
    from kancli.sweeps import worker

    return [worker.record_failure(plan, job, cause) for job in jobs]


def _unfinished(batch: Sequence[Job], outcomes: Sequence[Outcome]) -> list[Job]:
    finished = {outcome.number for outcome in outcomes}
    return [job for job in batch if job.number not in finished]


def _recorded_outcomes(plan: Plan, batch: Sequence[Job]) -> list[Outcome]:
    """The outcomes of the jobs of a batch that have ended, from their folders."""
    records = ((job.number, plan.record(job)) for job in batch)
    return [Outcome(number, record.error) for number, record in records if record is not None and record.has_ended]
