"""Who is ahead in a race: mean log losses of candidates, and the ratio of two with its interval.

Shapes: k candidates, s seeds, n samples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import stdtrit

from kancli.ranking.blocks import make_blocks
from kancli.ranking.outcomes import TrainedNetwork
from kancli.ranking.result import Difference, Ratio

Array = np.ndarray

METRIC = "test_loss"  # as the ranking treats a mean squared error: less is better, a lost network counts as untrained


def log_losses(losses: Array, untrained: float) -> Array:
    """Logs of losses; a lost network counts as the worst of all, and as no better than one that was not trained.

    Args:
        losses: `[k, s]`, NaN of networks that diverged.
        untrained: the loss of a network that is 0 everywhere.

    Returns:
        `[k, s]`, finite unless all networks are lost.
    """
    names = [str(number) for number in range(len(losses))]
    networks = [
        TrainedNetwork(name, "", (str(seed),), {METRIC: value}, is_lost=not math.isfinite(value), first_loss=untrained)
        for name, row in zip(names, losses.tolist(), strict=True)
        for seed, value in enumerate(row)
    ]
    blocks = make_blocks(networks, names, METRIC)
    return blocks[0].logs if blocks else np.full(losses.shape, math.nan)


def order(logs: Array) -> list[int]:
    """The candidates by their mean log loss, the lowest first; of equal ones the first comes first.

    Args:
        logs: `[k, s]`.
    """
    return np.argsort(logs.mean(1), kind="stable").tolist()


def shares_of_samples(errors: Array) -> Array:
    """How much each sample weighs in the losses of a candidate's networks, `[n]`, mean 1.

    Args:
        errors: `[s, n]` squared errors; those of a lost network are not finite and do not count.
    """
    with np.errstate(all="ignore"):
        relative = errors / errors.mean(1, keepdims=True)
    sound = relative[np.isfinite(relative).all(1)]
    return sound.mean(0) if len(sound) else np.ones(errors.shape[1])


def compare(first: Array, second: Array, shares: tuple[Array, Array], *, level: float, rope: float) -> Ratio:
    """The geometric mean ratio of the losses of two candidates, paired by seed, with its interval.

    The interval is for other seeds and other samples of the same kind: log ratio ± t sqrt(v_seeds/s + v_samples/n),
    with v_seeds the variance of the log ratios over seeds, v_samples that of the difference of the samples' shares in
    the losses (the delta method), and degrees of freedom by Welch (1947) and Satterthwaite (1946).

    Args:
        first, second: log losses, `[s]`.
        shares: of the samples in the losses of both, `[n]`.
        level: the share of intervals that miss the true ratio.
        rope: ratios between 1/rope and rope make no difference that matters.
    """
    logs, weights = first - second, shares[0] - shares[1]
    if len(logs) < 2 or not np.isfinite(logs).all():
        return Ratio(None, None, None, "undecided")
    mean = float(logs.mean())
    parts = [(float(values.var(ddof=1)) / len(values), len(values) - 1) for values in (logs, weights)]
    variance = sum(part for part, _ in parts)
    half = 0.0
    if variance > 0:
        freedom = variance**2 / sum(part**2 / degrees for part, degrees in parts)
        half = float(stdtrit(freedom, 1 - level / 2)) * math.sqrt(variance)
    low, high = mean - half, mean + half
    return Ratio(_exp(mean), _exp(low), _exp(high), _difference(low, high, math.log(rope)))


def _difference(low: float, high: float, rope: float) -> Difference:
    """What an interval of a log ratio says: `lower` and `higher` where it is clear of 0."""
    if -rope <= low and high <= rope:
        return "equivalent"
    return "lower" if high < 0 else "higher" if low > 0 else "undecided"


def _exp(log: float) -> float:
    return math.exp(min(max(log, -700.0), 700.0))


def means(logs: Array) -> Sequence[float | None]:
    """Geometric mean losses, by candidate; None without a finite one."""
    return [_exp(value) if math.isfinite(value) else None for value in logs.mean(1).tolist()]
