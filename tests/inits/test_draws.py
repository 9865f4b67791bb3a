"""Compiled draws: the bits of the laws' own samples."""

import numpy as np
import pytest
import torch

from kancli.inits import draws, initialise
from kancli.inits.efficient_kan import EfficientKan
from kancli.inits.initialise import init_
from kancli.inits.knot_noise import PIECE, KnotNoise, pieces
from kancli.inits.laws import Normal, Uniform
from kancli.kan.base_functions import base_function
from kancli.kan.network import KAN
from kancli.seeding import stream
from tests.compiled import needs_numba

compiles = pytest.mark.slow  # a kernel takes some seconds of compilation

UNIT = (-1.0, 1.0)
LAWS = [
    (Uniform(-0.3, 0.7), (37, 211)),
    (Uniform(0.0, 1.0), (1, 3)),
    (KnotNoise(0.01, UNIT, 5, 3), (3 * PIECE // 8 + 1, 8, 8)),
    (KnotNoise(0.1, UNIT, 7, 2), (9, 4097, 9)),
    (KnotNoise(3.0, (-2.0, 0.5), 20, 4), (70, 101, 24)),
    (KnotNoise(1e-3, UNIT, 1, 1), (3, 5, 2)),
]


def filled(law, shape, dtype=np.float32):
    values = np.full(shape, np.nan, dtype)
    return values, draws.fill_compiled(law, values, generator=stream(3, "a"))


@compiles
@needs_numba
@pytest.mark.parametrize(("law", "shape"), LAWS)
def test_a_compiled_draw_has_the_bits_of_the_law(law, shape):
    values, is_filled = filled(law, shape)
    assert is_filled
    assert np.array_equal(values, law.sample(shape, generator=stream(3, "a")).astype(np.float32))


@compiles
@needs_numba
def test_what_may_be_rounded_either_way_is_fitted_by_the_law(monkeypatch):
    law, shape, n_fitted, solver = KnotNoise(0.1, UNIT, 5, 3), (2 * PIECE + 5, 8), [], draws._solver
    expected = law.sample(shape, generator=stream(3, "a")).astype(np.float32)
    sample = KnotNoise.sample

    def count(self, shape, **options):
        n_fitted.append(shape[0])
        return sample(self, shape, **options)

    monkeypatch.setattr(KnotNoise, "sample", count)
    monkeypatch.setattr(draws, "_solver", lambda law: (solver(law)[0], solver(law)[1] * 1e12))
    assert np.array_equal(filled(law, shape)[0], expected)
    assert n_fitted == [PIECE, PIECE + 5]
    n_fitted.clear()
    monkeypatch.setattr(draws, "_solver", lambda law: (solver(law)[0], solver(law)[1] * 0))
    assert np.array_equal(filled(law, shape)[0], expected)
    assert n_fitted == []


@needs_numba
def test_the_slack_covers_sums_in_another_order():
    law = KnotNoise(0.1, UNIT, 9, 3)
    _, slack = draws._solver(law)
    noise = law.half_width * (2 * stream(0, "b").random((10_000, 10)) - 1)
    products = noise[:, None] * law.inverse.numpy()  # [e, K, n]
    one, other = products.cumsum(-1)[..., -1], products[..., ::-1].cumsum(-1)[..., -1]
    assert (np.abs(one - other) > 0).any()
    assert (np.abs(one - other).max(0) <= slack[: products.shape[1]]).all()


@pytest.mark.parametrize(
    ("law", "shape", "dtype"),
    [
        (Normal(0.0, 1.0), (4, 4), np.float32),
        (KnotNoise(0.1, UNIT, 5, 3), (4, 4, 8), np.float64),
        (KnotNoise(0.0, UNIT, 5, 3), (4, 4, 8), np.float32),  # whose zeros have signs
    ],
)
def test_other_laws_and_dtypes_are_left_to_the_law(law, shape, dtype):
    values, is_filled = filled(law, shape, dtype)
    assert not is_filled
    assert np.isnan(values).all()


@compiles
@needs_numba
def test_a_model_is_the_same_with_and_without_kernels(monkeypatch):
    def model(n_members):
        silu = {"base_fun": base_function("silu"), "base_name": "silu"}
        return init_(KAN((40, 30, 2), grid=5, k=3, **silu, n_members=n_members), EfficientKan(), seed=5)

    monkeypatch.setattr(initialise, "BLOCK_NUMBERS", 1000)
    without = [model(None), model(3)]
    fills, fill = [], draws.fill_compiled

    def count(*args, **options):
        fills.append(fill(*args, **options))
        return fills[-1]

    monkeypatch.setattr(draws, "MIN_NUMBERS", 40 * 30 * 10)
    monkeypatch.setattr(initialise, "fill_compiled", count)
    small = KAN((3, 2), grid=5, k=3, base_fun=base_function("silu"), n_members=10_000)
    assert not draws.use_compiled(small), "a member decides"
    for expected, now in zip(without, [model(None), model(3)], strict=True):
        for name, tensor in expected.named_parameters():
            assert torch.equal(tensor, now.get_parameter(name)), name
    assert len(fills) > 40
    assert all(fills)


@pytest.mark.parametrize("n_edges", [1, PIECE - 1, PIECE, 2 * PIECE - 1, 2 * PIECE, 7 * PIECE + 1])
def test_pieces_cover_all_edges_and_none_is_small(n_edges):
    parts = pieces(n_edges)
    assert np.concatenate([np.arange(n_edges)[part] for part in parts]).tolist() == list(range(n_edges))
    assert min(len(range(n_edges)[part]) for part in parts) >= min(PIECE, n_edges)
    assert max(len(range(n_edges)[part]) for part in parts) < 2 * PIECE
