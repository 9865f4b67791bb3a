"""Ways to damage a file. Each takes a random generator, the path and the content."""

import contextlib
import io
import json
import os

import numpy as np
import torch
from safetensors.torch import load, save

from kancli.runs.training_state import pack_state
from kancli.training.result import TrainingState
from tests.runs.records import write_plan

VALUES = [
    None, True, -1, 0, 1e308, 10**18, 10**400, "", "x" * 1000, "\x1b[31m", "${oc.env:HOME}", "range(1000000000)", [],
    {}, [[]], {"a": {}}, [0] * 1000, "../..", "/dev/zero", [None], "nan",
]  # fmt: skip


def damage(rng, path):
    """Damage a file in a random way, and name the way."""
    content = path.read_bytes()
    ways = [cut, flip, garbage, empty, folder, pipe, loop, mark]
    if path.suffix in (".json", ".jsonl"):
        ways += [*[value] * 10, deep, twice, huge_number]
    elif path.suffix == ".safetensors":
        ways += [tensor] * 8
    elif path.suffix in (".pt", ".npz") or path.name.endswith("_state"):
        ways += [packed] * 8
    elif path.suffix == ".csv":
        ways += [cell] * 8
    way = rng.choice(ways)
    way(rng, path, content)
    return way.__name__


def cut(rng, path, content):
    path.write_bytes(content[: rng.randrange(len(content))])


def flip(rng, path, content):
    place = rng.randrange(len(content))
    path.write_bytes(content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :])


def garbage(rng, path, content):
    path.write_bytes(rng.randbytes(200))


def empty(rng, path, content):
    path.write_bytes(b"")


def folder(rng, path, content):
    path.unlink()
    path.mkdir()


def pipe(rng, path, content):
    path.unlink()
    os.mkfifo(path)


def loop(rng, path, content):
    path.unlink()
    path.symlink_to(path)


def mark(rng, path, content):
    path.write_bytes(b"\xef\xbb\xbf" + content)


def deep(rng, path, content):
    path.write_bytes(content.rstrip()[:-1] + b', "deep": ' + b"[" * 10_000 + b"]" * 10_000 + b"}")


def twice(rng, path, content):
    path.write_bytes(content.replace(b"{", b'{"schema": 2, "status": 3, "config": 4, "schema": 2, ', 1))


def huge_number(rng, path, content):
    path.write_bytes(content.replace(b"0", rng.choice([b"1e400", b"NaN", b"Infinity", b"9" * 400]), 1))


def value(rng, path, content):
    """Replace or remove a random value of the JSON."""
    lines = [json.loads(line) for line in content.splitlines()] if path.suffix == ".jsonl" else [json.loads(content)]
    change_value(rng, lines)
    if path.suffix == ".jsonl":
        if lines and isinstance(lines[0], dict) and rng.random() < 0.8:
            write_plan(path, lines[0], lines[1:])
        else:
            path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    else:
        path.write_text(json.dumps(lines[0] if lines else None))


def change_value(rng, tree):
    container, key = rng.choice(list(walk(tree))[1:])
    if rng.random() < 0.2:
        del container[key]
    else:
        container[key] = rng.choice(VALUES)


def walk(content):
    """All places of a tree, as container and key."""
    keys = list(content) if isinstance(content, dict) else range(len(content))
    for key in keys:
        yield content, key
        if isinstance(content[key], (dict, list)):
            yield from walk(content[key])


def cell(rng, path, content):
    """Replace a random cell of a table."""
    lines = [line.split(",") for line in content.decode().splitlines()]
    line = rng.choice(lines)
    line[rng.randrange(len(line))] = json.dumps(rng.choice(VALUES))
    path.write_text("".join(",".join(line) + "\n" for line in lines))


def tensor(rng, path, content):
    """Change, rename or remove a random tensor; or, of the state of a training, one of its other values. The state has
    the hash that fits."""
    tensors = load(content)
    length = int.from_bytes(content[:8], "little")
    metadata = json.loads(content[8 : 8 + length]).get("__metadata__", {})
    if "plain" in metadata:
        plain = json.loads(metadata["plain"])
        if rng.random() < 0.5:
            tree = [plain]
            change_value(rng, tree)
        else:
            change_tensor(rng, tensors)
        path.write_bytes(pack_state(TrainingState(tensors, plain)))
    else:
        change_tensor(rng, tensors)
        path.write_bytes(save(tensors))


def packed(rng, path, content):
    """The same for a checkpoint of torch or numpy."""
    if path.suffix == ".npz":
        tensors = {name: torch.from_numpy(array) for name, array in np.load(io.BytesIO(content)).items()}
    else:
        tensors = torch.load(io.BytesIO(content))
    change_tensor(rng, tensors)
    path.write_bytes(pack_checkpoint(path.name, tensors))


def pack_checkpoint(name, tensors):
    """The content of a checkpoint whose name ends as the format asks for."""
    if name.endswith(".safetensors"):
        return save(tensors)
    file = io.BytesIO()
    if name.endswith(".npz"):
        np.savez(file, **{key: tensor.numpy() for key, tensor in tensors.items()})
    else:
        torch.save(tensors, file)
    return file.getvalue()


def change_tensor(rng, tensors):
    name = rng.choice(sorted(tensors))
    old = tensors.pop(name)
    ways = [
        lambda: None,
        lambda: tensors.update({f"{name}.x": old}),
        lambda: tensors.update({name: old.flatten()}),
        lambda: tensors.update({name: old.reshape(-1)[:0]}),
        lambda: tensors.update({name: torch.cat([old.reshape(-1)] * 2)}),
        lambda: tensors.update({name: old.unsqueeze(0)}),
        lambda: tensors.update({name: old.to(rng.choice([torch.int64, torch.float64, torch.float16, torch.bool]))}),
        lambda: tensors.update({name: torch.full_like(old, rng.choice([0, 1]))}),
    ]
    if old.is_floating_point():
        fill = rng.choice([float("nan"), float("inf"), 1e38, -1.0])
        ways.append(lambda: tensors.update({name: torch.full_like(old, fill)}))
    with contextlib.suppress(RuntimeError):  # a scalar cannot be flattened twice
        rng.choice(ways)()
