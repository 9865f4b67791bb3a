"""The answer where a launcher or a sweeper of Hydra is not installed: the extra of kancli that brings it."""

from __future__ import annotations

import re

EXTRAS = {
    "hydra/launcher/joblib": "joblib",
    "hydra/launcher/submitit_local": "slurm",
    "hydra/launcher/submitit_slurm": "slurm",
    "hydra/launcher/ray": "ray",
    "hydra/sweeper/optuna": "optuna",
}
MISSING = re.compile(r"Could not find '(?P<path>(?P<group>hydra/\w+)/(?P<name>[\w.-]+))'")


def missing_plugin_message(message: str) -> str | None:
    """The answer to Hydra's message that it lacks a launcher or a sweeper; None for other messages."""
    match = MISSING.search(message)
    if match is None:
        return None
    typed = f"{match['group']}={match['name']}"
    if (extra := EXTRAS.get(match["path"])) is not None:
        return f"{typed}: not installed; in the clone of kancli, type pip install '.[{extra}]'"
    known = ", ".join(path.rpartition("/")[2] for path in EXTRAS if path.startswith(f"{match['group']}/"))
    return f"{typed}: not installed; kancli knows {known or 'none'} and basic, Hydra's own"
