"""The process that workers are forked from: it loads torch once, while this process does something else."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from multiprocessing import forkserver, resource_tracker
from typing import Any

SERVER = "kancli.runs.server_process"
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>

server_pid: int | None = None  # in the server and in what it forks


@contextlib.contextmanager
def fork_server(modules: Sequence[str]) -> Iterator[None]:
    """Context manager: the server runs within the block. It starts at once, in the background.

    Does nothing if a server is running already, such as that of an outer block.

    Args:
        modules: what the server imports. A worker imports what is missing.
    """
    server: Any = forkserver._forkserver  # pyright: ignore - only a private method ends it
    if server._forkserver_pid is not None:
        yield
        return
    before = server._preload_modules
    server.set_forkserver_preload([SERVER, *modules])
    try:
        with contextlib.suppress(OSError):  # the pool, which needs the server, says that no process can be started
            _start(server)
        yield
    finally:
        server.set_forkserver_preload(before)
        if server._forkserver_pid is not None:
            os.kill(server._forkserver_pid, signal.SIGKILL)  # `_stop` would wait until it has loaded torch
            server._stop()


def _start(server: Any) -> None:
    # The server and its workers inherit the signal mask: this process alone answers Ctrl-C and SIGHUP, from the start.
    resource_tracker.ensure_running()  # would unblock SIGINT if it started within the block
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        server.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def end_with_parent() -> None:
    """End this process when its parent ends, however that ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # A parent that ended before that call sends no signal. The server, which ends with the caller's first thread, is
    # checked by its pid: the caller's pipes stay open while any of its threads runs, so that it looks alive.
    caller = multiprocessing.parent_process()
    is_orphan = server_pid is not None and os.getppid() != server_pid
    if is_orphan or (caller is not None and not caller.is_alive()):
        os._exit(1)
