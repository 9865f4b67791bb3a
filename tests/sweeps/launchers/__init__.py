"""Sweeps by other launchers, each for real. They need the extras joblib, slurm and ray, and Debian's slurm-wlm."""
