"""`kancli.run` and `KAN.stats` in programs of other people: threads, modes of torch, Hydra, odd processes."""

import contextlib
import functools
import gc
import json
import logging
import os
import random
import signal
import sys
import threading
import warnings

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.version import VersionBase
from omegaconf import OmegaConf

import kancli
from kancli import KAN
from kancli.errors import ConfigError, NonFiniteError
from tests.alike import slow_but

WORDS = ["stats=full", "figures=network"]


def state_of_the_process():
    log = logging.getLogger("kancli")
    return {
        "generators": (random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist()),
        "torch": (torch.get_num_threads(), torch.get_default_dtype(), torch.get_default_device().type),
        "modes": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "warnings": list(warnings.filters),
        "numpy": np.geterr(),
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "logging": [(list(logger.handlers), logger.level, logger.propagate) for logger in (log, logging.root)],
        "gc": (gc.isenabled(), gc.get_threshold()),
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)],
        "streams": (sys.stdin, sys.stdout, sys.stderr),
        "python": (list(sys.argv), list(sys.path), list(sys.meta_path), sys.excepthook),
        "threads": threading.enumerate(),
        "hydra": (GlobalHydra.instance().hydra, HydraConfig.instance().cfg, VersionBase.instance().version_base),
        "resolvers": [OmegaConf.has_resolver(name) for name in ("hydra", "unique", "now")],
    }


@functools.cache
def import_all():
    """What a run needs: imports may set filters of their own."""
    kancli.run("figures=network")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (WORDS, None),
        ("init=nope", ConfigError),
        ("gain=1e37 init=glorot figures=none", NonFiniteError),
        ("hydra.run.dir=/dev/null/x", ConfigError),
    ],
    ids=str,
)
def test_a_run_leaves_the_process_as_it_was(kan_run, words, error):
    import_all()
    before = state_of_the_process()
    if error is None:
        kancli.run(words)
    else:
        with pytest.raises(error):
            kancli.run(words)
    assert state_of_the_process() == before


@pytest.mark.slow
def test_threads_get_the_numbers_of_single_runs(kan_run, capfd):
    expected = {seed: kancli.run([*WORDS, f"seed={seed}"]).stats for seed in (1, 2)}
    stats, stream = {}, sys.stdout

    def work(number):
        stats[number] = kancli.run([*WORDS, f"seed={1 + number % 2}"]).stats

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stats == {number: expected[1 + number % 2] for number in range(4)}
    assert sys.stdout is stream
    assert capfd.readouterr() == ("", "")


def test_a_program_keeps_its_own_hydra(kan_run, tmp_path, monkeypatch):
    monkeypatch.setattr(GlobalHydra.instance(), "hydra", None)  # the command line of other tests left one
    (tmp_path / "app.yaml").write_text("a: 1\n")
    with initialize_config_dir(str(tmp_path), version_base="1.2"):
        before = VersionBase.instance().version_base
        kancli.run("figures=none stats=none")
        assert compose("app") == {"a": 1}
        assert VersionBase.instance().version_base == before


@contextlib.contextmanager
def setting(get, change, value):
    """Context manager: a setting of torch has another value."""
    before = get()
    change(value)
    try:
        yield
    finally:
        change(before)


MODES = {
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu"),
    "default device": lambda: torch.device("meta"),  # stands for a GPU: a tensor there has no numbers
    "default dtype": lambda: setting(torch.get_default_dtype, torch.set_default_dtype, torch.float64),
    "threads": lambda: setting(torch.get_num_threads, torch.set_num_threads, 1),
}


@pytest.fixture(scope="module")
def plain_run(tmp_path_factory):
    """A run outside of any mode."""
    return kancli.run([*WORDS, f"hydra.run.dir={tmp_path_factory.mktemp('plain') / 'run'}"])


@pytest.mark.parametrize("mode", slow_but(2, MODES))
def test_modes_of_torch_change_no_number(kan_run, plain_run, mode):
    run = plain_run
    parameters = run.tensors("params.safetensors")
    x = run.tensors("activations.safetensors")["inputs"]
    with MODES[mode]():
        other = kancli.run(WORDS)
        model = KAN([2, 5, 1], dtype="float32")
        stats = model.stats(x, "full")
    assert other.stats == stats == run.stats
    for name, tensor in other.tensors("params.safetensors").items():
        assert torch.equal(tensor, parameters[name])
        assert torch.equal(model.state_dict()[name], tensor)


def test_a_model_made_under_inference_mode_can_be_measured_and_trained():
    with torch.inference_mode():
        model, x = KAN([2, 5, 1]), torch.linspace(-1, 1, 20).reshape(10, 2)
        stats = model.stats(x, "full")
    assert stats == KAN([2, 5, 1]).stats(x.clone(), "full")
    model(x.clone()).sum().backward()
    assert model.layers[0].coef.grad is not None


@pytest.mark.parametrize(("argv", "recorded"), [(["\udcff"], ["\\udcff"]), ([1], ["1"]), (None, [])])
def test_any_command_line_of_the_process_is_recorded(kan_run, monkeypatch, argv, recorded):
    if argv is None:
        monkeypatch.delattr(sys, "argv")
    else:
        monkeypatch.setattr(sys, "argv", argv)
    run = kancli.run("figures=none stats=none")
    assert json.loads((run.folder / "run.json").read_text())["argv"] == recorded
