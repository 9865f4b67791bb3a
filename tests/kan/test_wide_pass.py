"""Networks with layers of many edges: the bits of the pass by tables, and the gradients of torch."""

import warnings

import pytest
import torch

from kancli.kan import kernels
from tests.compiled import needs_numba
from tests.kan.test_kernels import assert_alike, evaluate, evaluate_with_threads, random_model, samples

pytestmark = needs_numba
compiles = pytest.mark.slow  # a kernel takes some seconds of compilation


@pytest.fixture
def make_wide(monkeypatch):
    """Set whether networks count as wide."""
    from kancli.kan.compiled import wide_pass

    return lambda is_wide: monkeypatch.setattr(wide_pass, "MIN_EDGES", 0 if is_wide else 2**60)


def by_both(make_wide, model, x):
    """Outputs and gradients by tables, and without."""
    found = []
    for is_wide in (False, True):
        make_wide(is_wide)
        y, grads = evaluate(model, x, "numba")
        found.append([y, *grads])
    return found


@compiles
@pytest.mark.parametrize("k", [1, 3, 4])
def test_outputs_and_gradients_are_those_of_torch(make_wide, k):
    make_wide(True)
    model = random_model([3, 150, 9, 2], k=k, bias=k == 3, masked=k == 4)
    assert_alike(model, samples(model), rtol=1e-9, atol=1e-10)


@compiles
@pytest.mark.parametrize("width", [[1, 1], [9, 1, 1, 8], [5, 24, 16, 88, 1], [6, 64, 129]])
@pytest.mark.parametrize("n", [1, 33, 1100])
def test_widths_and_numbers_of_samples(make_wide, width, n):
    make_wide(True)
    model = random_model(width)
    assert_alike(model, samples(model, n), rtol=1e-9, atol=1e-9)


@compiles
@pytest.mark.parametrize("options", [{"dtype": torch.float32}, {"bias": True}, {"masked": True}, {"n_members": 2}])
def test_outputs_have_the_bits_of_the_pass_by_tables(make_wide, options):
    model = random_model([7, 140, 70, 12], **options)
    x = samples(model, 300)
    (y, *grads), (wide_y, *wide_grads) = by_both(make_wide, model, x)
    assert torch.equal(wide_y, y)
    for wide, by_table in zip(wide_grads, grads, strict=True):
        error = (wide - by_table).abs().max() / by_table.abs().max()
        assert error <= 64 * torch.finfo(y.dtype).eps


@compiles
def test_bits_depend_neither_on_threads_nor_on_other_samples_or_members(make_wide):
    make_wide(True)
    model = random_model([40, 300, 130, 3], n_members=2)
    x = samples(model, 1100)
    found = evaluate_with_threads(model, x)
    assert all(map(torch.equal, *found))
    y = found[0][0]
    assert torch.equal(kernels.outputs(model, x[5:105], "numba"), y[:, 5:105])
    assert torch.equal(kernels.outputs(model.member(1), x, "numba"), y[1])
    own = torch.stack([x, -x])
    assert torch.equal(kernels.outputs(model, own, "numba")[0], y[0])


@compiles
def test_a_mask_hides_what_is_not_finite(make_wide):
    make_wide(True)
    model = random_model([3, 20], masked=True)
    x, (layer,) = samples(model), model.layers
    assert layer.mask is not None
    layer.mask[1] = False
    expected = kernels.outputs(model, x, "numba")
    with torch.no_grad():
        layer.coef[1], layer.scale_base[1, 3] = torch.nan, torch.inf
    y, grads = evaluate(model, x, "numba")
    assert torch.equal(y, expected.detach())
    assert not any(grad[1].any() for grad in grads[1:])


@compiles
def test_no_samples(make_wide):
    make_wide(True)
    model = random_model([3, 9], bias=True)
    x = samples(model)[:0]
    y, grads = evaluate(model, x, "numba")
    assert y.shape == (0, 9)
    assert not any(grad.any() for grad in grads)


@compiles
def test_gradients_that_overflow_are_infinite(make_wide):
    make_wide(True)
    model = random_model([3, 9], bias=True, dtype=torch.float32)
    x = samples(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (kernels.outputs(model, x, "numba") * 3e38).sum().backward()
    assert model.layers[0].bias is not None
    assert model.layers[0].bias.grad is not None
    assert model.layers[0].bias.grad.isposinf().all()


@pytest.mark.parametrize(("width", "expected"), [([256, 256], True), ([255, 256], False), ([2, 512, 512, 1], True)])
@pytest.mark.parametrize("n_members", [None, 3])
def test_a_network_is_wide_by_its_width_alone(width, expected, n_members):
    from kancli.kan.compiled.wide_pass import is_wide

    assert is_wide(random_model(width, grid=1, k=1, n_members=n_members)) == expected
