"""Names for runs, from the overrides that differ between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def run_names(runs: Sequence[tuple[str, Mapping[str, str]]]) -> list[str]:
    """Name each run by the overrides that not all runs share; if that is not unique, the folder goes first.

    Args:
        runs: the folder name and the typed overrides of each run.
    """
    if not runs:
        return []
    shared = set.intersection(*(set(overrides.items()) for _, overrides in runs))
    names = []
    for _, overrides in runs:
        names.append(" ".join(f"{key}={value}" for key, value in overrides.items() if (key, value) not in shared))
    unique = len(set(names)) == len(names) and "" not in names
    return names if unique else [f"{folder} {name}".strip() for (folder, _), name in zip(runs, names, strict=True)]
