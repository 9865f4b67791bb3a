"""Imported first by the process that workers are forked from, and by no other."""

import gc
import os

from kancli.runs import fork_server

fork_server.end_with_parent()
fork_server.server_pid = os.getpid()
gc.disable()  # as `kan-run` does: importing torch makes millions of objects and no garbage
