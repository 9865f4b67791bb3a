"""Calls of functions in worker processes: a worker that is lost is replaced, and so is a pool that breaks down."""

from __future__ import annotations

import contextlib
import signal
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import FIRST_COMPLETED, Future, TimeoutError, wait
from dataclasses import dataclass
from typing import Any

from pebble import ProcessExpired

from kancli.errors import KanError, one_line
from kancli.runs.pool import EXITED_SILENTLY, process_pool

MAX_LOST_POOLS = 5


@dataclass(frozen=True, eq=False)
class Call:
    """A function to call in a worker."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    timeout: float | None = None  # seconds, of the key sweep.timeout


@dataclass(frozen=True)
class Answer:
    """How a call ended."""

    call: Call
    value: Any = None
    cause: str | None = None  # why there is no value, in one line
    lost_pool: bool = False  # the pool broke down, perhaps not by this call, which may be repeated


class _PoolLostError(Exception):
    """A pool broke down as a whole, such as when a worker is killed while it starts."""


def run_calls(queue: deque[Call], count: int) -> Generator[Answer]:
    """Call functions in `count` workers. The caller may add calls to the queue, or clear it, between answers.

    Raises:
        KanError: `MAX_LOST_POOLS` pools broke down before one call ended, or no worker can be started.
    """
    lost = 0
    while queue:
        try:
            with contextlib.closing(_run_in_pool(queue, count)) as answers:
                for answer in answers:
                    lost = lost if answer.lost_pool else 0
                    yield answer
        except _PoolLostError as error:
            lost += 1
            if lost == MAX_LOST_POOLS:
                raise KanError(f"the worker processes die as they start: {error}") from error


def _run_in_pool(queue: deque[Call], count: int) -> Generator[Answer]:
    pending: dict[Future[Any], Call] = {}
    with process_pool(count) as pool:
        try:
            while queue or pending:
                while queue and len(pending) <= count:  # one call more than workers, so that none idles
                    call = queue[0]
                    pending[pool.schedule(call.function, call.args, timeout=call.timeout)] = queue.popleft()
                for future in wait(pending, return_when=FIRST_COMPLETED).done:
                    answer = _answer(future, pending[future])
                    if answer.cause and not pool.active:
                        raise _PoolLostError(answer.cause)
                    del pending[future]
                    yield answer
        except (_PoolLostError, RuntimeError) as error:  # pebble's answer to work for a broken pool
            if pool.active:
                raise
            for call in pending.values():
                yield Answer(call, cause=str(error), lost_pool=True)
            raise _PoolLostError(str(error)) from error


def _answer(future: Future[Any], call: Call) -> Answer:
    try:
        return Answer(call, future.result())
    except TimeoutError as error:  # pebble's, or the call's own
        timed_out = f"took longer than sweep.timeout={call.timeout:g} s" if call.timeout else one_line(error)
        return Answer(call, cause=timed_out)
    except ProcessExpired as error:
        return Answer(call, cause=_exit_message(error.exitcode))
    except (Exception, SystemExit) as error:
        return Answer(call, cause=one_line(error))


def _exit_message(code: int) -> str:
    if code == EXITED_SILENTLY:
        return "its process exited with status 0 before the job was finished"
    if code >= 0:
        return f"its process exited with status {code}"
    known = -code in set(signal.Signals)  # real-time signals have no names
    name = signal.Signals(-code).name if known else f"signal {-code}"
    hint = ", as the system does when memory runs out" if name == "SIGKILL" else ""
    return f"its process was killed by {name}{hint}"
