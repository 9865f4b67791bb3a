"""Live models of pykan 0.2.8 in kancli's hands: `python pykan_bridge.py FOLDER`, to FOLDER/found.npz.

Leaves checkpoints by the library's own `saveckpt` too: FOLDER/trained, FOLDER/symbolic and FOLDER/multiplied.
"""

import random
import sys

import numpy as np
import torch
from kan import KAN

import kancli

folder, found = sys.argv[1], {}


def record(name, model, x):
    """What the library computes, and a model that kancli writes with the functions that it reads."""
    y = model(x).detach()
    found[f"{name}/x"], found[f"{name}/y"] = x.numpy(), y.numpy()
    for number, postacts in enumerate(model.spline_postacts):
        found[f"{name}/{number}/postacts"] = postacts.transpose(1, 2).numpy()
    found.update({f"{name}/state/{key}": tensor.numpy().copy() for key, tensor in model.state_dict().items()})
    ours = kancli.read(model)
    other = KAN(width=list(ours.width), grid=ours.layers[0].grid, k=ours.layers[0].k, seed=9, auto_save=False)
    kancli.write(ours, other)
    found[f"{name}/written/y"] = other(x).detach().numpy()
    found.update({f"{name}/written/{key}": tensor.numpy() for key, tensor in other.state_dict().items()})


x = torch.from_numpy(np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32))
model = KAN(width=[2, 3, 2], grid=6, k=3, noise_scale=2.0, seed=0, auto_save=False)
with torch.no_grad():
    model.act_fun[0].mask[1, 2] = 0
record("masked", model, x)
model.update_grid_from_samples(x)
record("updated", model, x)
with torch.no_grad():
    for name in ("node_bias_0", "node_scale_0", "subnode_bias_0", "subnode_scale_0", "node_bias_1"):
        getattr(model, name).add_(torch.linspace(0.2, 0.7, len(getattr(model, name))))
record("affine", model, x)
model.update_grid_from_samples(x * torch.tensor([1.0, 0.0]))  # an input that does not vary
record("silent", model, x)

model = KAN(width=[2, 3, 1], grid=5, k=3, seed=4, auto_save=False)
states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
assert kancli.initialise(model, "power_law", seed=3) is model
found["untouched"] = [
    torch.equal(states[0], torch.get_rng_state()), np.array_equal(states[1], np.random.get_state()[1]),
    states[2] == random.getstate(),
]  # fmt: skip
found.update({f"drawn/{key}": tensor.numpy().copy() for key, tensor in model.state_dict().items()})
y = torch.sin(2 * x[:, :1]) + torch.tanh(x[:, 1:])
data = {"train_input": x, "train_label": y, "test_input": x, "test_label": y}
found["losses"] = model.fit(data, opt="Adam", lr=0.01, steps=200, update_grid=False)["train_loss"]
model.saveckpt(f"{folder}/trained")
found["trained/y"] = model(x).detach().numpy()
model.fix_symbolic(0, 1, 2, "sin", verbose=False)
model.saveckpt(f"{folder}/symbolic")
KAN(width=[2, [2, 1], 1], grid=3, k=3, auto_save=False).saveckpt(f"{folder}/multiplied")
np.savez(f"{folder}/found.npz", **found)
