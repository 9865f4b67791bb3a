"""Run with pykan 0.2.8 in a process of its own: the losses of its `fit` from given parameters and data.

`python pykan_losses.py GIVEN.npz OUT.npz`.
"""

import sys

import numpy as np
import torch
from kan import KAN

given = np.load(sys.argv[1])
torch.set_default_dtype(torch.float64)
data = {name: torch.from_numpy(given[name]) for name in ("train_input", "train_label", "test_input", "test_label")}
model = KAN(width=given["width"].tolist(), grid=int(given["grid"]), k=3, auto_save=False)
with torch.no_grad():
    for number, layer in enumerate(model.act_fun):
        for name in ("coef", "scale_base", "scale_sp"):
            getattr(layer, name).copy_(torch.from_numpy(given[f"layers.{number}.{name}"]))
options = {name: given[name].item() for name in ("opt", "steps", "lr", "lamb")}
found = model.fit(data, update_grid=False, **options)
np.savez(sys.argv[2], train_loss=found["train_loss"], test_loss=found["test_loss"], reg=found["reg"])
