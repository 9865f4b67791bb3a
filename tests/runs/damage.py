"""Damage the files of a run, a sweep and a baseline, and call every verb on them: `python -m tests.runs.damage N`.

Half of the mutations fit the hashes of the record again, so that they reach the code behind the check of the hashes.
"""

import contextlib
import io
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from kancli.cli.dispatch import main
from tests.runs.records import reseal, write_plan

FILES = [
    "run/run.json", "run/stats.json", "run/params.safetensors", "run/activations.safetensors",
    "run/figures.safetensors", "run/edges.csv", "run/run.log", "run/figures/network.png", "run/.hydra/config.yaml",
    "sweep/plan.jsonl", "sweep/0/run.json", "sweep/0/stats.json", "sweep/multirun.yaml", "kept.json",
]  # fmt: skip
VERBS = {
    "run": [
        ["draw", "run"], ["check", "run"], ["bless", "run", "-o", "new.json"], ["diff", "run", "whole"],
        ["rerun", "run", "--dry-run"], ["compare", "run", "whole", "-o", "columns"], ["collect", "run", "-o", "table"],
        ["report", "run"],
    ],
    "sweep": [["draw", "sweep"], ["resume", "sweep"], ["collect", "sweep", "-o", "table"], ["report", "sweep"],
              ["compare", "sweep", "whole", "-o", "columns"]],
    "kept.json": [["check", "kept.json"], ["diff", "kept.json", "whole"], ["bless", "--update", "kept.json"]],
}  # fmt: skip
VALUES = [
    None, True, -1, 0, 1e308, 10**18, 10**400, "", "x" * 1000, "\x1b[31m", "${oc.env:HOME}", "range(1000000000)", [],
    {}, [[]], {"a": {}}, [0] * 1000, "../..", "/dev/zero", [None], "nan",
]  # fmt: skip
MAX_SECONDS = 5
CODES = (0, 2, 3, 4, 5, 6)


def make(folder):
    """The undamaged folders: `run`, its copy `whole`, `sweep` and the baseline `kept.json`."""
    with contextlib.chdir(folder) if hasattr(contextlib, "chdir") else _chdir(folder):
        small = ["width=2-2-1", "inputs.n=20"]
        assert call(["figures=default", "hydra.run.dir=run", *small])[0] == 0
        assert call(["-m", "seed=0,1", "hydra.sweep.dir=sweep", "sweep.workers=0", *small])[0] == 0
        assert call(["bless", "run", "-o", "kept.json"])[0] == 0
        shutil.copytree("run", "whole")


@contextlib.contextmanager
def _chdir(folder):
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def call(argv):
    """The exit code of kan-run in this process, and its output."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            code = main([*argv])
        except SystemExit as error:
            code = error.code
        except BaseException as error:
            code = repr(error)
    return code, out.getvalue()


def damage(rng, path):
    """Damage a file in a random way, and name the way."""
    content = path.read_bytes()
    ways = [cut, flip, garbage, empty, folder, pipe, loop, mark]
    if path.suffix in (".json", ".jsonl"):
        ways = [*ways, *[value] * 10, deep, twice, huge_number]
    way = rng.choice(ways)
    way(rng, path, content)
    return way.__name__


def cut(rng, path, content):
    path.write_bytes(content[: rng.randrange(len(content))])


def flip(rng, path, content):
    place = rng.randrange(len(content))
    path.write_bytes(content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :])


def garbage(rng, path, content):
    path.write_bytes(rng.randbytes(200))


def empty(rng, path, content):
    path.write_bytes(b"")


def folder(rng, path, content):
    path.unlink()
    path.mkdir()


def pipe(rng, path, content):
    path.unlink()
    os.mkfifo(path)


def loop(rng, path, content):
    path.unlink()
    path.symlink_to(path)


def mark(rng, path, content):
    path.write_bytes(b"\xef\xbb\xbf" + content)


def deep(rng, path, content):
    path.write_bytes(content.rstrip()[:-1] + b', "deep": ' + b"[" * 10_000 + b"]" * 10_000 + b"}")


def twice(rng, path, content):
    path.write_bytes(content.replace(b"{", b'{"schema": 2, "status": 3, "config": 4, "schema": 2, ', 1))


def huge_number(rng, path, content):
    path.write_bytes(content.replace(b"0", rng.choice([b"1e400", b"NaN", b"Infinity", b"9" * 400]), 1))


def value(rng, path, content):
    """Replace or remove a random value of the JSON."""
    lines = [json.loads(line) for line in content.splitlines()] if path.suffix == ".jsonl" else [json.loads(content)]
    places = list(walk(lines))
    container, key = rng.choice(places[1:])
    if rng.random() < 0.2:
        del container[key]
    else:
        container[key] = rng.choice(VALUES)
    if path.suffix == ".jsonl":
        if lines and isinstance(lines[0], dict) and rng.random() < 0.8:
            write_plan(path, lines[0], lines[1:])
        else:
            path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    else:
        path.write_text(json.dumps(lines[0] if lines else None))


def walk(content):
    """All places of a tree, as container and key."""
    keys = list(content) if isinstance(content, dict) else range(len(content))
    for key in keys:
        yield content, key
        if isinstance(content[key], (dict, list)):
            yield from walk(content[key])


def verifies(verb, name):
    """Whether a verb refuses a run one of whose files was changed; an equal run.json may be written otherwise."""
    is_redrawn = verb == "draw" and "/figures/" in name
    return name.startswith("run/") and name != "run/run.json" and verb != "rerun" and not is_redrawn


def try_one(rng, whole, scratch):
    """Damage one file and call one verb; return the faults."""
    name = rng.choice(FILES)
    target = name.split("/")[0]
    argv = rng.choice(VERBS[target])
    shutil.copytree(whole, scratch)
    path = scratch / name
    way = damage(rng, path)
    is_sealed = rng.random() < 0.5 and target != "kept.json" and path.is_file()
    if is_sealed:
        with contextlib.suppress(Exception):  # nothing that could be sealed is left
            reseal(path.parent if (path.parent / "run.json").is_file() else scratch / target)
    outside = set(scratch.parent.iterdir())
    start = time.process_time()
    with contextlib.chdir(scratch) if hasattr(contextlib, "chdir") else _chdir(scratch):
        code, out = call(argv)
    seconds = time.process_time() - start
    faults = []
    if code not in CODES or "Traceback" in out or "internal error" in out:
        faults.append(f"exit {code}: {out.strip()[-300:]}")
    if code == 0 and not is_sealed and verifies(argv[0], name):
        faults.append("believed")
    if seconds > MAX_SECONDS:
        faults.append(f"{seconds:.1f} s of CPU time")
    if set(scratch.parent.iterdir()) != outside:
        faults.append("wrote outside")
    if "\x1b" in out:
        faults.append("raw control characters")
    shutil.rmtree(scratch)
    return code, [f"{way} {name}: {' '.join(argv)}: {fault}" for fault in faults]


def fuzz(n, seed, folder):
    """Try n mutations; return the number of each exit code, and all faults."""
    rng, whole, faults = random.Random(seed), folder / "whole", []
    whole.mkdir()
    make(whole)
    codes = Counter()
    for number in range(n):
        code, found = try_one(rng, whole, folder / f"scratch{number}")
        codes[code] += 1
        faults += found
    return codes, faults


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        codes, faults = fuzz(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0, Path(name))
    print(*faults, sep="\n")
    print(dict(codes), len(faults), "faults")
