"""Seeded command lines of keys, values and junk: an answer of one to three lines, soon, and nothing left on disk."""

import random
import time

import pytest

KEYS = (
    *("seed", "width", "grid", "k", "init", "inputs", "figures", "stats", "experiment", "noise_scale", "gain"),
    *("grid.size", "grid.range", "grid.eps", "init.scheme", "inputs.n", "inputs.std", "inputs.path", "dtype", "device"),
    *("task", "task", "task.kind", "task.name", "task.formula", "task.path", "task.n", "task.noise", "task.columns"),
    *("figures.names", "figures.title", "figures.dpi", "stats.ntk.n", "verdicts.rough", "strict", "objective"),
    *("hydra.run.dir", "hydra.sweep.dir", "hydra.sweep.subdir", "hydra.mode", "hydra.verbose", "hydra.searchpath"),
    *("hydra.sweeper.params.seed", "hydra.sweeper.params", "hydra.output_subdir", "hydra.job.name", "hydra/launcher"),
    *(
        "hydra/sweeper",
        "init.target",
        "sweep.workers",
        "nope",
        "a.b.c",
        "",
        "~seed",
        "+k",
        "++n_seeds",
        "init@x",
        "x y",
    ),
)
VALUES = (
    *("1", "0", "-1", "010", "1e39", "1e400", "nan", "inf", "null", "true", "", ".", "..", "/", "/dev/null", "a\0b"),
    *("[]", "[1]", "[2,5,1]", "2-5-1", "[[1]]", "{}", "{a:1}", "{size:4}", "[2,[5,1]]", "coarse", "linear", "noisy"),
    *(
        "none",
        "all",
        "'quoted'",
        '"a b"',
        "'",
        "[",
        "}",
        "a=b",
        "größe",
        "\U0001f600",
        "${seed}",
        "${nope}",
        "${",
        "$x",
    ),
    *("${hydra:job.num}", "${hydra:runtime.cwd}", "${hydra.run.dir}", "${oc.env:HOME}", "${oc.env:NOPE}", "${now:%Y}"),
    *("f2", "burgers", "in-3-out", "in-out", "x0*x1", "exp(x", "sin(x),f1", "x^^y", "max(x,y)", "(((x)))", "log(x0)"),
    *("1,2", "1,a", "range(3)", "range(1e9)", "range(0,1,0)", "interval(0,1)", "choice()", "glob(*)", "shuffle(1,2)"),
    *("sort(3,1)", "int(a)", "str(1)", "extend_list(1)", "tag(a,1)", 300 * "9", 2000 * "9", 300 * "[", 9000 * "x"),
)
JUNK = ("linear", "-m", "=", "==", "-", "--", "--cfg", "--dry-run", "chekc", "diff", "explain", "\t", "-p", "@", "%")
SAFE = ("figures=none", "stats=none", "inputs.n=3", "--cfg", "job")  # a legal line prints its config


def command_line(number):
    draw = random.Random(number)
    words = [f"{draw.choice(KEYS)}={draw.choice(VALUES)}" for _ in range(draw.randint(1, 3))]
    if draw.random() < 0.15:
        words.insert(draw.randrange(len(words) + 1), draw.choice(JUNK))
    return [*words, "-m", "--dry-run"] if draw.random() < 0.3 else [*words, *SAFE]


@pytest.mark.slow
@pytest.mark.parametrize("block", [pytest.param(block, marks=pytest.mark.slow if block else ()) for block in range(10)])
def test_any_words_are_answered(kan_run, tmp_path, block):
    for number in range(40 * block, 40 * block + 40):
        argv = command_line(number)
        before = {*tmp_path.iterdir()}
        start = time.process_time()
        outcome = kan_run(*argv)
        assert time.process_time() - start < 5, argv
        assert outcome.code in (0, 2, 3), (argv, outcome.err)
        assert "Traceback" not in outcome.err, argv
        if outcome.code == 2:
            assert {*tmp_path.iterdir()} == before, argv
            assert outcome.err.strip(), argv
            assert len(max(outcome.err.split(), key=len)) <= 1000, argv
