"""Run the lines that `kan-run export` printed: `python pykan_exported.py LINES X.npy OUT.npy`."""

import sys
from pathlib import Path

import numpy as np
import torch

lines, x, out = sys.argv[1:]
names = {}
exec(Path(lines).read_text(), names)
np.save(out, names["model"](torch.from_numpy(np.load(x))).detach().numpy())
