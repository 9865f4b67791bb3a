"""Parse, compose and validate a config into `Settings`. Only `hydra` imports Hydra's private modules."""
