"""The printed table equals its golden file, and its numbers are those of stats.json."""

import io
import re

import pytest

from kancli.config.validation import validate
from kancli.runs.console import STYLES, number, share, show
from kancli.runs.experiment import compute
from kancli.runs.summary import SPREADS, summary, verdict_table
from kancli.stats.options import WORST_FIRST
from kancli.stats.verdicts import Verdict


@pytest.fixture(autouse=True)
def width(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


def printed(stats, verdicts):
    out = io.StringIO()
    show(summary(stats, verdicts, "a headline"), out)
    return out.getvalue()


def test_the_table_equals_its_golden_file(result, check_golden):
    check_golden("summary.txt", printed(result.stats, result.verdicts))


def test_the_table_has_the_numbers_of_the_statistics(result):
    stats = result.stats
    rows = [
        re.split(r"\s{1,}", line.strip().replace(" %", "%"))
        for line in printed(stats, result.verdicts).splitlines()[3:7]
    ]
    for layer, means, stds in zip(stats["layers"], rows[::2], rows[1::2], strict=True):
        names = ("scale_base", "coef", "preacts", "postacts", "output")
        assert [float(cell) for cell in means[1:6]] == pytest.approx([layer[name]["mean"] for name in names], rel=5e-3)
        assert [float(cell[1:]) for cell in stds[1:6]] == pytest.approx(
            [layer[name][SPREADS[name]] for name in names], rel=5e-3
        )
        assert float(means[6].rstrip("%")) == pytest.approx(100 * layer["off_grid"], abs=0.5)
        assert float(means[7].rstrip("%")) == pytest.approx(100 * layer["spline_share"], rel=0.05)


def test_all_verdicts_but_pass_have_a_colour():
    assert set(STYLES) == set(WORST_FIRST) - {"pass"}
    verdicts = [Verdict("rough", 1.0, 2.0, word, "layer 0") for word in ("undecided", "pass", "warn", "fail")]
    styles = [row.style for row in verdict_table(verdicts).rows]
    assert styles == ["dim", None, "yellow", "bold red"]


def test_the_table_shows_the_collapse_of_the_nodes():
    """Every node comes to a constant of its own: a std over samples and nodes together would stay near 0.003."""
    config = {"width": [4, *[16] * 12, 2], "init": {"scheme": "efficient_kan"}, "dtype": "float64"}
    stats = compute(validate(config)).stats
    shown = re.findall(r"^\d+-\d+ .*?(\S+) *$", printed(stats, []), re.MULTILINE)
    stds = [float(std.removeprefix("±")) for std in shown]
    assert len(stds) == 13
    assert stds[-1] < 1e-6 < 1e-3 < stds[1]
    assert stats["layers"][-1]["output"]["std"] > 1000 * stds[-1]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 %"),
        (1, "100 %"),
        (0.996, "100 %"),
        (0.334, "33 %"),
        (0.05, "5 %"),
        (0.00042, "0.042 %"),
        (1e-9, "<0.01 %"),
        (None, "-"),
    ],
)
def test_shares_have_two_digits(value, text):
    assert share(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (-0.0, "0"), (None, "-"), (-0.00253, "-0.00253"), (1e30, "1e+30")]
)
def test_numbers_have_three_digits(value, text):
    assert number(value) == text


def test_a_network_of_any_size_fits_80_columns(result):
    stats = result.stats
    wide = {**stats, "layers": [{**layer, "n_in": 1000, "n_out": 1024} for layer in stats["layers"]]}
    for layer in wide["layers"]:
        for name in SPREADS.keys() & layer.keys():
            layer[name] = {"mean": -1.234567e-05, SPREADS[name]: 1.234567e-10}
    table = printed(wide, []).splitlines()[1:-2]
    assert max(map(len, table)) <= 80
    assert not any("…" in line for line in table)
