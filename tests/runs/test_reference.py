"""The reference's six cases equal the baselines and pictures in `outputs/reference`; `pytest --rewrite-golden` rewrites
both."""

import hashlib
import io
import json
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.image import imread
from matplotlib.text import Text

from kancli.compare.baseline import format_blessed
from kancli.compare.check import check, compute_record
from kancli.compare.check_output import format_lines
from kancli.config.compose import compose
from kancli.config.presets import Presets, builtin_folder
from kancli.config.validation import validate
from kancli.figures import compare, render
from kancli.figures.data import FigureData
from kancli.figures.options import FigureOptions
from kancli.runs import experiment
from kancli.runs.build import laws_of

FOLDER = Path(__file__).parents[2] / "outputs" / "reference"
CASES = ("default", "linear", "noisy", "very_noisy", "symmetric", "asymmetric")
MATCHES = ("match", "match within tolerance")
PICTURES = Path(__file__).parents[1] / "golden" / "pictures.json"
MAX_DIFFERENCE = 2 / 255  # of a colour channel: the last digits of a curve differ between processors


@pytest.fixture(scope="module")
def rewrite(pytestconfig):
    return pytestconfig.getoption("--rewrite-golden")


def settings_of(case):
    return validate(compose([f"init={case}"], Presets([builtin_folder()])).config)


def figure_data(case):
    result = experiment.compute(settings_of(case))
    laws = laws_of(result.settings, result.model)
    return FigureData(result.figure_model, result.ranges, result.stats, result.activations, laws)


@pytest.fixture(scope="module")
def figures():
    """The figure of each case and the plate of all, by the name of the picture."""
    data = {case: figure_data(case) for case in CASES}
    drawn = {case: render.plot("network", data[case], FigureOptions(in_vars=("x", "y"), title=case)) for case in CASES}
    plate = compare.plot(list(data.items()), FigureOptions(in_vars=("x", "y"), out_vars=("f",)))
    return {**drawn, "plate": plate}


@pytest.fixture(scope="module")
def pictures(figures, rewrite):
    """The version of matplotlib that drew the committed pictures, and digests of their pixels."""
    if rewrite:
        for name, figure in figures.items():
            picture(name).write_bytes(encode(name, figure))
        digests = {name: digest(imread(picture(name))) for name in figures}
        PICTURES.write_text(json.dumps({"matplotlib": mpl.__version__, "pixels": digests}, indent=1) + "\n")
    return json.loads(PICTURES.read_text())


def picture(name):
    return FOLDER / f"{name}.png"


def encode(name, figure):
    return render.encode(figure, "png", 75 if name == "plate" else 110)


def digest(pixels):
    return hashlib.sha256(np.round(pixels * 255).astype(np.uint8).tobytes()).hexdigest()


@pytest.mark.parametrize("case", CASES)
def test_each_case_matches_its_baseline(case, rewrite):
    path = FOLDER / f"{case}.json"
    result = check(path)
    if rewrite and result.answer not in MATCHES:
        path.write_text(format_blessed(compute_record(settings_of(case), case)))
        result = check(path)
    assert result.answer in MATCHES, format_lines(result)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*CASES, "plate"])
def test_each_picture_is_what_is_drawn_now(name, figures, pictures):
    committed = imread(picture(name))
    assert digest(committed) == pictures["pixels"][name]
    if mpl.__version__ == pictures["matplotlib"]:  # other versions may place pixels differently
        drawn = imread(io.BytesIO(encode(name, figures[name])), format="png")
        assert drawn.shape == committed.shape
        assert np.abs(drawn - committed).max() <= MAX_DIFFERENCE


def test_the_plate_shows_the_six_cases(figures):
    titles = [artist.get_text() for artist in figures["plate"].artists if isinstance(artist, Text)]
    assert [title for title in titles if title in CASES] == list(CASES)
