"""Tests of the kernels' parts: the cache, vectors, factors of the sums."""

import importlib
import sys

import numpy as np
import pytest
import torch

from kancli.kan import splines
from kancli.kan.base_functions import base_function
from tests.compiled import needs_numba

pytestmark = [
    needs_numba,
    pytest.mark.slow,  # the kernels are compiled first
]


def test_a_kernel_is_compiled_again_when_a_source_changes(tmp_path, monkeypatch):
    from kancli.kan.compiled import compile as compiling

    def answer(text):
        path = tmp_path / "own_kernel.py"
        path.write_text(
            f"from kancli.kan.compiled.compile import kernel\n\n@kernel\ndef f(x):\n    return x + {text}\n"
        )
        importlib.invalidate_caches()
        sys.modules.pop("own_kernel", None)
        compiling._sources.cache_clear()  # as in a new process
        module = importlib.import_module("own_kernel")
        return module.f(1), sum(module.f.stats.cache_hits.values())

    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert answer("1") == (2, 0)
    assert answer("1") == (2, 1)
    assert answer("2") == (3, 0)
    others = compiling._sources(str(tmp_path / "own_kernel.py"))
    (tmp_path / "own_kernel.py").write_text("")
    compiling._sources.cache_clear()
    assert compiling._sources(str(tmp_path / "own_kernel.py")) != others


def test_where_nothing_can_be_written_kernels_are_compiled_in_each_process(monkeypatch):
    from numba.core.dispatcher import Dispatcher

    from kancli.kan.compiled.compile import kernel

    def refuse(self):
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr(Dispatcher, "enable_caching", refuse)
    assert kernel(lambda x: 2 * x)(3) == 6


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("base", ["silu", "identity", "zero"])
def test_factors_are_bases_and_base_functions_with_their_derivatives(k, base):
    from kancli.kan.compiled.kernels import BASE_FUNCTIONS, all_factors, n_terms

    grid, low, high = 6, -1.0, 1.5
    x = np.random.default_rng(0).uniform(-5, 5, 200)
    factors, first = np.zeros((4, n_terms(k), len(x))), np.zeros(len(x), np.int32)
    scratch = np.zeros((k + 3, k + 1, len(x)))
    all_factors(x, len(x), grid, k, low, high, BASE_FUNCTIONS[base], factors, first, scratch)
    for order in range(min(k, 2) + 1):
        got = np.zeros((len(x), grid + 3 * k))  # bases that do not exist on either side
        for number, row in enumerate(first):
            got[number, row - 1 : row + k] = factors[order, 1 : k + 2, number]
        wanted = splines.basis(torch.from_numpy(x)[:, None], (low, high), grid, k, order)[:, 0].numpy()
        np.testing.assert_allclose(got[:, k : grid + 2 * k], wanted, rtol=1e-9, atol=1e-9)

    leaf = torch.from_numpy(x).requires_grad_()
    value = base_function(base)(leaf)
    for order in range(4):
        np.testing.assert_allclose(factors[order, 0], value.detach().numpy(), rtol=1e-9, atol=1e-12)
        value = torch.autograd.grad((value + 0 * leaf**4).sum(), leaf, create_graph=True)[0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_sigmoid(dtype):
    from kancli.kan.compiled.kernels import SILU, base_factors

    x = np.concatenate([np.linspace(-30, 30, 400), [-1e4, 1e4, -0.0, np.nan, np.inf]]).astype(dtype)
    factors = np.zeros((2, 1, len(x)), dtype)
    base_factors(x, len(x), SILU, factors)
    exact = torch.nn.functional.silu(torch.from_numpy(x).double()).numpy()
    tolerance = 20 * float(np.finfo(dtype).eps)
    np.testing.assert_allclose(factors[0, 0], exact, rtol=tolerance, atol=1e-30)
