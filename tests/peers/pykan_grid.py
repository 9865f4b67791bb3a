"""The grid update at the first step of pykan 0.2.8's `fit`: `python pykan_grid.py IN.npz OUT.npz`."""

import sys

import numpy as np
import torch
from kan import KAN

given = np.load(sys.argv[1])
model = KAN(width=given["width"].tolist(), grid=int(given["grid"]), k=3, seed=0, auto_save=False).double()
for layer, act in enumerate(model.act_fun):
    for name in ("coef", "scale_base", "scale_sp"):
        getattr(act, name).data = torch.from_numpy(given[f"layers.{layer}.{name}"])
model.update_grid(torch.from_numpy(given["x"]))
found = {f"{layer}.{name}": getattr(act, name).detach().numpy()
         for layer, act in enumerate(model.act_fun) for name in ("grid", "coef")}  # fmt: skip
np.savez(sys.argv[2], **found)
