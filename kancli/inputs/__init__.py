"""The inputs x: sampled from a distribution, or read from a file."""
