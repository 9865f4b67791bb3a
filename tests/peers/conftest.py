"""One process that has loaded pykan, for all tests of it: the import takes longer than they do."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def run_pykan(tmp_path_factory):
    """Run a script of this folder with pykan, in a process forked from the one that has loaded it."""
    folder = tmp_path_factory.mktemp("pykan")
    argv = [sys.executable, "-W", "ignore", Path(__file__).with_name("pykan_server.py")]
    with subprocess.Popen(argv, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None

        def run(script, *arguments):
            server.stdin.write(json.dumps([str(Path(__file__).with_name(script)), *map(str, arguments)]) + "\n")
            server.stdin.flush()
            assert server.stdout.readline() == "done\n", f"{script} failed: see stderr"

        yield run
        server.stdin.close()
