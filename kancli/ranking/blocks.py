"""The networks of each task as arrays: a block for each task and metric.

Shapes: k schemes, n pairs. A pair holds the networks of all schemes of one seed and of equal other swept keys.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kancli.ranking.options import STEPS
from kancli.ranking.outcomes import TrainedNetwork

Array = np.ndarray


@dataclass(frozen=True)
class Block:
    """One metric of the networks of one task."""

    task: str
    pairs: Sequence[tuple[str, ...]]  # [n]
    scores: Array  # [k, n]  less is better; inf for a lost network, NaN where there is none
    logs: Array  # [k, n]  of the metric, finite for lost networks; NaN where there is none

    @property
    def lost(self) -> Array:
        """The number of lost networks by scheme, `[k]`."""
        return np.isposinf(self.scores).sum(1)

    def wins(self) -> Array:
        """The pairs in which each scheme but the first is lower than the first, `[k - 1]`."""
        return (self.scores[1:] < self.scores[0]).sum(1)

    def losses(self) -> Array:
        """The pairs in which it is higher, `[k - 1]`."""
        return (self.scores[1:] > self.scores[0]).sum(1)

    def sizes(self) -> Array:
        """The pairs that hold both, `[k - 1]`."""
        return (~np.isnan(self.logs[1:] - self.logs[0])).sum(1)

    @property
    def means(self) -> Array:
        """The mean logs over the pairs that all schemes have, `[k]`; NaN where there are none."""
        shared = ~np.isnan(self.logs).any(0)
        return self.logs[:, shared].mean(1) if shared.any() else np.full(len(self.logs), math.nan)


def make_blocks(networks: Sequence[TrainedNetwork], schemes: Sequence[str], metric: str) -> list[Block]:
    """A block for each task on which the metric is defined for a network.

    A network is lost where its run failed or diverged, or where it never reaches the loss to which steps are counted.
    It then ranks last. For means of logs it counts as the worst network of its task, and as no better than one that
    was not trained: its loss is at least the first one, its relative error 1, its steps all steps of training. A metric
    of 0 counts as the smallest positive one of the task.
    """
    by_task: dict[str, list[TrainedNetwork]] = {}
    for network in networks:
        by_task.setdefault(network.task, []).append(network)
    blocks = (_block(task, of_task, schemes, metric) for task, of_task in by_task.items())
    return [block for block in blocks if block is not None]


def _block(task: str, networks: Sequence[TrainedNetwork], schemes: Sequence[str], metric: str) -> Block | None:
    finite = [value for network in networks if (value := _value(network, metric)) is not None]
    if not finite:
        return None
    pairs = {pair: number for number, pair in enumerate(dict.fromkeys(network.pair for network in networks))}
    place = {scheme: number for number, scheme in enumerate(schemes)}
    scores = np.full((len(schemes), len(pairs)), math.nan)
    for network in networks:
        value = _value(network, metric)
        if value is None and (network.is_lost or (metric in STEPS and network.values)):
            value = math.inf
        if value is not None:
            scores[place[network.scheme], pairs[network.pair]] = value
    positive = scores[(scores > 0) & np.isfinite(scores)]
    least = positive.min() if len(positive) else 1.0
    values = np.where(np.isposinf(scores), max(least, *finite, *_untrained(networks, metric)), scores)
    return Block(task, list(pairs), scores, np.log(np.where(values <= 0, least, values)))


def _value(network: TrainedNetwork, metric: str) -> float | None:
    """The metric of a network that is not lost."""
    return None if network.is_lost else network.values.get(metric)


def _untrained(networks: Sequence[TrainedNetwork], metric: str) -> list[float]:
    """What the metric is, at least, for a network that learned nothing."""
    if metric in ("train_loss", "test_loss"):
        losses = [network.first_loss for network in networks]
        return [loss for loss in losses if loss is not None and math.isfinite(loss)]
    if metric == "rel_l2":
        return [1.0]
    return [float(network.steps) for network in networks if network.steps] if metric in STEPS else []
