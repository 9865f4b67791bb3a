"""A run on a card is the run on the CPU: on a card that is there, and always on the one that `tests.card` emulates."""

import contextlib
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

import kancli
from kancli.runs import build, fork_server
from kancli.runs.pool import EXPERIMENT
from kancli.sweeps import WORKER
from kancli.training.fit import fit_
from kancli.training.options import Train
from tests import card
from tests.oracles import efficient_kan
from tests.training.networks import burgers, kan, regression
from tests.training.test_state import through_files

DEVICES = {"emulated": card.DEVICE} | ({"cuda": torch.device("cuda")} if torch.cuda.is_available() else {})
TASK = ["task=f2", "width=in-3-out", "task.n=20", "task.test_n=10", "figures=none"]
RUNS = {
    "ensemble": ["n_seeds=2", "stats=full", "figures=all", "inputs.n=30"],
    "standardised": ["init=lecun_norm", "n_seeds=2", "stats=full", "figures=[network]"],
    "masked": ["init=pykan_0_2_8", "sparse_init=true", "grid.adapt=samples", "stats=full", "figures=none"],
    "mlp": ["model=mlp", "stats=full", "figures=none"],
    "adam": [
        *TASK,
        "init=glorot",
        "n_seeds=2",
        "train.steps=4",
        "train.refine=2:7",
        "train.batch=9",
        "stats.after=true",
    ],
    "penalty": [*TASK, "train.steps=4", "train.lamb=0.01", "train.adapt_every=2", "init=pykan_0_2_8"],
    "lbfgs": [*TASK, "train=lbfgs", "train.steps=1", "dtype=float64"],
    "equation": ["task=poisson", "width=in-3-out", "train.steps=2", "figures=none"],
}


@pytest.fixture(params=DEVICES)
def there(request, monkeypatch):
    """A context in which device=cuda is the card, and the card."""
    device, find = DEVICES[request.param], build.device_of

    @contextlib.contextmanager
    def context():
        with monkeypatch.context() as patch, contextlib.ExitStack() as stack:
            if request.param == "emulated":
                patch.setattr(build, "device_of", lambda name: device if name == "cuda" else find(name))
                stack.enter_context(card.Card())
            yield

    return context, device


def numbers_of(value):
    if isinstance(value, dict):
        return [number for name, entry in value.items() if name != "seconds" for number in numbers_of(entry)]
    if isinstance(value, list):
        return [number for entry in value for number in numbers_of(entry)]
    return [float(value)] if isinstance(value, (int, float)) and not isinstance(value, bool) else []


def values_of(tensor):
    return tensor.on_cpu if isinstance(tensor, card.CardTensor) else tensor.detach().cpu()


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_a_run_draws_the_same_bits_and_finds_the_same_numbers(kan_run, there, name):
    context, _ = there
    here = kan_run(*RUNS[name], "hydra.run.dir=here")
    assert here.code == 0, here.err
    with context():
        made = kan_run(*RUNS[name], "device=cuda", "hydra.run.dir=there")
    assert made.code == 0, made.err
    fitted = (".coef", ".knots") if "grid.adapt=samples" in RUNS[name] else ()
    files = {path.name for path in here.folder.glob("*.safetensors")}
    assert "params.safetensors" in files
    for file in files:
        ours, wanted = load_file(made.folder / file), load_file(here.folder / file)
        assert ours.keys() == wanted.keys()
        for key, tensor in wanted.items():
            if file == "params.safetensors" and not key.endswith(fitted):
                assert torch.equal(ours[key], tensor), key
            torch.testing.assert_close(ours[key], tensor, rtol=1e-4, atol=1e-5)
    ours, wanted = (numbers_of(made.json("stats.json")), numbers_of(here.json("stats.json")))
    assert ours == pytest.approx(wanted, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("optimizer", ["adam", pytest.param("lbfgs", marks=pytest.mark.slow)])
@pytest.mark.parametrize("data", [regression(), burgers(n=4)], ids=["regression", "equation"])
def test_a_training_goes_on_from_a_saved_state(there, optimizer, data):
    """Its tensors come from a file, on the CPU."""
    context, device = there
    train = Train(optimizer=optimizer, lr=0.01 if optimizer == "adam" else None, steps=2)
    width = (2, 4, 1) if optimizer == "adam" else (2, 1)  # whose steps are 25 evaluations
    whole = kan(width, n_members=2)
    fit_(whole, data, train)
    with context():
        stopped, rest = (kan(width, n_members=2, seed=seed, device=device) for seed in (0, 99))
        asked = iter(range(1))
        state = fit_(stopped, data, train, should_stop=lambda: next(asked, None) is None).state
        fit_(rest, data, train, state=through_files(state))
    for ours, wanted in zip(rest.parameters(), whole.parameters(), strict=True):
        assert ours.device == device or ours.device.type == "cuda"
        torch.testing.assert_close(values_of(ours), wanted.detach(), rtol=1e-6, atol=1e-8)


def use_in_python(device):
    """What a notebook does with a model, and with one of another library."""
    x = torch.linspace(-1.5, 1.5, 40, dtype=torch.float64).reshape(20, 2).to(device)
    model = kancli.KAN([2, 3, 1], init="glorot", seed=1, dtype="float64", device=device)
    found = [model(x), *(trace.postacts for trace in model.trace(x)), *model.parameters()]
    model.plot()
    model.stats(x, "full")
    y = x[:, :1] * x[:, 1:]
    data = {"train_input": x, "train_label": y, "test_input": x, "test_label": y}
    model.fit(data, opt="Adam", steps=3, lr=0.01)
    model.fit(data, opt="LBFGS", steps=1, lamb=0.001, batch=9, update_grid=False)
    found += [*model.parameters(), model.refine(8)(x)]
    theirs = efficient_kan.KAN([2, 3, 1]).to(device)
    kancli.write(kancli.read(kancli.initialise(theirs, "power_law", seed=2)), theirs)
    kancli.examine(theirs, x, "full")
    return [*found, *theirs.parameters()]


@pytest.mark.slow
def test_the_python_interface_leaves_no_tensor_behind(there):
    context, device = there
    here = use_in_python(torch.device("cpu"))
    with context():
        found = use_in_python(device)
    for ours, wanted in zip(found, here, strict=True):
        assert ours.device.type == device.type
        torch.testing.assert_close(values_of(ours.detach()), wanted.detach(), rtol=1e-6, atol=1e-8)


def test_the_emulated_card_refuses_what_a_card_refuses():
    with card.Card():
        x = torch.ones(3, device=card.DEVICE)
        assert torch.equal((x + 1).cpu(), torch.full((3,), 2.0))
        assert (x.sum() * torch.ones(())).item() == 3
        for mixed in (lambda: x + torch.ones(3), lambda: torch.cat([torch.ones(3), x])):
            with pytest.raises(card.MixedDevicesError):
                mixed()
        with pytest.raises(TypeError, match="numpy"):
            x.numpy()


@pytest.mark.slow
def test_the_process_that_workers_are_forked_from_leaves_cuda_alone():
    """CUDA that a process has asked for cannot be used by those that are forked from it."""
    script = """if True:
        import importlib, sys, torch
        def refuse(*_):
            raise AssertionError("asked for CUDA")
        for name in ("is_available", "device_count", "init", "current_device", "get_rng_state"):
            setattr(torch.cuda, name, refuse)
        for name in sys.argv[1:]:
            importlib.import_module(name)
        print(not torch.cuda.is_initialized())"""
    argv = [sys.executable, "-c", script, fork_server.SERVER, WORKER, EXPERIMENT]
    assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout == "True\n"


@pytest.mark.parametrize("init", ["glorot", "lecun_norm", "pykan_0_2_8"])
def test_a_model_on_meta_is_placed_there_whole(init):
    knobs = {"sparse_init": True} if init == "pykan_0_2_8" else {}
    model, x = kancli.KAN([2, 3, 1], init=init, device="meta", **knobs), torch.empty(7, 2, device="meta")
    traces = model.trace(x)
    values = [value for trace in traces for value in (trace.base, trace.postacts, trace.spline, trace.output)]
    assert model(x).shape == (7, 1)
    model(x).sum().backward()
    assert all(tensor.is_meta for tensor in (*values, *model.state_dict().values(), model.layers[0].coef.grad))
    for use in (lambda: model.stats(x), lambda: model.refine(7), model.plot, lambda: model.fit({})):
        with pytest.raises(ValueError, match="meta device, which holds no numbers"):
            use()
