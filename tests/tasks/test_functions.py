"""The functions of the catalogue at given places, and the samples of a task."""

import math

import pytest
import torch

from kancli.tasks.catalogue import FEYNMAN, FUNCTIONS
from kancli.tasks.evaluate import evaluate
from kancli.tasks.functions import Feynman, Function

PLACES = torch.tensor([[0.3, -0.7], [-0.45, 0.8], [1.0, 1.0], [0.5, 0.2]], dtype=torch.float64)
# To ten digits, from the code of arXiv 2509.03417.
STUDY = {
    "f1": [-0.21, -0.36, 1, 0.1],
    "f2": [3.665691501, 0.7063189729, 2.718281828, 2.829217014],
    "f3": [0.774612548, 0.6316840925, 2.637732965, 1.443490893],
    "f4": [1.589835747e-06, 0.2799727258, 0.25, 0.2185109367],
    "f5": [-0.7690116195, 0.9711734191, -0.1572992071, -0.1479500122],
}
PLACE = torch.tensor([[0.3, -0.7, 0.4]], dtype=torch.float64)
PHYSICS = {
    "I.6.20": 0.5199096025,
    "I.6.20b": 0.04382075123,
    "I.12.11": 0.8067346938,
    "I.13.12": -0.7285714286,
    "I.16.6": -0.5063291139,
    "I.18.4": 0.6076923077,
    "I.26.2": -0.194489114,
    "I.27.6": 1.265822785,
    "I.29.16": 0.9043463535,
    "I.30.3": 0.09342273183,
    "I.40.1": 0.6041258122,
    "I.50.26": 0.3164690239,
    "II.2.42": 0.49,
    "II.6.15a": 0.02424175871,
    "II.11.7": 0.1065771913,
    "II.11.27": -0.1962616822,
    "II.35.18": 0.119505819,
    "II.36.38": 0.02,
    "III.10.19": 1.256980509,
    "III.17.37": -0.8934228087,
}
THREE_INPUTS = {"I.6.20b", "I.29.16", "II.6.15a", "II.11.7", "II.36.38", "III.17.37"}
# Mean and standard deviation of y that the study's own draw of 4000 samples has.
MOMENTS = {
    "f1": (-0.004, 0.334),
    "f2": (1.859, 1.398),
    "f3": (1.005, 0.455),
    "f4": (0.175, 0.149),
    "f5": (-0.008, 0.651),
}


@pytest.mark.parametrize("name", STUDY)
def test_the_study_s_functions(name):
    values = evaluate(FUNCTIONS[name].formula, PLACES)
    torch.testing.assert_close(values[:, 0], torch.tensor(STUDY[name], dtype=torch.float64), rtol=1e-9, atol=0)


@pytest.mark.parametrize("name", FEYNMAN)
def test_the_formulas_of_physics(name):
    assert float(evaluate(FEYNMAN[name].formula, PLACE)) == pytest.approx(PHYSICS[name], rel=1e-9)
    assert Feynman(name=name).n_in == (3 if name in THREE_INPUTS else 2)


def test_the_hard_functions():
    x = torch.tensor([[0.3, 0.4]], dtype=torch.float64)
    values = {name: float(evaluate(FUNCTIONS[name].formula, x)) for name in ("runge", "tanh50", "chirp", "cone")}
    assert values == pytest.approx(
        {
            "runge": 1 / 3.25,
            "tanh50": math.tanh(15),
            "chirp": math.sin(0.9 * math.pi),
            "cone": math.sqrt(0.26),
        }
    )
    assert FUNCTIONS["hello"].text == FUNCTIONS["f2"].text


def test_the_singular_ones_have_outliers():
    """The largest target over the median one tells poles from smooth functions."""
    for name, function in FEYNMAN.items():
        magnitudes = Feynman(name=name).data().train.y.abs()
        assert (float(magnitudes.max() / magnitudes.median()) > 15) == function.singular, name


@pytest.mark.parametrize("name", MOMENTS)
def test_the_moments_of_the_targets(name):
    y = Function(name=name).data().train.y
    mean, std = MOMENTS[name]
    assert float(y.mean()) == pytest.approx(mean, abs=5 * std / math.sqrt(2000))  # two draws of 4000
    assert float(y.std()) == pytest.approx(std, rel=0.05)


def test_the_protocol():
    data = Function(name="f1").data()
    assert (len(data.train.x), len(data.test.x), len(data.mesh.x)) == (4000, 1000, 200**2)
    assert data.mesh.x[0].tolist() == [-1, -1]
    assert data.mesh.x[-1].tolist() == [1, 1]
    assert data.mesh.x[1, 0] == -1  # the last input varies first
    assert -1 <= data.train.x.min() < -0.99
    assert 0.99 < data.train.x.max() < 1
    assert torch.equal(data.train.y[:, 0], data.train.x[:, 0] * data.train.x[:, 1])
    assert len(Feynman(name="I.29.16").data().mesh.x) == 30**3
    assert len(Function(name="runge").data().mesh.x) == 1000


def test_the_mesh_of_physics_avoids_the_poles():
    data = Feynman(name="I.18.4").data()
    assert float(data.mesh.y.max()) == pytest.approx(2e6, rel=1e-3)
    assert float(Feynman(name="I.27.6").data().mesh.y.max()) == pytest.approx(1e6, rel=1e-3)


def test_inputs_close_to_zero_are_moved():
    from kancli.tasks.catalogue import KnownFunction
    from kancli.tasks.sampling import regression

    wide = KnownFunction("1/x", low=-1.0, gap=0.5)
    x = regression(wide, n=1000, test_n=1, side=None, noise=0.0, seed=1).train.x
    assert float(x.abs().min()) == 0.5
    assert 400 < int((x == 0.5).sum() + (x == -0.5).sum()) < 600
    assert (x == 0.5).any()
    assert (x == -0.5).any()


def test_fewer_samples_are_the_first_ones():
    long, short = Function(name="f2").data(), Function(name="f2", n=101, test_n=7).data()
    assert torch.equal(long.train.x[:101], short.train.x)
    assert torch.equal(long.train.y[:101], short.train.y)
    assert torch.equal(long.test.y[:7], short.test.y)


def test_the_seed_changes_the_data_and_the_noise_the_targets_alone():
    data = Function(name="f2").data()
    assert not torch.equal(Function(name="f2", seed=43).data().train.x, data.train.x)
    noisy = Function(name="f2", noise=0.5).data()
    assert torch.equal(noisy.train.x, data.train.x)
    assert torch.equal(noisy.test.y, data.test.y)
    assert float((noisy.train.y - data.train.y).std()) == pytest.approx(0.5, rel=0.05)


def test_labels_and_widths():
    task = Function(name="f2")
    assert task.label == "f2: exp(sin(pi*x)+y^2)"
    assert not task.singular
    assert Feynman(name="I.13.12").singular
    assert task.faults((2, 5, 1)) == []
    assert task.faults((3, 8, 8, 1)) == [
        "width=3-8-8-1: the task f2: exp(sin(pi*x)+y^2) has 2 inputs and 1 output; type width=in-8-8-out"
    ]
