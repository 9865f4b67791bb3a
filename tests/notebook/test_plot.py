"""Arguments of `plot()` and `KAN()`, held against the declarations of the command line."""

import io
import os
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

import kancli
from kancli import KAN
from kancli.errors import ConfigError


@pytest.fixture
def model():
    model = KAN([2, 5, 1])
    model(torch.randn(50, 2))
    return model


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"metric": "forward_n"}, "metric=forward_n: allowed: one of mean_abs, std; forward_n is pykan's"),
        ({"metric": "stt"}, "metric=stt: allowed: one of mean_abs, std"),
        ({"folder": "./figures"}, r"folder=./figures: plot\(\) writes no file; type .*savefig"),
        ({"varscale": 2}, "varscale=2: .*scale changes both"),
        ({"in_var": ["a", "b"]}, "in_var=.*did you mean in_vars"),
        ({"format": "svg"}, "format=svg: .*no such argument"),
        ({"in_vars": ["a", "b", "c"]}, r"in_vars=\[a,b,c\]: 3 names for 2 nodes; give 2"),
        ({"in_vars": []}, "0 names for 2 nodes"),
        ({"out_vars": ["a", "b"]}, "out_vars=.*2 names for 1 nodes"),
        ({"in_vars": "ab"}, "in_vars=ab: allowed: list"),
        ({"in_vars": 3}, "in_vars=3: allowed: list"),
        ({"in_vars": ["a", None]}, "entry 1 is null"),
        ({"in_vars": ["a", " "]}, "entry 1"),
        ({"beta": -1}, "beta=-1: allowed: finite number, > 0"),
        ({"beta": "./figures"}, "beta=./figures"),
        ({"beta": float("nan")}, "beta=nan"),
        ({"scale": 0}, "scale=0: allowed: finite number, >= 0.1 and <= 10"),
        ({"tick": 3}, "tick=3: allowed: true or false"),
        ({"title": ["a"]}, "title="),
        ({"dpi": 5}, "dpi=5: allowed: integer, 20 to 1200"),
    ],
)
def test_values_that_are_not_legal_are_answered(model, arguments, match):
    with pytest.raises(ConfigError, match=match):
        model.plot(**arguments)


def texts(figure):
    return [text.get_text() for text in figure.findobj(Text)]


@pytest.mark.parametrize("names", [[0, 1], np.array([0, 1]), range(2), np.array(["0", "1"])])
def test_names_may_be_numbers_and_arrays(model, names):
    assert {"0", "1"} <= set(texts(model.plot(in_vars=names)))


def test_numbers_of_numpy_and_other_options(model):
    figure = model.plot(np.float32(3), scale=np.int64(1), tick=np.True_, title=5, style="dark", dpi=50, parts=True)
    assert "5" in texts(figure)
    assert figure.dpi == 50


@pytest.mark.parametrize(
    ("name", "is_math"),
    [
        (r"$\alpha$", True),
        ("price $x_1$ of it", True),
        ("$", False),
        ("price in $", False),
        ("$5 and $6", False),
        (r"$\nothing$", False),
        ("$$", False),
        (r"5\$", False),
        ("plain", False),
    ],
)
def test_mathematics_between_dollars_is_set(model, name, is_math):
    figure = model.plot(in_vars=[name, "x"], title=name)
    drawn = [text for text in figure.findobj(Text) if text.get_text() == name]
    assert len(drawn) == 2
    assert all(text.get_parse_math() is is_math for text in drawn)
    assert figure._repr_png_()


def test_long_mathematics_is_not_cut(model):
    name = r"$\mathrm{temperature}_{\mathrm{out}}$"
    assert name in texts(model.plot(in_vars=[name, "x"]))


def test_pyplot_saves_the_diagram(model):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    assert mpl.get_backend().lower() == "agg"
    pyplot.close("all")
    figures = [model.plot(), model.plot()]
    assert pyplot.gcf() is figures[-1]
    assert len(pyplot.get_fignums()) == 1
    buffer = io.BytesIO()
    pyplot.savefig(buffer, format="png")
    assert (pyplot.imread(io.BytesIO(buffer.getvalue()))[..., :3] < 1).any()
    assert all(figure._repr_png_() for figure in figures)
    pyplot.close("all")


def test_a_saved_diagram_has_the_pixels_of_matplotlib(model):
    figure = model.plot()
    images = [io.BytesIO(), io.BytesIO()]
    figure.savefig(images[0], format="png")
    FigureCanvasAgg(figure).print_png(images[1])
    assert np.array_equal(*(mpl.image.imread(io.BytesIO(image.getvalue())) for image in images))


WITHOUT_PYPLOT = """
import sys, torch
from kancli import KAN
model = KAN(width=[2, 5, 1], init="linear")
model(torch.zeros(9, 2))
first, figure = model.plot(), model.plot()
figure.savefig("figure.png")
assert "matplotlib.pyplot" not in sys.modules
import matplotlib.pyplot as plt
assert plt.gcf() is figure
assert len(plt.get_fignums()) == 1
other = plt.figure()
assert (plt.gcf(), len(plt.get_fignums())) == (other, 2)
third = model.plot()
assert (plt.gcf(), len(plt.get_fignums())) == (third, 2)
plt.savefig("third.png")
plt.close("all")
"""


@pytest.mark.slow
def test_a_diagram_needs_no_pyplot_where_nothing_is_shown(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    environment |= {"PYTHONPATH": str(Path(kancli.__file__).parents[1])}
    environment.pop("MPLBACKEND", None)
    subprocess.run([sys.executable, "-c", WITHOUT_PYPLOT], env=environment, cwd=tmp_path, check=True)
    assert (tmp_path / "figure.png").read_bytes() == (tmp_path / "third.png").read_bytes()


RECORDING_BACKEND = """
from matplotlib.backend_bases import FigureManagerBase, Gcf
from matplotlib.backends.backend_agg import FigureCanvasAgg

class FigureManager(FigureManagerBase):
    @classmethod
    def pyplot_show(cls, *args, **kwargs):
        print("shown:", *(manager.canvas.figure.get_label() for manager in Gcf.get_all_fig_managers()))

class FigureCanvas(FigureCanvasAgg):
    manager_class = FigureManager
"""
SCRIPT = """
import torch
{before}
from kancli import KAN
model = KAN(width=[2, 5, 1], init="linear")
model(torch.zeros(9, 2))
figure = model.plot()
figure.set_label("the diagram")
import matplotlib.pyplot as plt
assert plt.gcf() is figure
plt.show()
"""


@pytest.mark.slow
@pytest.mark.parametrize("before", ["", "import matplotlib.pyplot as plt"])
def test_a_script_shows_the_diagram(tmp_path, before):
    (tmp_path / "recording.py").write_text(RECORDING_BACKEND)
    path = os.pathsep.join([str(tmp_path), str(Path(kancli.__file__).parents[1])])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(before=before)],
        env={**os.environ, "MPLBACKEND": "module://recording", "PYTHONPATH": path},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("shown: the diagram\n", "")


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"n_seeds": 3}, r"n_seeds=3: KAN\(\) is one model.*KAN\.load"),
        ({"inputs": "normal"}, "inputs=normal: a key of kan-run"),
        ({"strict": True, "figures": "all"}, "strict=true: a key of kan-run(.|\n)*figures=all"),
        ({"auto_save": False}, "auto_save=false: an argument of pykan"),
        ({"gian": 2}, "gian=2"),
        ({"base_fun": 3}, "base_fun=3: allowed: one of"),
        ({"base_fun": "sliu"}, "did you mean silu"),
        ({"width": 3}, "width=3: allowed: list"),
        ({"grid_range": 3}, "grid.range=3: allowed: two finite numbers"),
        ({"device": "cude"}, "device=cude: allowed: a device of torch"),
        ({"dtype": torch.float16}, "dtype=float16: allowed: one of float32, float64"),
    ],
)
def test_arguments_of_a_model_are_answered(arguments, match):
    with pytest.raises(ConfigError, match=match):
        KAN(**{"width": [2, 5, 1], **arguments})


def test_a_width_may_be_typed_as_on_the_command_line():
    assert KAN("2-5-1").width == KAN((2, 5, 1)).width == (2, 5, 1)


def test_a_base_function_with_parameters_of_its_own():
    model = KAN([2, 5, 1], base_fun=torch.nn.PReLU())
    model(torch.randn(20, 2)).sum().backward()
    assert model.layers[0].base_fun.weight.grad is not None
    assert model.plot()._repr_png_()
