"""What tells runs from one another, in the words that were typed for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def run_names(runs: Sequence[tuple[str, Mapping[str, str]]]) -> list[str]:
    """The overrides that not all share; where that is not enough, the folder before them.

    Args:
        runs: of each the name of its folder, and what was typed for it, by key.
    """
    if not runs:
        return []
    everywhere = set.intersection(*(set(typed.items()) for _, typed in runs))
    names = []
    for _, typed in runs:
        names.append(" ".join(f"{key}={value}" for key, value in typed.items() if (key, value) not in everywhere))
    unique = len(set(names)) == len(names) and "" not in names
    return names if unique else [f"{folder} {name}".strip() for (folder, _), name in zip(runs, names, strict=True)]
