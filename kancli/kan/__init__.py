"""The network as tensors: splines, layers, least squares. No config, no files."""
