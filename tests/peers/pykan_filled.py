"""Fill a model of pykan by the function that `kan-run explain --code pykan` printed: `CODE OUT.npz`."""

import sys
from pathlib import Path

import numpy as np
from kan import KAN

names = {}
exec(Path(sys.argv[1]).read_text(), names)
model = names["initialise_"](KAN(width=[30, 40, 20], grid=6, k=3, auto_save=False))
np.savez(sys.argv[2], **{name: tensor.numpy() for name, tensor in model.state_dict().items()})
