"""A scheme whose knobs were searched, as one row: each network is the one whose knobs are best elsewhere.

Shapes: v combinations of knobs, n pairs of a task.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kancli.ranking.blocks import Block
from kancli.ranking.outcomes import Outcomes

Array = np.ndarray

NONE = "none"  # rank.search=none: every combination of knobs is a row of its own


@dataclass(frozen=True)
class Search:
    """The combinations of knobs of a searched scheme.

    Args:
        init: the name of the scheme; also of the row of the preset's knobs.
        schemes: one name for each combination.
        preset: of them, the one with the preset's knobs; None where they were not run.
        halves: 0 or 1 for each seed.
    """

    init: str
    schemes: Sequence[str]
    preset: str | None
    halves: Mapping[str, int]

    @property
    def name(self) -> str:
        """The name of the row."""
        return f"{self.init} (searched)"

    def rows(self, schemes: Sequence[str]) -> list[str]:
        """The names of all rows, in the order of `schemes`, the searched one last."""
        rows = [scheme for scheme in schemes if scheme not in self.schemes or scheme == self.preset]
        return [self.init if row == self.preset else row for row in rows] + [self.name]

    def scheme_of(self, row: str) -> str:
        """The scheme of a row other than the searched one."""
        return self.preset if row == self.init and self.preset is not None else row


def find_search(outcomes: Outcomes, init: str | None) -> Search | None:
    """The search over the knobs of a scheme. None for one combination, one task without a pole, or one seed.

    Args:
        init: the name of the scheme.
    """
    if init is None or init == NONE:
        return None
    searched = [network for network in outcomes.networks if network.init == init]
    schemes = list(dict.fromkeys(network.scheme for network in searched))
    tasks = {network.task for network in searched} - outcomes.singular
    seeds = sorted({network.pair[0] for network in searched}, key=lambda seed: (len(seed), seed))
    if len(schemes) < 2 or len(tasks) < 2 or len(seeds) < 2:
        return None
    preset = next((network.scheme for network in searched if network.is_preset), None)
    halves = {seed: number % 2 for number, seed in enumerate(seeds)}
    return Search(init, schemes, preset, halves)


def with_searched_row(
    blocks: Sequence[Block], schemes: Sequence[str], rows: Sequence[str], search: Search, singular: frozenset[str]
) -> tuple[list[Block], Counter[str]]:
    """Blocks with one row for the searched scheme, and how many networks of it have each combination of knobs.

    A network of a task and a half of the seeds is the one whose combination has the lowest mean log on the other tasks
    without a pole, tasks counting alike, over the other half of the seeds (cross-fitting). So no network is scored with
    knobs that were chosen by its own task or seed.

    Args:
        schemes: the rows of the blocks.
        rows: those of the result.
    """
    members = [schemes.index(scheme) for scheme in search.schemes]
    others = [schemes.index(search.scheme_of(row)) for row in rows if row != search.name]
    place = list(rows).index(search.name)
    neither = -1  # of a seed that only other schemes have
    halves = [np.array([search.halves.get(pair[0], neither) for pair in block.pairs]) for block in blocks]
    costs = [
        None if block.task in singular else [_costs(block.logs[members], own == half) for half in (0, 1)]
        for block, own in zip(blocks, halves, strict=True)
    ]
    joined, chosen = [], Counter[str]()
    for number, (block, own) in enumerate(zip(blocks, halves, strict=True)):
        elsewhere = [cost for other, cost in enumerate(costs) if cost is not None and other != number]
        scores, logs = (np.full(block.logs.shape[1], np.nan) for _ in range(2))
        for half in (0, 1):
            best = _best([cost[1 - half] for cost in elsewhere])
            if best is not None:
                held_out = own == half
                scores[held_out], logs[held_out] = (
                    values[members[best], held_out] for values in (block.scores, block.logs)
                )
                chosen[search.schemes[best]] += int(np.isfinite(logs[held_out]).sum())
        arrays = {
            "scores": np.insert(block.scores[others], place, scores, axis=0),
            "logs": np.insert(block.logs[others], place, logs, axis=0),
        }
        joined.append(dataclasses.replace(block, **arrays))
    return joined, chosen


def _costs(logs: Array, columns: Array) -> Array:
    """The mean over some pairs of each combination's log, less that of all combinations of the pair, `[v]`."""
    logs = logs[:, columns & ~np.isnan(logs).all(0)]
    if not logs.shape[1]:
        return np.full(len(logs), np.nan)
    with np.errstate(invalid="ignore"):
        centred = logs - np.nanmean(logs, axis=0)
        counts = (~np.isnan(centred)).sum(1)
        return np.where(counts > 0, np.nansum(centred, axis=1) / np.maximum(counts, 1), np.nan)


def _best(costs: Sequence[Array]) -> int | None:
    """The combination of the lowest mean cost over tasks, of those that all tasks have."""
    if not costs:
        return None
    means = np.mean(costs, axis=0)
    return None if np.isnan(means).all() else int(np.nanargmin(means))
