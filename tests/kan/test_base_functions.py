"""b(x) by name: known values, and nothing but what is on the list."""

import math
import re

import pytest
import torch

from kancli.kan.base_functions import NAMES, base_function


@pytest.mark.parametrize("name", NAMES)
def test_elementwise_and_finite(name):
    x = torch.linspace(-3, 3, 13)
    y = base_function(name)(x)
    assert y.shape == x.shape
    assert y.isfinite().all()
    torch.testing.assert_close(y[3:5], base_function(name)(x[3:5]))
    assert torch.equal(y, base_function(name)(x)), "draws nothing"


@pytest.mark.parametrize(
    ("name", "x", "y"),
    [
        ("silu", 1.0, 1 / (1 + math.exp(-1))),
        ("identity", -2.5, -2.5),
        ("zero", 4.0, 0.0),
        ("tanh", 0.5, math.tanh(0.5)),
        ("square", -3.0, 9.0),
    ],
)
def test_known_values(name, x, y):
    assert base_function(name)(torch.tensor(x)).item() == pytest.approx(y, rel=1e-6)


@pytest.mark.parametrize("name", ["load", "dropout", "rrelu", "__class__", "nn.init.normal_", "os.system", ""])
def test_other_names_are_refused(name):
    with pytest.raises(KeyError, match=re.escape(repr(name))):
        base_function(name)
