"""The names of the libraries whose models are read and written here. Imports neither numpy nor torch."""

from __future__ import annotations

AUTO = "auto"
# pykan stands for all of its versions where a file is read, and for 0.2.8 where one is written.
LIBRARIES = ("pykan", "pykan_0_0_5", "efficient_kan", "inkan", "jaxkan", "kancli")
CHECKPOINTS = (".pt", ".pth", ".ckpt", ".safetensors", ".npz", "_state")  # the ends of the names of checkpoints
