"""What a run prints: numbers of stats.json in plain words, and only the verdicts that need attention."""

import io
import re

import pytest

from kancli.config.validation import validate
from kancli.runs.console import show
from kancli.runs.experiment import compute
from kancli.runs.print_run import headline
from kancli.runs.short_summary import short_summary
from kancli.stats.glossary import meanings
from kancli.stats.options import Verdicts, statement
from kancli.stats.verdicts import Verdict


def printed(stats, verdicts, width=80):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(width))
        out = io.StringIO()
        show(short_summary(stats, verdicts, "a headline", width), out)
    return out.getvalue()


def test_the_summary_equals_its_golden_file(result, check_golden):
    check_golden("short_summary.txt", printed(result.stats, result.verdicts))


def test_the_table_has_the_numbers_of_the_statistics(result):
    rows = re.findall(r"^(\d) +(\d+) to (\d+) +(\S+) ± (\S+) +(\S+) ± (\S+) +(\S+) % +(\S+) %",
                      printed(result.stats, []), re.MULTILINE)  # fmt: skip
    assert len(rows) == 2
    for row, layer in zip(rows, result.stats["layers"], strict=True):
        numbers = [layer["layer"], layer["n_in"], layer["n_out"]]
        numbers += [layer[name][key] for name in ("preacts", "output") for key in ("mean", "node_std")]
        numbers += [100 * layer[name] for name in ("off_grid", "spline_share")]
        assert [float(cell) for cell in row] == pytest.approx(numbers, rel=0.05)


def test_a_narrow_terminal_gets_the_same_numbers(result):
    """Two lines for each layer; neither a number nor a title is cut."""
    layers = [
        {**layer, "preacts": {"mean": -1.234567e-05, "node_std": 1.234567e-10}} for layer in result.stats["layers"]
    ]
    narrow = printed({**result.stats, "layers": layers}, [], 60)
    assert max(map(len, narrow.splitlines())) <= 60
    wide = printed({**result.stats, "layers": layers}, [])
    assert sorted(narrow.replace("─", "").split()) == sorted(wide.replace("─", "").split())


def verdict(name, answer, value=0.3, threshold=0.5):
    return Verdict(name, value, threshold, answer, "layer 2")


def test_only_verdicts_that_warn_or_fail_are_printed(result):
    verdicts = [
        verdict("off_grid", "warn", 0.6),
        verdict("signal_vanishes", "fail", 0.0005, 0.001),
        verdict("rough", "pass"),
        verdict("linear", "undecided"),
        verdict("gradient_vanishes", None, None),
        verdict("gradient_explodes", None, None),
    ]
    lines = printed(result.stats, verdicts, 400).splitlines()
    start = lines.index("warn  most values off the grid: 60 %, layer 2; warns at 50 % or more")
    assert "Remedy: a wider grid.range" in lines[start + 1]
    assert lines[start + 2] == "fail  signal vanishes: 0.0005, layer 2; fails at 0.001 or less"
    assert lines[start + 4] == "1 check passed, 1 check undecided, 2 checks not measured; -v shows all"
    assert len(lines) == start + 5


@pytest.mark.parametrize("name", vars(Verdicts()))
def test_remedies_go_on_a_sentence_and_shares_are_in_per_cent(result, name):
    out = printed(result.stats, [verdict(name, "fail", 0.6)], 400)
    assert re.search(r"Remedy: [a-z]", out)
    is_share = meanings()[name].removeprefix("greatest ").removeprefix("least ").startswith("share of")
    assert ("60 %, layer 2" in out) == is_share


@pytest.mark.parametrize("name", ["non_finite", *vars(Verdicts())])
def test_every_verdict_can_be_printed(result, name):
    assert f"fail  {statement(name)}: " in printed(result.stats, [verdict(name, "fail")])


def test_without_statistics_the_checks_remain():
    settings = validate({"stats": {"level": "none"}})
    done = compute(settings)
    assert printed(done.stats, done.verdicts).splitlines()[-1] == "1 check passed; -v shows all"


@pytest.mark.parametrize(
    ("config", "typed", "expected"),
    [
        ({}, {}, "KAN 2-5-1, grid 5, k 3, base silu, init=default, seed 0, 100 samples: normal"),
        (
            {"base_fun": "identity", "init": {"scheme": "default", "noise_scale": 1.0, "noise_scale_base": 0.0}},
            {"init": "linear", "noise_scale": "1.0"},
            "KAN 2-5-1, grid 5, k 3, base identity, init=linear noise_scale=1, seed 0, 100 samples: normal",
        ),
        (
            {"n_seeds": 3, "seed": 2, "inputs": {"kind": "sobol", "n": 7}},
            {"inputs": "sobol"},
            "KAN 2-5-1, grid 5, k 3, base silu, init=default, 3 networks, seeds 2 to 4, 7 samples: sobol",
        ),
    ],
)
def test_the_headline_has_the_words_that_were_typed(config, typed, expected):
    assert headline(validate(config), typed) == expected


def test_a_run_prints_its_picture_and_last_its_folder(kan_run):
    outcome = kan_run("inputs.n=20")
    *_, picture, folder = outcome.out.splitlines()
    assert picture == f"picture: {folder}/figures/network.png"
    assert (outcome.cwd / folder / "run.json").is_file()
    assert not [line for line in outcome.out.splitlines() if line.startswith("scale_base")]
    verbose = kan_run("inputs.n=20", "-v").out
    assert "all edges linear" in verbose
    assert verbose.splitlines()[-1].startswith("outputs/")


def test_inputs_that_kept_their_knots_are_counted(kan_run, tmp_path):
    """One column has two values: knots at its samples would coincide."""
    (tmp_path / "d.csv").write_text("x,y\n" + "".join(f"{number / 20},{number % 2}\n" for number in range(20)))
    line = "1 input of layer 0 kept the knots of before: at the samples, new ones would coincide"
    for words in ([], ["-v"]):
        text = kan_run("inputs=d.csv", "grid.adapt=samples", "grid.eps=0", "figures=none", *words).out
        assert line in " ".join(text.split())
    assert "the knots of before" not in kan_run("grid.adapt=samples", "figures=none").out


def test_the_file_of_samples_is_named(kan_run, tmp_path):
    (tmp_path / "d.csv").write_text("1,2\n3,4\n5,6\n")
    assert kan_run("inputs=d.csv", "inputs.header=false").out.splitlines()[0].endswith("3 samples: d.csv")


def test_output_to_a_pipe_is_not_wrapped(kan_run, monkeypatch):
    monkeypatch.delenv("COLUMNS")
    lines = kan_run("init=symmetric", "figures=none").out.splitlines()
    assert max(map(len, lines)) > 150
    assert not [line for line in lines if len(line) > 1000]
