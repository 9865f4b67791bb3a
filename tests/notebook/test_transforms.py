"""Uses of a model by torch: transforms, compilation, copies, threads. Each gives the numbers of the plain model."""

import copy
import io
import pickle
import shutil
import threading
import warnings

import pytest
import torch
from torch.autograd import forward_ad
from torch.autograd.functional import jacobian
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, stack_module_state, vjp, vmap
from torch.utils.checkpoint import checkpoint

from kancli import KAN
from kancli.kan.grid_adaptation import adapt_grid_
from tests.alike import slow_but
from tests.compiled import needs_numba

HAS_COMPILER = shutil.which("g++") or shutil.which("clang++")


def with_adapted_knots():
    model = KAN([2, 5, 1], dtype="float64")
    for layer in model.layers:
        layer.use_per_input_knots_()
    adapt_grid_(model, torch.randn(100, 2, dtype=torch.float64), eps=0.5)
    return model


MODELS = {
    "plain": lambda: KAN([2, 5, 1], dtype="float64"),
    "adapted knots": with_adapted_knots,
    "bias": lambda: KAN([2, 5, 1], init="pykan_0_0_5", dtype="float64"),
    "wide grid": lambda: KAN([2, 5, 1], grid=40, dtype="float64"),
    "k=1": lambda: KAN([2, 5, 1], k=1, dtype="float64"),
    "numba": lambda: KAN([2, 5, 1], kernel="numba", dtype="float64"),
}


COMPILED = pytest.param("numba", marks=[needs_numba, pytest.mark.slow])  # its kernels take ten seconds of compilation


@pytest.fixture(params=[COMPILED if name == "numba" else name for name in MODELS])
def model(request):
    return MODELS[request.param]()


@pytest.fixture
def x():
    return torch.randn(6, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def plain_jacobian(model, x):
    return jacobian(lambda z: model(z).sum(0), x)


def per_sample_gradients(model, parameters, x):
    def loss(parameters, row):
        return functional_call(model, parameters, (row,)).sum()

    return vmap(grad(loss), in_dims=(None, 0))(parameters, x)


def test_vmap_gives_the_outputs(model, x):
    torch.testing.assert_close(vmap(model)(x), model(x))
    torch.testing.assert_close(vmap(lambda row: model(row[None])[0])(x), model(x))


def test_per_sample_gradients_equal_a_loop(model, x):
    parameters = dict(model.named_parameters())
    gradients = per_sample_gradients(model, parameters, x)
    loop = [torch.autograd.grad(model(row).sum(), list(parameters.values())) for row in x]
    for number, name in enumerate(parameters):
        torch.testing.assert_close(gradients[name], torch.stack([row[number] for row in loop]))


def test_models_are_stacked_by_vmap(model, x):
    parameters, buffers = stack_module_state([copy.deepcopy(model) for _ in range(3)])
    base = copy.deepcopy(model).to("meta")
    y = vmap(lambda p, b: functional_call(base, (p, b), (x,)))(parameters, buffers)
    torch.testing.assert_close(y, model(x).expand(3, -1, -1))


@pytest.mark.parametrize(
    "transform",
    [
        lambda f, x: jacfwd(f)(x),
        lambda f, x: jacrev(f)(x),
        lambda f, x: jacobian(f, x, vectorize=True),
        lambda f, x: jacobian(f, x, vectorize=True, strategy="forward-mode"),
    ],
)
@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
def test_jacobians_equal_the_plain_one(model, x, transform):
    torch.testing.assert_close(transform(lambda z: model(z).sum(0), x), plain_jacobian(model, x))


def test_directional_derivatives_equal_the_jacobian(model, x):
    direction = torch.randn_like(x)
    y, derivative = jvp(model, (x,), (direction,))  # pyright: ignore[reportAssignmentType]
    torch.testing.assert_close(y, model(x))
    by_row = torch.stack([(plain_jacobian(model, row[None])[0, 0] * d).sum() for row, d in zip(x, direction)])
    torch.testing.assert_close(derivative[:, 0], by_row)
    with forward_ad.dual_level():
        dual = forward_ad.unpack_dual(model(forward_ad.make_dual(x, direction)))
    torch.testing.assert_close(dual.tangent, derivative)
    _, pull = vjp(model, x)  # pyright: ignore[reportAssignmentType]
    torch.testing.assert_close(pull(torch.ones_like(y))[0], plain_jacobian(model, x)[0])


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
def test_hessians_equal_each_other(model, x):
    def total(z):
        return model(z).sum()

    plain = torch.autograd.functional.hessian(total, x)
    torch.testing.assert_close(hessian(total)(x), plain)
    torch.testing.assert_close(torch.autograd.functional.hessian(total, x, vectorize=True), plain)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
def test_hessians_of_all_edges_are_those_of_the_sums(model, x):
    layer = model.layers[0]
    edges = torch.autograd.functional.hessian(lambda z: layer.trace(z).postacts.sum(), x)
    torch.testing.assert_close(edges, hessian(lambda z: layer(z).sum())(x))


def test_a_penalty_on_slopes_has_gradients(model, x):
    leaf = x.clone().requires_grad_()
    (slopes,) = torch.autograd.grad(model(leaf).sum(), leaf, create_graph=True)
    slopes.square().sum().backward()

    def penalty(parameters):
        return grad(lambda z: functional_call(model, parameters, (z,)).sum())(x).square().sum()

    expected = grad(penalty)(dict(model.named_parameters()))
    for name, parameter in model.named_parameters():
        if parameter.grad is None:  # a bias has no part in slopes
            assert not expected[name].any()
        else:
            torch.testing.assert_close(parameter.grad, expected[name])


def test_transforms_leave_the_kept_samples(model, x):
    model(x)
    vmap(model)(torch.zeros_like(x))
    jvp(model, (torch.zeros_like(x),), (x,))
    assert torch.equal(model.last_inputs, x)
    assert model.plot()._repr_png_()


def test_checkpointing_gives_the_gradients(model, x):
    leaf = x.clone().requires_grad_()
    checkpoint(model, leaf, use_reentrant=False).sum().backward()
    torch.testing.assert_close(leaf.grad, plain_jacobian(model, x)[0])


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compilation_of_the_whole_graph(model, x, backend):
    torch._dynamo.reset()
    leaf = x.clone().requires_grad_()
    y = torch.compile(model, backend=backend, fullgraph=True)(leaf)
    y.sum().backward()
    torch.testing.assert_close(y, model(x))
    torch.testing.assert_close(leaf.grad, plain_jacobian(model, x)[0])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's own modules
@pytest.mark.skipif(not HAS_COMPILER, reason="torch.compile needs a C++ compiler")
def test_compilation_by_inductor(x):
    torch._dynamo.reset()
    model = KAN([2, 5, 1], dtype="float64")
    torch.testing.assert_close(torch.compile(model)(x), model(x))
    assert torch.equal(model.last_inputs, x)


@pytest.mark.slow
def test_export(model, x):
    exported = torch.export.export(model, (x,)).module()
    torch.testing.assert_close(exported(x), model(x))


def test_jit_trace(model, x):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated, and Python checks of shapes
        traced = torch.jit.trace(model, x)
    more = torch.cat([x, x])
    torch.testing.assert_close(traced(more), model(more))


def test_copies_keep_the_samples_and_saved_models_do_not():
    model = KAN([2, 5, 1], base_fun=lambda x: x)
    model(torch.randn(10, 2))
    for clone in (copy.deepcopy(model), copy.copy(model)):
        assert torch.equal(clone.last_inputs, model.last_inputs)
        assert clone.plot()._repr_png_()
    assert copy.deepcopy(model).layers[0].coef is not model.layers[0].coef


def saved(model):
    buffer = io.BytesIO()
    torch.save(model, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("base_fun", slow_but(2, ["silu", torch.sin, "tanh", "zero", torch.nn.SiLU()]))
def test_a_saved_model_holds_no_samples(base_fun):
    model = KAN([2, 5, 1], base_fun=base_fun)
    size = len(saved(model))
    x = torch.randn(500, 2)  # 4 kB
    y = model(x)
    assert len(saved(model)) <= size + 100
    for loaded in (torch.load(io.BytesIO(saved(model)), weights_only=False), pickle.loads(pickle.dumps(model))):
        assert loaded.last_inputs is None
        assert torch.equal(loaded(x), y)
    assert torch.equal(model.last_inputs, x)


def local_function(x):
    return x


def test_pickle_answers_a_base_function_without_a_name():
    def inner(x):
        return x

    for function in (lambda x: x, inner):
        with pytest.raises(pickle.PicklingError, match=r"base_fun=.*state_dict"):
            pickle.dumps(KAN([2, 5, 1], base_fun=function))
        with pytest.raises(pickle.PicklingError, match=r"base_fun=.*state_dict"):
            torch.save(torch.nn.Sequential(KAN([2, 5, 1], base_fun=function)), io.BytesIO())
    assert pickle.loads(pickle.dumps(KAN([2, 5, 1], base_fun=local_function)))


def test_cloudpickle_saves_a_base_function_by_its_code():
    cloudpickle = pytest.importorskip("cloudpickle")
    model, x = KAN([2, 5, 1], base_fun=lambda x: 2 * x), torch.randn(3, 2)
    assert torch.equal(cloudpickle.loads(cloudpickle.dumps(model))(x), model(x))


def test_replicas_of_data_parallel_compute_the_same(x):
    model = KAN([2, 5, 1], dtype="float64")
    replica = model._replicate_for_data_parallel()
    layers = replica.layers._replicate_for_data_parallel()
    replica._modules["layers"] = layers
    for number, layer in enumerate(model.layers):
        part = layer._replicate_for_data_parallel()
        for name, tensor in layer.named_parameters():
            setattr(part, name, tensor.detach().clone())  # replicas hold tensors, not parameters
        layers._modules[str(number)] = part
    assert not list(replica.parameters())
    assert torch.equal(replica(x), model(x))
    assert model.last_inputs is not replica.last_inputs


@pytest.mark.slow
def test_threads_share_a_model_and_keep_their_thread_count():
    torch.set_num_threads(2)
    model, x = KAN([2, 5, 1]), torch.randn(5000, 2)
    expected, wrong, counts = model(x), [], []

    def work():
        wrong.extend(number for number in range(50) if not torch.equal(model(x), expected))
        counts.append(torch.get_num_threads())

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong
    assert counts == [2] * 4
    assert torch.get_num_threads() == 2
