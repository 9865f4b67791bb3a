"""The reference's six cases against the baselines in `outputs/reference`. `KANCLI_REWRITE=1` writes them anew, and the
pictures."""

import os
from pathlib import Path

import pytest

from kancli.compare.baseline import blessed
from kancli.compare.check import check, record_of
from kancli.compare.check_output import lines
from kancli.config.compose import compose
from kancli.config.validation import validate
from kancli.figures import compare
from kancli.figures import render as figures
from kancli.figures.data import FigureData
from kancli.figures.options import FigureOptions
from kancli.runs import experiment

FOLDER = Path(__file__).parents[2] / "outputs" / "reference"
CASES = ("default", "linear", "noisy", "very_noisy", "symmetric", "asymmetric")


def computed(case, presets):
    return experiment.compute(validate(compose([f"init={case}"], presets).config))


def scene(result):
    laws = experiment.laws_of(result.settings, result.model)
    return FigureData(result.figure_model, result.ranges, result.stats, result.activations, laws)


@pytest.mark.parametrize("case", CASES)
def test_the_case_is_what_it_was(case, presets):
    path = FOLDER / f"{case}.json"
    if os.environ.get("KANCLI_REWRITE") == "1":
        settings = validate(compose([f"init={case}"], presets).config)
        path.write_text(blessed(record_of(settings, case)))
        figure = figures.plot("network", scene(computed(case, presets)), FigureOptions(in_vars=("x", "y"), title=case))
        (FOLDER / f"{case}.png").write_bytes(figures.encode(figure, "png", 110))
    found = check(path)
    assert found.answer in ("match", "match within tier"), lines(found)


def test_the_plate_shows_the_six(presets):
    runs = [(case, scene(computed(case, presets))) for case in CASES]
    figure = compare.plot(runs, FigureOptions(in_vars=("x", "y"), out_vars=("f",)))
    if os.environ.get("KANCLI_REWRITE") == "1":
        (FOLDER / "plate.png").write_bytes(figures.encode(figure, "png", 75))
    titles = [each.get_text() for each in figure.artists if hasattr(each, "get_text")]
    assert [each for each in titles if each in CASES] == list(CASES)
    assert (FOLDER / "plate.png").read_bytes()[:4] == b"\x89PNG"
