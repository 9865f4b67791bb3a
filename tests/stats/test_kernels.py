"""The sums of numba's kernels have the bits of numpy's."""

import numpy as np
import pytest
import torch

from kancli.inits.initialise import init_
from kancli.inits.reference import Reference
from kancli.kan.base_functions import base_function
from kancli.kan.network import KAN
from kancli.stats import kernels, slopes
from kancli.stats.collector import Collector
from kancli.stats.gradients import measure_gradients
from tests.compiled import needs_numba

compiles = pytest.mark.slow  # the kernels take ten seconds of compilation

CASES = {
    "one network": {},
    "a single edge": {"width": [1, 1]},
    "members with the same samples": {"n_members": 3},
    "members with their own": {"n_members": 3, "own_samples": True},
    "float64": {"dtype": torch.float64},
    "knots of their own": {"own_knots": True},
    "knots of members": {"own_knots": True, "n_members": 3},
    "steps": {"k": 0},
    "fine grid": {"grid": 60},
    "far off the grid": {"scale": 30.0},
    "NaN": {"first": np.nan},
    "infinity": {"first": -np.inf},
    "equal samples": {"scale": 0.0},
}


def statistics(
    width=(3, 4, 2),
    n_members=None,
    own_samples=False,
    own_knots=False,
    scale=1.0,
    first=None,
    dtype=torch.float32,
    grid=5,
    k=3,
):
    """All arrays of the statistics, and ranges; in chunks that the first samples do not end with."""
    silu = base_function("silu")
    model = KAN(width, grid=grid, k=k, base_fun=silu, base_name="silu", n_members=n_members, dtype=dtype)
    init_(model, Reference(), seed=0)
    for layer in model.layers if own_knots else ():
        layer.use_per_input_knots_()
        layer.knots *= torch.linspace(0.9, 1.1, layer.n_in, dtype=dtype)[:, None]
    shape = (n_members, 90, width[0]) if own_samples else (90, width[0])
    x = scale * torch.from_numpy(np.random.default_rng(0).normal(size=shape)).to(dtype)
    if first is not None:
        x[..., 0, 0] = first
    collector = Collector(model, level="full", n_first=50, n_quantiles=70, ranges=True)
    for chunk in x.split(40, dim=-2):
        collector.update(model.trace(chunk))
    stats, ranges = collector.compute(measure_gradients(model, x))
    parts = [part for layer in stats.layers for part in (layer.layer, layer.nodes, layer.edges)]
    return dict(leaves({"stats": parts, "ranges": [vars(layer) for layer in ranges]}))


def leaves(value, path=""):
    if isinstance(value, dict | list):
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, f"{path}.{name}")
    else:
        yield path, value


@compiles
@needs_numba
@pytest.mark.parametrize("case", CASES)
def test_kernels_have_the_bits_of_numpy(monkeypatch, case):
    found = {}
    for name, least in (("numpy", 2**62), ("numba", 0)):
        monkeypatch.setattr(kernels, "MIN_NUMBERS", least)
        assert (kernels.loaded(np.zeros(1)) is None) == (name == "numpy")
        found[name] = statistics(**CASES[case])
    assert len(found["numpy"]) > 50
    assert found["numpy"].keys() == found["numba"].keys()
    for path, values in found["numpy"].items():
        np.testing.assert_array_equal(found["numba"][path], values, err_msg=path)


@compiles
@needs_numba
@pytest.mark.parametrize("grid", [1, 5])
def test_products_of_bases_have_the_bits_of_numpy(monkeypatch, grid):
    """Of one interval and one input the last product is a single column."""
    layer = KAN([1, 1], grid=grid, k=3, base_fun=torch.zeros_like, dtype=torch.float64).layers[0]
    local = layer.local_basis(torch.from_numpy(np.random.default_rng(0).normal(size=(1, 90, 1))))
    found = []
    for least in (2**62, 0):
        monkeypatch.setattr(kernels, "MIN_NUMBERS", least)
        found.append(slopes._mean_products(local))
    assert found[0].any(axis=2).all()
    np.testing.assert_array_equal(found[0], found[1])


@needs_numba
def test_kernels_are_loaded_after_a_while(monkeypatch):
    monkeypatch.setattr(kernels, "_summed", 0)
    monkeypatch.setattr(kernels, "MIN_NUMBERS", 100)
    kernels.count(99)
    assert kernels.loaded(np.zeros(1)) is None
    kernels.count(1)
    assert kernels.loaded(np.zeros(1)) is not None
    assert kernels.loaded(np.zeros(1, np.float16)) is None


def test_without_numba_numpy_sums(monkeypatch):
    monkeypatch.setattr(kernels.compiled, "is_available", lambda: False)
    monkeypatch.setattr(kernels, "MIN_NUMBERS", 0)
    kernels._module.cache_clear()
    try:
        assert kernels.loaded(np.zeros(1)) is None
    finally:
        kernels._module.cache_clear()
