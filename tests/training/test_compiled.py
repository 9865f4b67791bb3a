"""Tests of numba's kernels: the numbers of torch's automatic differentiation, and bits that depend on nothing else."""

import dataclasses

import pytest
import torch

from kancli.kan import compiled
from kancli.tasks.task import Differential, Regression, Samples
from kancli.training.evaluation import squared_errors
from kancli.training.fit import fit_
from kancli.training.kernels import torch_seconds, use_compiled
from kancli.training.objectives import DifferentialObjective, RegressionObjective
from kancli.training.options import Train
from kancli.training.parameters import ParameterRows
from tests.compiled import needs_numba
from tests.training.networks import burgers, kan, regression

compiles = pytest.mark.slow  # a kernel takes ten seconds of compilation


def both(model, data, step=0, batch=None, only=None):
    """The evaluations by torch and by numba."""
    from kancli.training.compiled import CompiledRegression

    members = list(range(model.n_members))
    options = {"batch": batch, "seeds": members, "penalty": None}
    return [
        kind(ParameterRows(model, only), members, data, **options).evaluate(step)
        for kind in (RegressionObjective, CompiledRegression)
    ]


@compiles
@needs_numba
@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("base", ["silu", "identity", "zero"])
def test_loss_and_gradients_are_those_of_automatic_differentiation(k, base):
    model = kan((2, 5, 9, 2), k=k, grid=4, base=base, bias=k % 2 == 0, n_members=2, size=0.6)
    by_torch, by_numba = both(model, regression(n=75, n_out=2, low=-2.5, high=2.5))
    torch.testing.assert_close(by_numba.loss, by_torch.loss, rtol=1e-11, atol=0)
    torch.testing.assert_close(by_numba.grads, by_torch.grads, rtol=1e-9, atol=1e-11)


@compiles
@needs_numba
@pytest.mark.parametrize("options", [{"batch": 9}, {"only": ("scale_sp", "bias")}])
def test_batches_and_parameters_that_do_not_train(options):
    model = kan((2, 3, 1), n_members=3, bias=True)
    by_torch, by_numba = both(model, regression(), step=4, **options)
    torch.testing.assert_close(by_numba.loss, by_torch.loss, rtol=1e-11, atol=0)
    torch.testing.assert_close(by_numba.grads, by_torch.grads, rtol=1e-9, atol=1e-11)


@compiles
@needs_numba
def test_edges_that_are_off():
    model = kan((2, 3, 1), n_members=2, masked=True)
    first, second = (layer.mask for layer in model.layers)
    assert first is not None
    assert second is not None
    first[0, 1, 2] = second[1, 0, 0] = False
    by_torch, by_numba = both(model, regression())
    torch.testing.assert_close(by_numba.loss, by_torch.loss, rtol=1e-11, atol=0)
    torch.testing.assert_close(by_numba.grads, by_torch.grads, rtol=1e-9, atol=1e-11)


@compiles
@needs_numba
@pytest.mark.parametrize("rba", ["published", "none"])
@pytest.mark.parametrize("k", [2, 3, 4])
@pytest.mark.parametrize("base", ["silu", "identity"])
def test_residuals_of_equations(rba, k, base):
    from kancli.training.compiled import CompiledDifferential

    data, model = burgers(n=26, rba=rba, residual_weight=0.7), kan((2, 5, 9, 1), k=k, base=base, n_members=2, bias=True)
    by_torch, by_numba = (
        kind(ParameterRows(model, None), [0, 1], data).evaluate(0)
        for kind in (DifferentialObjective, CompiledDifferential)
    )
    torch.testing.assert_close(by_numba.loss, by_torch.loss, rtol=1e-11, atol=0)
    torch.testing.assert_close(by_numba.grads, by_torch.grads, rtol=1e-8, atol=1e-10)
    torch.testing.assert_close(by_numba.rba, by_torch.rba, rtol=1e-9, atol=0)


@compiles
@needs_numba
def test_equations_with_a_mixed_derivative():
    from kancli.training.compiled import CompiledDifferential

    @dataclasses.dataclass(frozen=True)
    class Mixed(Differential):
        def residual(self, x, u):
            return u[(0, 1)] * u[(0,)] + u[(0, 0)] - x[..., :1] * u[()]

    like, model = burgers(n=5, rba="none"), kan((2, 3, 1), n_members=1)
    data = Mixed(like.collocation, like.boundary, like.mesh, ((0,), (0, 0), (0, 1)), "none")
    by_torch, by_numba = (
        kind(ParameterRows(model, None), [0], data).evaluate(0)
        for kind in (DifferentialObjective, CompiledDifferential)
    )
    torch.testing.assert_close(by_numba.loss, by_torch.loss, rtol=1e-11, atol=0)
    torch.testing.assert_close(by_numba.grads, by_torch.grads, rtol=1e-8, atol=1e-10)


@compiles
@needs_numba
def test_samples_on_knots_and_off_the_grid():
    x = torch.tensor([-1.0, 1.0, -0.6, 0.2, -2.2, 2.2, 2.3, 50.0, -1e30], dtype=torch.float64)[:, None].repeat(1, 2)
    data = Regression(Samples(x, x[:, :1].clamp(-1, 1)), None, None)
    by_torch, by_numba = both(kan((2, 1), n_members=1, base="zero"), data)
    torch.testing.assert_close(by_numba.loss, by_torch.loss, rtol=1e-11, atol=0)
    torch.testing.assert_close(by_numba.grads, by_torch.grads, rtol=1e-9, atol=1e-11)


@compiles
@needs_numba
def test_float32_training_follows_float64():
    data = regression(n=300)
    train = Train(optimizer="adam", lr=0.01, steps=200, every=50, compile=True)
    exact = fit_(kan(bias=True), data, dataclasses.replace(train, compile=False))
    result = fit_(kan(bias=True, dtype=torch.float32), data, train)
    assert (exact.kernel, result.kernel) == ("torch", "numba")
    for mine, theirs in zip(result.rows, exact.rows, strict=True):
        torch.testing.assert_close(mine.train_loss, theirs.train_loss, rtol=1e-4, atol=0)


@compiles
@needs_numba
@pytest.mark.parametrize("threads", [1, 3])
def test_bits_depend_on_neither_threads_nor_members(threads):
    data = regression(n=1500)
    train = Train(optimizer="adam", lr=0.01, steps=5, every=1, compile=True)
    model, before = kan(n_members=4, dtype=torch.float32), torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        together = fit_(model, data, train)
    finally:
        torch.set_num_threads(before)
    for member in (0, 3):
        single = kan(seed=member, dtype=torch.float32)
        alone = fit_(single, data, train)
        assert [float(row.train_loss[member]) for row in together.rows] == [float(row.train_loss) for row in alone.rows]
        for mine, theirs in zip(model.parameters(), single.parameters(), strict=True):
            assert torch.equal(mine[member], theirs)


@compiles
@needs_numba
def test_a_sample_that_is_not_a_number_is_divergence():
    data = regression()
    data.train.x[3, 0] = torch.nan
    result = fit_(kan(dtype=torch.float32), data, Train(optimizer="adam", steps=3, compile=True))
    assert result.stops[0].describe() == "diverged at step 0: layers.0.output"


def test_auto_is_a_function_of_the_sizes(monkeypatch):
    monkeypatch.setattr(compiled, "is_available", lambda: True)
    data, long = regression(n=4000), Train(optimizer="adam", steps=10**5)
    assert use_compiled(kan(), data, long, None, None)
    assert not use_compiled(kan(), data, Train(optimizer="adam", steps=20), None, None)
    assert not use_compiled(kan(), data, dataclasses.replace(long, compile=False), None, None)
    assert not use_compiled(kan(), data, long, None, "torch")
    assert use_compiled(kan(), data, Train(optimizer="adam", steps=20), None, "numba")
    assert torch_seconds(kan(n_members=20), data, long) > 5 * torch_seconds(kan(), data, long)


@pytest.mark.parametrize(
    ("model", "train"),
    [
        (kan(base="tanh"), {}),
        (kan(k=0), {}),
        (kan(standardise=True), {}),
        (kan(), {"adapt_every": 5}),
    ],
    ids=["base function", "steps", "standardised", "adapted"],
)
def test_what_the_kernels_lack_is_left_to_torch(monkeypatch, model, train):
    monkeypatch.setattr(compiled, "is_available", lambda: True)
    long = Train(optimizer="adam", steps=10**6, compile=True, **train)
    assert not use_compiled(model, regression(), long, None, None)


def test_without_numba_true_says_what_to_install(monkeypatch):
    monkeypatch.setattr(compiled, "is_available", lambda: False)
    with pytest.raises(ValueError, match=r"pip install 'kancli\[fast\]'"):
        fit_(kan(), regression(), Train(optimizer="adam", steps=1, compile=True))
    assert fit_(kan(), regression(), Train(optimizer="adam", steps=1)).kernel == "torch"


@compiles
@needs_numba
@pytest.mark.parametrize("n", [1, 33, 700])
def test_errors_on_samples_that_do_not_train(n):
    from kancli.training.compiled_evaluation import MemberTables, squared_errors_by_tables

    model = kan((2, 5, 9, 2), bias=True, masked=True, n_members=3, size=0.6)
    mask = model.layers[1].mask
    assert mask is not None
    mask[1, 0, 2] = False
    samples = regression(n=n, n_out=2, low=-2.5, high=2.5).train
    tables = MemberTables(ParameterRows(model, None))
    by_torch, by_numba = squared_errors(model, samples), squared_errors_by_tables(tables, samples)
    torch.testing.assert_close(by_numba, by_torch, rtol=1e-11, atol=0)
