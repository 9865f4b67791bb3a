"""Training by `fit` of pykan 0.2.8: `python pykan_fit.py CASES.json GIVEN.npz OUT.npz`.

GIVEN has the parameters of a model for each case and the samples, OUT the curves.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from kan import KAN

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
given, found = np.load(sys.argv[2]), {}
dataset = {name: torch.from_numpy(given[name]) for name in ("train_input", "train_label", "test_input", "test_label")}
for name, case in json.loads(Path(sys.argv[1]).read_text()).items():
    model = KAN(width=[2, 5, 1], grid=3, k=3, seed=0, auto_save=False)
    for layer, act in enumerate(model.act_fun):
        for parameter in ("coef", "scale_base", "scale_sp"):
            getattr(act, parameter).data = torch.from_numpy(given[f"{case['seed']}.{layer}.{parameter}"]).clone()
    curves = model.fit(dataset, **case["fit"])
    found |= {f"{name}.{curve}": np.array(values) for curve, values in curves.items()}
np.savez(sys.argv[3], **found)
