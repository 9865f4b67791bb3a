"""From words to `Settings`. Only `hydra` and `sweeps` know Hydra's internals."""
