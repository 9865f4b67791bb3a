"""Damage the files of runs, sweeps, baselines and checkpoints, and call every verb on them: by
`python -m tests.runs.damage N [SEED [TARGET ...]]`.

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

import torch

import kancli
from kancli.cli.dispatch import main
from kancli.runs.hashes import seal
from kancli.runs.training_state import STATE
from tests.runs.interrupted import interrupted_after, race_interrupted_after_a_round
from tests.runs.mutations import damage, pack_checkpoint
from tests.runs.records import reseal

SMALL = ["width=2-2-1", "inputs.n=20"]
TRAINING = ["width=in-2-out", "task.n=20", "task.test_n=10", "train.steps=4", "train.every=2", "train.compile=false"]
RUN_FILES = ["run.json", "stats.json", "params.safetensors", "run.log", ".hydra/config.yaml"]
CHECKPOINTS = ("model.pt", "model.safetensors", "model.npz", "model_state", "model_config.yml")
FILES = {
    "run": [*RUN_FILES, "activations.safetensors", "figures.safetensors", "edges.csv", "figures/network.png"],
    "trained": [
        *RUN_FILES, "training.csv", "trained.safetensors", "fit.safetensors", "members.csv", "figures/training.png"
    ],
    "stopped": [*RUN_FILES, *[STATE] * 4, "training.csv"],
    "sweep": ["plan.jsonl", "0/run.json", "0/stats.json", "multirun.yaml"],
    "ranked": [
        "plan.jsonl", "0/run.json", "0/stats.json", "0/training.csv", "0/trained.safetensors", "ranking.json",
        "ranking.csv", "sweep.csv", "summary.json", "figures/ranking.png",
    ],
    "race": [*["race.json"] * 3, *["state/round0-0.safetensors"] * 2, "run.log", "race.csv"],
    "kept.json": [""],
    "kept_training.json": [""],
    **{name: [""] for name in CHECKPOINTS},
}  # fmt: skip
VERBS = {
    "run": [
        ["draw", "run"], ["check", "run"], ["bless", "run", "-o", "new.json"], ["diff", "run", "whole"],
        ["rerun", "run", "--dry-run"], ["compare", "run", "whole", "-o", "columns"], ["collect", "run", "-o", "table"],
        ["report", "run"], ["ls", "."], ["open", "run"], ["resume", "run"],
    ],
    "trained": [
        ["draw", "trained"], ["check", "trained"], ["bless", "trained", "-o", "new.json"], ["rank", "trained"],
        ["diff", "trained", "whole"], ["rerun", "trained", "--dry-run"], ["report", "trained"], ["ls", "."],
        ["compare", "trained", "whole", "-o", "columns"], ["collect", "trained", "-o", "table"],
    ],
    "stopped": [
        *[["resume", "stopped"]] * 4, ["check", "stopped"], ["report", "stopped"], ["draw", "stopped"], ["ls", "."],
        ["rerun", "stopped", "--dry-run"],
    ],
    "sweep": [
        ["draw", "sweep"], ["resume", "sweep"], ["collect", "sweep", "-o", "table"], ["report", "sweep"],
        ["compare", "sweep", "whole", "-o", "columns"], ["rank", "sweep"], ["ls", "."], ["open", "sweep"],
    ],
    "ranked": [
        ["rank", "ranked"], ["rank", "ranked", "-o", "elsewhere"], ["report", "ranked", "--overwrite"],
        ["collect", "ranked"], ["compare", "ranked", "-o", "columns"], ["draw", "ranked", "-o", "drawn"],
        ["resume", "ranked"], ["ls", "."],
    ],
    "race": [*[["resume", "race"]] * 4, ["report", "race"], ["ls", "."]],
    **{
        name: [["check", name], ["diff", name, "whole"], ["bless", "--update", name]]
        for name in ("kept.json", "kept_training.json")
    },
    **{
        name: [
            [f"model={name}", "figures=none", "inputs.n=20"], ["export", name, "--to", "inkan", "-o", "out.pt"],
            ["check", "examined"], ["rerun", "examined", f"model.path={name}", "figures=none"],
        ]
        for name in CHECKPOINTS
    },
}  # fmt: skip
TARGETS = tuple(sorted(FILES))
NOT_VERIFYING = ("rerun", "ls", "open", "rank")  # of an undamaged record they read what they need
MAX_SECONDS = 5
CODES = (0, 2, 3, 4, 5, 6)


def make(folder):
    """The undamaged folders `run`, its copy `whole`, `trained`, `stopped` in its training, and two sweeps; and the
    baseline `kept.json`."""
    with chdir(folder):
        train = [*TRAINING, "task=f2"]
        assert call(["figures=default", "hydra.run.dir=run", *SMALL])[0] == 0
        assert call(["n_seeds=2", "figures=training", "hydra.run.dir=trained", *train])[0] == 0
        with interrupted_after(2):
            assert call(["figures=none", "hydra.run.dir=stopped", *train])[0] == 130
        assert call(["-m", "seed=0,1", "hydra.sweep.dir=sweep", "sweep.workers=0", *SMALL])[0] == 0
        swept = ["task=f1,f2", "init=baseline,glorot", "n_seeds=2", "hydra.sweep.dir=ranked", "sweep.workers=0"]
        assert call(["-m", *swept, *TRAINING])[0] == 0
        assert call(["rank", "ranked"])[0] == 0
        with race_interrupted_after_a_round():
            sizes = ["task=f2", "task.n=40", "task.test_n=20", "train.steps=8", "width=in-2-out", "train.compile=false"]
            inits = "init=baseline,glorot,lecun,power_law,kat,linear,noisy,efficient_kan,pykan_0_2_8,glorot_fine"
            assert call(["race", inits, *sizes, "race.seeds=3", "hydra.sweep.dir=race"])[0] == 130
        for name, run in (("kept.json", "run"), ("kept_training.json", "trained")):
            assert call(["bless", run, "-o", name])[0] == 0
        shutil.copytree("run", "whole")
        make_checkpoints()


def make_checkpoints():
    """One model in the files and layouts of several libraries, and a run of it."""
    model = kancli.KAN([2, 2, 1])
    for name, library in zip(CHECKPOINTS, ("efficient_kan", "pykan", "jaxkan", "pykan"), strict=False):
        tensors = {key: torch.as_tensor(values) for key, values in kancli.write(model, library).items()}
        Path(name).write_bytes(pack_checkpoint(name, tensors))
    Path("model_config.yml").write_text("width: [[2, 0], [2, 0], [1, 0]]\ngrid: 5\nk: 3\nbase_fun_name: silu\n")
    assert call(["model=model_state", "inputs.n=20", "figures=none", "hydra.run.dir=examined"])[0] == 0


@contextlib.contextmanager
def chdir(folder):
    """contextlib.chdir, which Python 3.10 lacks."""
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


def fit_hashes(path, target):
    """Write the hashes that fit a damaged file, if there is a record that has them."""
    if target.is_file():  # a baseline without its hash is one of an earlier kancli
        content = json.loads(target.read_text())
        del content["sha256"]
        target.write_text(json.dumps(content))
        return
    if (target / "race.json").is_file():
        content = json.loads((target / "race.json").read_text())
        (target / "race.json").write_text(json.dumps(seal(content)))
        return
    folders = [folder for folder in path.parents if (folder / "run.json").is_file() and folder.is_relative_to(target)]
    reseal(folders[0])


def verifies(verb, target, name):
    """Whether a verb refuses a run one of whose files was changed; an equal run.json may be written otherwise."""
    is_redrawn = verb == "draw" and name.startswith("figures/")
    return target in ("run", "trained") and name != "run.json" and verb not in NOT_VERIFYING and not is_redrawn


def try_one(rng, whole, scratch, targets):
    """Damage one file and call one verb; return the faults."""
    target = rng.choice(targets)
    name, argv = rng.choice(FILES[target]), rng.choice(VERBS[target])
    shutil.copytree(whole, scratch)
    path = scratch / target / name
    way = damage(rng, path)
    is_sealed = rng.random() < 0.5 and path.is_file()
    if is_sealed:
        with contextlib.suppress(Exception):  # nothing that could be sealed is left
            fit_hashes(path, scratch / target)
    outside = set(scratch.parent.iterdir())
    start = time.process_time()
    with chdir(scratch):
        code, out = call(argv)
    seconds = time.process_time() - start
    faults = []
    if code not in CODES or "Traceback" in out or "internal error" in out:
        faults.append(f"exit {code}: {out.strip()[-300:]}")
    if code == 0 and not is_sealed and verifies(argv[0], target, name):
        faults.append("believed")
    if seconds > MAX_SECONDS:
        faults.append(f"{seconds:.1f} s of CPU time")
    if set(scratch.parent.iterdir()) != outside:
        faults.append("wrote outside")
    if "\x1b" in out:
        faults.append("raw control characters")
    shutil.rmtree(scratch)
    return code, [f"{scratch.name}: {way} {path.relative_to(scratch)}: {' '.join(argv)}: {fault}" for fault in faults]


def fuzz(n, seed, folder, targets=TARGETS):
    """Try n mutations of files of some targets; return the number of each exit code, and all faults."""
    rng, whole, faults = random.Random(seed), folder / "whole", []
    whole.mkdir()
    make(whole)
    codes = Counter()
    for number in range(n):
        code, found = try_one(rng, whole, folder / f"scratch{number}", targets)
        codes[code] += 1
        faults += found
    return codes, faults


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        targets = sys.argv[3:] or TARGETS
        codes, faults = fuzz(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0, Path(name), targets)
    print(*faults, sep="\n")
    print(dict(codes), len(faults), "faults")
