"""The reference's code with only its import changed, and the bits of the command line."""

import io
import random

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from kancli.errors import ConfigError
from kancli.notebook import KAN, create_dataset

# The six cells of the reference, as they stand there, and the preset that is the same case.
CELLS = {
    "default": lambda width: KAN(width=width, grid=5, k=3, seed=0),
    "linear": lambda width: KAN(
        width=width, grid=5, k=3, seed=0, noise_scale_base=0.0, base_fun=lambda x: x, noise_scale=0.0
    ),
    "noisy": lambda width: KAN(width=width, grid=5, k=3, seed=0, noise_scale=1.0),
    "very_noisy": lambda width: KAN(width=width, grid=5, k=3, seed=0, noise_scale=10.0),
    "symmetric": lambda width: KAN(width=width, grid=5, k=3, seed=0, noise_scale_base=0.0),
    "asymmetric": lambda width: KAN(width=width, grid=5, k=3, seed=0, noise_scale_base=1.0),
}


@pytest.mark.parametrize(
    "case", [case if case in ("default", "linear") else pytest.param(case, marks=pytest.mark.slow) for case in CELLS]
)
def test_a_cell_gives_the_bits_of_the_command_line(kan_run, case):
    outcome = kan_run(f"init={case}")
    assert outcome.code == 0
    params = load_file(outcome.folder / "params.safetensors")
    activations = load_file(outcome.folder / "activations.safetensors")
    width = [2, 5, 1]
    model = CELLS[case](width)
    assert width == [2, 5, 1]
    state = model.state_dict()
    assert set(state) == set(params)
    assert all(torch.equal(state[name], params[name]) for name in params)
    assert torch.equal(model(activations["inputs"]), activations["output"])


def test_the_linear_case_is_a_straight_line():
    model = CELLS["linear"]([2, 5, 1])
    x = torch.randn(50, 2)
    for layer, trace in zip(model.layers, model.trace(x), strict=True):
        wanted = layer.scale_base * trace.preacts.unsqueeze(-1)
        assert torch.equal(trace.postacts, wanted)


def test_plot_gives_a_figure_that_shows_itself():
    model = CELLS["default"]([2, 5, 1])
    model(torch.normal(0, 1, size=(100, 2)))
    figure = model.plot(beta=100, title="KAN", in_vars=["a", "b"])
    assert figure._repr_png_().startswith(b"\x89PNG")
    figure.savefig(io.BytesIO(), format="svg")


def test_plot_before_a_forward_pass_says_what_to_do():
    with pytest.raises(RuntimeError, match=r"model\(x\) first"):
        CELLS["default"]([2, 5, 1]).plot()


def test_no_side_effects(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    before = (torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate())
    model = KAN(width=[2, 5, 1], seed=3)
    model(torch.zeros(4, 2))
    model.plot()
    create_dataset(lambda x: x[:, [0]])
    after = (torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate())
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_mistakes_are_told():
    with pytest.raises(ConfigError, match="gain=2"):
        KAN(width=[2, 1], gain=2)
    with pytest.raises(ConfigError, match="k=-1"):
        KAN(width=[2, 1], k=-1)


def test_numbers_of_numpy_are_numbers():
    model = KAN(np.array([2, 3]), grid=np.int64(4), seed=np.int64(3), noise_scale=np.float32(0.5))
    assert torch.equal(model.layers[0].coef, KAN([2, 3], grid=4, seed=3, noise_scale=0.5).layers[0].coef)


def test_plot_after_the_model_has_changed_its_type():
    model = KAN([2, 1], base_fun="identity")
    x = torch.randn(5, 2)
    model(x)
    x.zero_()
    figure = model.double().plot()
    assert figure._repr_png_()


def test_double_precision_and_another_range():
    model = KAN(width=(2, 1), grid=4, dtype=torch.float64, grid_range=[-2, 3])
    assert model.layers[0].coef.dtype == torch.float64
    assert model.layers[0].knots[3] == -2
    assert model.layers[0].knots[-4] == 3
