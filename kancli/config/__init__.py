"""From words to `Settings`. Only `hydra` imports Hydra's private modules."""
