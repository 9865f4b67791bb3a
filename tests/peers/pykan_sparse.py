"""A sparse network of pykan 0.2.8 in a process of its own: its kernel at given samples, and its parameters after Adam.

`python pykan_sparse.py IN.npz OUT.npz`. The coefficients are given: the library's own fit strays from process to
process, and training multiplies the difference. The symbolic branches and the affine maps of nodes, which
kancli lacks, are neither in the kernel nor trained.
"""

import sys

import numpy as np
import torch
from kan import KAN

given = np.load(sys.argv[1])
x, y = (torch.from_numpy(given[name]) for name in ("x", "y"))
model = KAN(width=[4, 5, 1], grid=5, k=3, seed=0, noise_scale=0.3, sparse_init=True, auto_save=False).double()
for layer, act in enumerate(model.act_fun):
    act.coef.data = torch.from_numpy(given[f"layers.{layer}.coef"])
parameters = [getattr(act, name) for act in model.act_fun for name in ("scale_base", "scale_sp", "coef")]
rows = [torch.autograd.grad(value, parameters, retain_graph=True) for value in model(x)[:, 0]]
jacobian = torch.stack([torch.cat([part.flatten() for part in row]) for row in rows])
found = {"kernel": (jacobian @ jacobian.T).numpy()}

optimizer = torch.optim.Adam(parameters, lr=0.01)
for _ in range(int(given["steps"])):
    optimizer.zero_grad()
    (model(x) - y).square().mean().backward()
    optimizer.step()
for layer, act in enumerate(model.act_fun):
    for name in ("scale_base", "scale_sp", "coef", "mask"):
        found[f"{layer}.{name}"] = getattr(act, name).detach().numpy()
model(x)
found["live"] = [int((postacts.std(0) > 0).sum()) for postacts in model.spline_postacts]
np.savez(sys.argv[2], **found)
