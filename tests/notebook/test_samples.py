"""Samples as people have them: each kind gives the right output or a one-line answer."""

import numpy as np
import pytest
import torch

from kancli import KAN

MODEL = KAN([2, 5, 1])
X = torch.randn(6, 2)


@pytest.mark.parametrize(
    ("x", "shape"),
    [
        (X[0], (1,)),
        (X.view(3, 2, 2), (3, 2, 1)),
        (X.view(1, 3, 1, 2, 2), (1, 3, 1, 2, 1)),
        (X[:0], (0, 1)),
        (X.view(3, 2, 2)[:0], (0, 2, 1)),
        (X.T.contiguous().T, (6, 1)),
    ],
)
def test_leading_axes_are_kept_as_by_a_linear_layer(x, shape):
    y = MODEL(x)
    assert y.shape == shape == torch.nn.Linear(2, 1)(x).shape
    assert torch.equal(y.reshape(-1, 1), MODEL(x.reshape(-1, 2)))


@pytest.mark.parametrize(
    ("x", "error", "match"),
    [
        (X.double(), TypeError, r"x is float64, the model float32: give x.to\(torch.float32\)"),
        (X.half(), TypeError, "x is float16"),
        (X.long(), TypeError, "x is int64"),
        (X > 0, TypeError, "x is bool"),
        (X + 0j, TypeError, "x is complex64"),
        (X.numpy(), TypeError, r"x is a numpy.ndarray: allowed: a tensor"),
        (X.tolist(), TypeError, "x is a list"),
        (np.float32(3), TypeError, "x is a numpy.float32"),
        (None, TypeError, "x is a NoneType"),
        (torch.randn(6, 3), ValueError, r"shape \[6, 3\]: 3 columns for 2 inputs"),
        (torch.randn(6, 1), ValueError, r"shape \[6, 1\]: 1 columns for 2 inputs"),
        (torch.randn(3), ValueError, r"shape \[3\]"),
        (torch.tensor(1.0), ValueError, r"shape \[\]: no axis for 2 inputs"),
        (X.to("meta"), ValueError, "x is on meta, the model on cpu"),
    ],
)
def test_other_samples_are_answered_in_one_line(x, error, match):
    for call in (MODEL, MODEL.trace):
        with pytest.raises(error, match=match) as caught:
            call(x)
        assert "\n" not in str(caught.value)


def test_samples_of_the_models_own_dtype_pass():
    for dtype in (torch.float64, torch.bfloat16):
        assert KAN([2, 5, 1]).to(dtype)(X.to(dtype)).dtype == dtype


def test_plot_takes_samples_of_any_leading_axes():
    model = KAN([2, 5, 1])
    model(X.view(3, 2, 2))
    assert torch.equal(model.last_inputs, X)
    assert model.plot()._repr_png_()


def test_refused_samples_are_not_kept():
    model = KAN([2, 5, 1])
    with pytest.raises(ValueError, match="3 columns"):
        model(torch.randn(6, 3))
    with pytest.raises(RuntimeError, match=r"model\(x\) first"):
        model.plot()


def test_the_default_dtype_of_torch_is_followed(default_float64):
    model = KAN([2, 5, 1])
    y = model(torch.randn(5, 2))
    assert y.dtype == torch.float64
    assert model.plot()._repr_png_()
    assert torch.equal(KAN([2, 5, 1], dtype="float32").layers[0].coef, MODEL.layers[0].coef)
    assert torch.equal(KAN([2, 5, 1], dtype="float64").layers[0].coef, model.layers[0].coef)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_computes_in_the_models_dtype(dtype):
    linear = torch.nn.Linear(2, 2)
    with torch.autocast("cpu", dtype=dtype):
        hidden = linear(X)
        y = MODEL(hidden)
        y.sum().backward()
        assert torch.is_autocast_enabled("cpu")
    assert hidden.dtype == dtype
    assert y.dtype == torch.float32
    assert torch.equal(y, MODEL(hidden.float()))
    assert linear.weight.grad.isfinite().all()
