"""Outputs and gradients of a model by numba: the numbers of torch's and of a KAN written from the definition."""

import numpy as np
import pytest
import torch
from torch.func import functional_call

from kancli import KAN
from kancli.errors import ConfigError
from kancli.kan import compiled, kernels, network
from kancli.kan.base_functions import base_function
from tests.compiled import needs_numba
from tests.oracles import kan as oracle

compiles = pytest.mark.slow  # a kernel takes some seconds of compilation


def random_model(width, *, k=3, grid=5, base="silu", dtype=torch.float64, **options):
    """A network all of whose parameters and masks are random."""
    model = network.KAN(
        width,
        grid=grid,
        k=k,
        base_fun=base_function(base),
        base_name=base,
        grid_range=(-1.0, 1.5),
        dtype=dtype,
        **options,
    )
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.7, generator=generator)
        for layer in model.layers:
            if layer.mask is not None:
                layer.mask.copy_(torch.rand(layer.mask.shape, generator=generator) < 0.7)
    return model


def samples(model, n=75, seed=1):
    """On the grid, at its knots and ends, and beyond all knots."""
    layer = model.layers[0]
    x = 2 * torch.randn(n, layer.n_in, dtype=layer.coef.dtype, generator=torch.Generator().manual_seed(seed))
    # But the last: there, with k=1, automatic differentiation of torch gives the slope of the left side.
    knots = layer.knots[torch.arange(n) % (len(layer.knots) - 1)]
    x[::3] = knots[: len(x[::3]), None]
    return x


def evaluate(model, x, kernel, *, create_graph=False):
    """Outputs, and gradients of a function of them by x and all parameters."""
    x = x.clone().requires_grad_()
    y = kernels.outputs(model, x, kernel)
    loss = (y * torch.linspace(-1, 2, y.numel(), dtype=y.dtype).view(y.shape)).sum() + y.square().mean()
    return y.detach(), torch.autograd.grad(loss, [x, *model.parameters()], create_graph=create_graph)


def assert_alike(model, x, **tolerance):
    assert kernels.use_compiled(model, x, "numba")
    (y, grads), (expected_y, expected_grads) = (evaluate(model, x, kernel) for kernel in ("numba", "torch"))
    torch.testing.assert_close(y, expected_y, **tolerance)
    for grad, expected in zip(grads, expected_grads, strict=True):
        torch.testing.assert_close(grad, expected, **tolerance)
    with torch.no_grad():
        assert torch.equal(kernels.outputs(model, x, "numba"), y)


@compiles
@needs_numba
@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("base", ["silu", "identity", "zero"])
def test_outputs_and_gradients_are_those_of_torch(k, base):
    model = random_model([3, 70, 9, 2], k=k, base=base, bias=k % 2 == 0, masked=k > 2)
    assert_alike(model, samples(model), rtol=1e-9, atol=1e-10)


@compiles
@needs_numba
@pytest.mark.parametrize("width", [[1, 1], [2, 1], [1, 9], [9, 1, 1, 8], [5, 24, 16, 88, 1]])
@pytest.mark.parametrize("n", [1, 33, 700])
def test_widths_and_numbers_of_samples(width, n):
    model = random_model(width)
    assert_alike(model, samples(model, n), rtol=1e-9, atol=1e-9)


@compiles
@needs_numba
@pytest.mark.parametrize("k", [1, 3])
def test_outputs_are_those_of_the_definition(k):
    model = random_model([3, 17], k=k)
    (layer,), x = model.layers, samples(model)
    parameters = [tensor.detach().numpy() for tensor in (layer.coef, layer.scale_base, layer.scale_sp)]
    expected = oracle.layer(x.numpy(), *parameters, "silu", -1.0, 1.5, k).sum(1)
    np.testing.assert_allclose(kernels.outputs(model, x, "numba").detach().numpy(), expected, rtol=1e-10, atol=1e-10)


@compiles
@needs_numba
def test_derivatives_are_finite_differences():
    model = random_model([2, 9, 2], bias=True)
    names, tensors = zip(*model.named_parameters(), strict=True)

    def function(x, *parameters):
        def run(x):
            return kernels.outputs(model, x, "numba")

        model.forward = run  # as of `kancli.KAN`
        try:
            return functional_call(model, dict(zip(names, parameters, strict=True)), (x,))
        finally:
            del model.forward

    x = torch.tensor([[0.2, -0.7], [1.2, 3.0], [0.61, -1.33]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(function, (x, *tensors))
    assert torch.autograd.gradgradcheck(function, (x, *tensors), atol=1e-4)


@compiles
@needs_numba
def test_float32_is_as_close_to_float64_as_torch_is():
    model, exact = random_model([16, 64, 3], dtype=torch.float32), random_model([16, 64, 3])
    with torch.no_grad():
        for parameter, single in zip(exact.parameters(), model.parameters(), strict=True):
            parameter.copy_(single)
    x = samples(model, 300)
    expected = [
        y for part in evaluate(exact, x.double(), "torch") for y in (part if isinstance(part, tuple) else [part])
    ]

    def errors(kernel):
        y, grads = evaluate(model, x, kernel)
        return [float((a - b).abs().max() / b.abs().max()) for a, b in zip([y, *grads], expected, strict=True)]

    for by_numba, by_torch in zip(errors("numba"), errors("torch"), strict=True):
        assert by_numba < 2 * by_torch + 1e-6


@compiles
@needs_numba
@pytest.mark.parametrize("base", ["silu", "identity", "zero"])
def test_what_is_not_finite_stays_in_its_sample(base):
    model = random_model([2, 5, 3], base=base)
    x = samples(model, 40)
    clean = kernels.outputs(model, x, "numba")
    for value in (torch.nan, torch.inf, -torch.inf):
        spoilt = x.clone()
        spoilt[7, 1] = value
        y, expected = kernels.outputs(model, spoilt, "numba"), kernels.outputs(model, spoilt, "torch")
        assert torch.equal(torch.isfinite(y), torch.isfinite(expected))
        others = torch.arange(40) != 7
        assert torch.equal(y[others], clean[others])


@compiles
@needs_numba
@pytest.mark.parametrize("masked", [False, True])
def test_members_of_an_ensemble(masked):
    model = random_model([2, 5, 9], n_members=3, bias=True, masked=masked)
    x = samples(model, 40)
    assert_alike(model, x, rtol=1e-9, atol=1e-10)  # of all members
    own = torch.stack([x, x.flip(0), -x])
    assert_alike(model, own, rtol=1e-9, atol=1e-10)
    y = kernels.outputs(model, own, "numba")
    for number in range(3):
        assert torch.equal(kernels.outputs(model.member(number), own[number], "numba"), y[number])


@compiles
@needs_numba
def test_samples_of_any_strides():
    model = random_model([3, 9])
    x = samples(model, 80)
    y = kernels.outputs(model, x, "numba")
    assert torch.equal(kernels.outputs(model, x.T.contiguous().T, "numba"), y)
    assert torch.equal(kernels.outputs(model, x[::2], "numba"), y[::2])
    assert torch.equal(kernels.outputs(model, x[:1].expand(4, -1), "numba"), y[:1].expand(4, -1))
    assert torch.equal(kernels.outputs(model, torch.complex(x, -x).conj().imag, "numba"), y)
    assert kernels.outputs(model, x[:0], "numba").shape == (0, 9)
    y, grads = evaluate(model, x[:0], "numba")
    assert not any(grad.any() for grad in grads)


def evaluate_with_threads(model, x):
    """Outputs and gradients by numba, with one thread and with three."""
    threads, found = torch.get_num_threads(), []
    try:
        for n_threads in (1, 3):
            torch.set_num_threads(n_threads)
            y, grads = evaluate(model, x, "numba")
            found.append([y, *grads])
    finally:
        torch.set_num_threads(threads)
    return found


@compiles
@needs_numba
def test_bits_do_not_depend_on_threads():
    model = random_model([8, 64, 8])
    for one, three in zip(*evaluate_with_threads(model, samples(model, 3000)), strict=True):
        assert torch.equal(one, three)


@compiles
@needs_numba
def test_gradients_of_some_tensors_only():
    model = random_model([2, 9, 3])
    x = samples(model)
    for parameter in model.parameters():
        parameter.requires_grad_(parameter is model.layers[0].scale_sp)
    kernels.outputs(model, x, "numba").sum().backward()
    assert [parameter.grad is not None for parameter in model.parameters()] == [False, False, True, False, False, False]
    expected = torch.autograd.grad(kernels.outputs(model, x, "torch").sum(), model.layers[0].scale_sp)[0]
    torch.testing.assert_close(model.layers[0].scale_sp.grad, expected)
    model.requires_grad_(False)
    leaf = x.clone().requires_grad_()
    by_both = [
        torch.autograd.grad(kernels.outputs(model, leaf, kernel).sum(), leaf)[0] for kernel in ("numba", "torch")
    ]
    torch.testing.assert_close(*by_both)
    assert not kernels.outputs(model, x, "numba").requires_grad


@compiles
@needs_numba
def test_many_backward_passes_at_once():
    model = random_model([2, 9, 3])
    x = samples(model, 20).requires_grad_()
    vectors = torch.randn(4, 20, 3, dtype=torch.float64)
    by_both = [
        torch.autograd.grad(kernels.outputs(model, x, kernel), x, vectors, is_grads_batched=True)[0]
        for kernel in ("numba", "torch")
    ]
    torch.testing.assert_close(*by_both)


@compiles
@needs_numba
def test_a_backward_pass_after_a_change_in_place_is_an_error():
    model = random_model([2, 9, 3], masked=True)
    for tensor in (model.layers[0].coef, model.layers[1].mask):
        y = kernels.outputs(model, samples(model), "numba")
        with torch.no_grad():
            tensor.zero_()
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.sum().backward()


@compiles
@needs_numba
def test_a_graph_gives_its_gradients_again_until_it_is_freed():
    model = random_model([2, 9, 3])
    y = kernels.outputs(model, samples(model), "numba").sum()
    parameters = list(model.parameters())
    first, second = (torch.autograd.grad(y, parameters, retain_graph=again) for again in (True, False))
    assert all(map(torch.equal, first, second))
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()


@compiles
@needs_numba
def test_graphs_that_live_together_do_not_share_memory():
    model, x = random_model([2, 9, 3]), samples(random_model([2, 9, 3]), 300)
    parameters = list(model.parameters())

    def gradients(y):
        return torch.autograd.grad(y.square().sum(), parameters)

    alone = [(y.detach().clone(), gradients(y)) for y in (kernels.outputs(model, part, "numba") for part in (x, -x))]
    graphs = [kernels.outputs(model, part, "numba") for part in (x, -x)]
    second, first = gradients(graphs[1]), gradients(graphs[0])
    for y, grads, (expected_y, expected) in zip(graphs, (first, second), alone, strict=True):
        assert torch.equal(y, expected_y)
        assert all(map(torch.equal, grads, expected))


@needs_numba
def test_memory_is_used_again_for_arrays_of_its_size():
    from kancli.kan.compiled import memory

    first = memory.take((3, 1001), "float32")
    place = first.ctypes.data
    assert place % 64 == 0
    memory.give_back(first)
    others = [memory.take((3, 1000), "float32"), memory.take((1001, 3), "float32"), memory.take((3, 1001), "float32")]
    assert [array.ctypes.data == place for array in others] == [False, True, False]
    memory.give_back(np.empty(3))  # of another owner
    huge = memory.take((memory.MAX_BYTES,), "uint8")
    memory.give_back(huge)
    assert not np.shares_memory(memory.take((memory.MAX_BYTES,), "uint8"), huge)


def wide(n_members=None, **options):
    return random_model([64, 128, 10], dtype=torch.float32, n_members=n_members, **options)


def test_auto_is_a_function_of_the_sizes(monkeypatch):
    monkeypatch.setattr(compiled, "is_available", lambda: True)
    model = wide()
    n_factors = (64 * 128 + 128 * 10) * 5
    least = -(-kernels.MIN_FACTORS // n_factors)
    assert kernels.use_compiled(model, torch.zeros(least, 64), "auto")
    assert not kernels.use_compiled(model, torch.zeros(least - 1, 64), "auto")
    assert kernels.use_compiled(model, torch.zeros(1, 64), "numba")
    assert not kernels.use_compiled(model, torch.zeros(least, 64), "torch")
    members = wide(4)
    assert kernels.use_compiled(members, torch.zeros(least // 4 + 1, 64), "auto")
    assert kernels.use_compiled(members, torch.zeros(4, least // 4 + 1, 64), "auto")
    monkeypatch.setattr(compiled, "is_available", lambda: False)
    assert not kernels.use_compiled(model, torch.zeros(least, 64), "auto")


@pytest.mark.parametrize(
    "options", [{"k": 0}, {"base": "tanh"}, {"standardise": True}, {"dtype": torch.float16}, {"device": "meta"}]
)
def test_networks_that_the_kernels_do_not_serve(options):
    if options == {"device": "meta"}:
        model = network.KAN([2, 3], grid=5, k=3, base_fun=base_function("silu"), base_name="silu", device="meta")
    else:
        model = random_model([2, 3], **options)
    assert kernels.serves(random_model([2, 3]))
    assert not kernels.serves(model)


def replace_base(model):
    model.layers[1].base_fun = torch.tanh


def replace_layer(model):
    model.layers[1] = random_model([5, 1], grid=9).layers[0]


def wrap_layer(model):
    model.layers[1].forward = lambda x: torch.zeros(len(x), 1)


def add_hook(model):
    model.layers[0].register_forward_hook(lambda layer, x, y: 2 * y)


@pytest.mark.parametrize("change", [replace_base, replace_layer, wrap_layer, add_hook])
def test_layers_that_were_changed_are_called(monkeypatch, change):
    monkeypatch.setattr(compiled, "is_available", lambda: True)
    model = random_model([2, 5, 1])
    x = samples(model)
    assert kernels.use_compiled(model, x, "numba")
    change(model)
    assert not kernels.use_compiled(model, x, "numba")
    assert torch.equal(kernels.outputs(model, x, "numba"), model.layers[1](model.layers[0](x)))


@compiles
@needs_numba
def test_a_model_calls_the_kernels_when_they_save_time(monkeypatch):
    from kancli.kan.compiled import autograd

    calls = []
    own = autograd.outputs
    monkeypatch.setattr(autograd, "outputs", lambda model, x: calls.append(len(x)) or own(model, x))
    monkeypatch.setattr(kernels, "MIN_FACTORS", 2000)
    model = KAN([2, 5, 1], dtype="float64")  # 75 factors
    x = torch.randn(60, 2, dtype=torch.float64)
    y, little = model(x), model(x[:20])
    assert calls == [60]
    assert torch.equal(model.last_inputs, x[:20])
    assert model.last_inputs.data_ptr() != x.data_ptr()
    torch.testing.assert_close(y[:20], little)
    assert model(x.view(3, 20, 2)).shape == (3, 20, 1)
    assert calls == [60, 60]
    model.kernel = "torch"
    assert torch.equal(model(x)[:20], little)
    model.kernel = "numba"
    torch.testing.assert_close(model(x[:1]), little[:1])
    assert calls == [60, 60, 1]


def test_the_kernel_of_a_model_is_checked(monkeypatch):
    with pytest.raises(ConfigError, match="kernel=cuda: allowed: auto, numba, torch"):
        KAN([2, 1], kernel="cuda")  # pyright: ignore[reportArgumentType]
    monkeypatch.setattr(compiled, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=r"pip install 'kancli\[fast\]'"):
        KAN([2, 1], kernel="numba")
    assert KAN([2, 1]).kernel == "auto"
