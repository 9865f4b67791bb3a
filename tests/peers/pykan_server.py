"""Load pykan once, and run scripts in processes forked from this one: it seeds the global generators.

Reads a line of JSON for each script, `[SCRIPT, ARGUMENT, ...]`, and prints `done` or `failed`.
"""

import json
import os
import runpy
import sys
import traceback

import kan  # noqa: F401 - so that the scripts find it loaded

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what the library prints
for line in sys.stdin:
    if (pid := os.fork()) == 0:
        status = 1
        try:
            sys.argv = json.loads(line)
            runpy.run_path(sys.argv[0], run_name="__main__")
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    print("done" if os.waitpid(pid, 0)[1] == 0 else "failed", file=answers, flush=True)
