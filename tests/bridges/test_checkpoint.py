"""Checkpoints in files: every format, one network; damaged and hostile ones are answered in one line."""

import io
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import kancli
from kancli.bridges.checkpoint import read_checkpoint
from kancli.errors import ConfigError
from kancli.regular_files import MAX_BYTES

MODEL = kancli.KAN([2, 3, 1], init="pykan_0_2_8", seed=1)
STATE = kancli.write(MODEL, "efficient_kan")


def torch_bytes(content, **options):
    file = io.BytesIO()
    torch.save(content, file, **options)
    return file.getvalue()


def numpy_bytes(**arrays):
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def bomb():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", b"")
    content = file.getvalue()
    size = (MAX_BYTES + 1).to_bytes(4, "little")
    place = content.index(b"PK\1\2") + 24  # the size unpacked, by the directory
    return content[:place] + size + content[place + 4 :]


class Code:
    """Runs a command when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("executed",)


def half(content):
    return content[: len(content) // 2]


READ = {
    "state.pt": lambda: torch_bytes(STATE),
    "legacy.bin": lambda: torch_bytes(STATE, _use_new_zipfile_serialization=False),
    "trainer.ckpt": lambda: torch_bytes({"epoch": 3, "state_dict": {f"net.{name}": t for name, t in STATE.items()}}),
    "arrays.npz": lambda: numpy_bytes(**{name: tensor.numpy() for name, tensor in STATE.items()}),
}
REFUSED = {
    "whole.pt": (lambda: torch_bytes(torch.nn.Linear(2, 3)), "save model.state_dict"),
    "code.pt": (lambda: torch_bytes({"x": Code()}), "would run code"),
    "code.pkl": (lambda: pickle.dumps(Code()), "would run code"),
    "objects.npz": (lambda: numpy_bytes(a=np.array([{}], dtype=object)), "allow_pickle"),
    "cut.pt": (lambda: half(torch_bytes(STATE)), "damaged"),
    "cut.npz": (lambda: half(READ["arrays.npz"]()), "damaged"),
    "text.pt": (lambda: b"hello", "no checkpoint of"),
    "empty.pt": (lambda: b"", "no checkpoint of"),
    "list.pt": (lambda: torch_bytes([1, 2]), "no tensors by name"),
    "two.pt": (lambda: torch_bytes({"a": STATE, "b": STATE}), "it has several: a, b"),
    "repeated.pt": (lambda: torch_bytes({"x": torch.zeros(1).expand(10**10)}), "at most 1 GiB"),
    "bomb.npz": (bomb, "unpacked; allowed: at most"),
    "name.npz": (lambda: numpy_bytes(**{"a\nb": np.zeros(2)}), "printable"),
}


@pytest.mark.parametrize("name", READ)
def test_every_format_gives_the_network(name, tmp_path):
    path, x = tmp_path / name, torch.linspace(-2, 2, 20).reshape(10, 2)
    path.write_bytes(READ[name]())
    for layout in ("auto", "efficient_kan"):
        assert torch.equal(read_checkpoint(path, layout)(x), kancli.read(STATE)(x))
    link = tmp_path / "link"
    link.symlink_to(path)
    assert torch.equal(kancli.read(link)(x), kancli.read(STATE)(x))


def test_safetensors_and_our_own_names(tmp_path):
    x = torch.linspace(-2, 2, 20).reshape(10, 2)
    save_file(kancli.write(MODEL, "kancli"), tmp_path / "ours.safetensors")
    assert torch.equal(kancli.read(tmp_path / "ours.safetensors")(x), MODEL(x))


@pytest.mark.parametrize("depth", [0, 1])
def test_a_state_dict_of_standardised_bases_is_refused_and_not_misread(tmp_path, depth):
    """Its tensors are those of any other model."""
    model, path = kancli.KAN([2, 3, 1], init="lecun_norm", seed=1), tmp_path / "m.pt"
    for _ in range(depth):
        model = torch.nn.Sequential(model)
    state = model.state_dict()
    for content in (state, {"epoch": 1, "model": state}):
        torch.save(content, path)
        with pytest.raises(ConfigError, match=r"m\.pt: the model standardises its bases"):
            read_checkpoint(path)
    for taken in (state, model):
        with pytest.raises(ConfigError, match="standardises its bases"):
            kancli.read(taken)
    other = kancli.KAN([2, 3, 1], init="lecun_norm", seed=2)
    other.load_state_dict(kancli.KAN([2, 3, 1], init="lecun_norm", seed=1).state_dict())
    plain = kancli.KAN([2, 3, 1])
    with pytest.raises(ValueError, match="standardised over each batch; build the model with the same init"):
        plain.load_state_dict(other.state_dict())
    plain.load_state_dict(kancli.KAN([2, 3, 1], seed=3).state_dict())


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_one_line_that_names_the_file(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    build, message = REFUSED[name]
    (tmp_path / name).write_bytes(build())
    with pytest.raises(ConfigError, match=message) as refusal:
        read_checkpoint(tmp_path / name)
    assert name in str(refusal.value)
    assert len(str(refusal.value).splitlines()) == 1
    assert os.listdir(tmp_path) == [name]


def test_a_layout_or_base_function_of_another_name(tmp_path):
    path = tmp_path / "state.pt"
    path.write_bytes(READ["state.pt"]())
    assert read_checkpoint(path, base_fun="gelu").layers[0].base_name == "gelu"
    for arguments, message in ((("pykan",), "not the tensors of pykan"), (("torch",), "allowed: one of auto")):
        with pytest.raises(ConfigError, match=message):
            read_checkpoint(path, *arguments)
    with pytest.raises(ConfigError, match="base_fun=sillu"):
        read_checkpoint(path, base_fun="sillu")


def test_a_name_that_no_file_can_have():
    for name in ("x" * 300 + ".pt", "a\0.pt", "."):
        with pytest.raises(ConfigError) as caught:
            read_checkpoint(Path(name))
        assert len(caught.value.faults) == 1


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, message in (("missing.pt", "no such file; give a checkpoint"), ("pipe", "no plain file"), ("", "plain")):
        with pytest.raises(ConfigError, match=message):
            read_checkpoint(tmp_path / name)


def test_the_config_beside_pykans_state(tmp_path):
    state, config = tmp_path / "0.1_state", tmp_path / "0.1_config.yml"
    state.write_bytes(torch_bytes(kancli.write(MODEL, "pykan")))
    config.write_text("base_fun_name: identity\nwidth:\n- [2, 0]\n")
    assert read_checkpoint(state).layers[0].base_name == "identity"
    with pytest.raises(ConfigError, match="base_fun=silu: identity by"):
        read_checkpoint(state, base_fun="silu")
    for text, message in (("base_fun_name: !!python/name:os.system ''", "is code"), ("base_fun_name: [", "damaged")):
        config.write_text(text)
        with pytest.raises(ConfigError, match=message):
            read_checkpoint(state)
