"""Run with pykan 0.2.8 in a process of its own (it seeds the global generators and writes files): what it draws and
computes, as one .npz file. `python pykan_run.py CASES.json OUT.npz`."""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from kan import KAN

found = {}
for number, case in enumerate(json.loads(Path(sys.argv[1]).read_text())):
    torch.set_default_dtype(getattr(torch, case.pop("dtype")))
    x = torch.from_numpy(np.random.default_rng(number).normal(size=(80, case["width"][0]))).to(
        torch.get_default_dtype()
    )
    model = KAN(**case, auto_save=False)  # it edits the list of widths
    found[f"{number}.x"] = x.numpy()
    found[f"{number}.y"] = model(x).detach().numpy()
    for layer, (act, postacts) in enumerate(zip(model.act_fun, model.spline_postacts, strict=True)):
        for name in ("coef", "scale_base", "scale_sp", "mask"):
            found[f"{number}.{layer}.{name}"] = getattr(act, name).detach().numpy()
        found[f"{number}.{layer}.postacts"] = postacts.transpose(1, 2).numpy()  # [n, i, o]
np.savez(sys.argv[2], **found)
