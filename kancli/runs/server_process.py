"""Imported first by the process that workers are forked from, and by no other."""

import gc

from kancli.runs.fork_server import end_with_parent

end_with_parent()
gc.disable()  # as `kan-run` does: importing torch makes millions of objects and no garbage
