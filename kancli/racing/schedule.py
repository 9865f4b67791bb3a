"""How many candidates train for how long in each round of a race: successive halving, then a final.

Successive halving: Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization",
AISTATS 2016 (arXiv 1502.07943). Theirs doubles the steps of each round. Here the first round has three eighths of all
steps already, because a scheme that starts slowly may end best, and rounds go on with the networks of the round before,
so that each costs the steps that it adds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

MAX_ROUNDS = 4  # before the final
FIRST_SHARE, LAST_SHARE = 0.375, 0.875  # of the steps of the final, in the first and the last round
FINALISTS = 2
FIRST_SEEDS = 3  # of each candidate before the final
FIRST_LOOK = 5  # seeds of the final before its first comparison
SLOW = 8  # times the median time of a step, beyond which a candidate is left out where not all have time
LEVEL = 0.05  # the chance that any look finds a difference where there is none


@dataclass(frozen=True)
class Round:
    """A round before the final."""

    entrants: int  # candidates that train
    steps: int  # since the start of training
    kept: int  # candidates that go on


def plan_rounds(candidates: int, steps: int) -> list[Round]:
    """The rounds from all candidates to the finalists, from 3/8 to 7/8 of the steps; a single one has 5/8.

    Half of the candidates are dropped in each, or more where `MAX_ROUNDS` of halving would leave too many.

    Args:
        steps: of the final.
    """
    if candidates <= FINALISTS:
        return []
    n_rounds = min(MAX_ROUNDS, max(1, round(math.log2(candidates / FINALISTS))))
    counts = [round(FINALISTS * (candidates / FINALISTS) ** (left / n_rounds)) for left in range(n_rounds, -1, -1)]
    shares = [FIRST_SHARE + (LAST_SHARE - FIRST_SHARE) * number / max(1, n_rounds - 1) for number in range(n_rounds)]
    shares = shares if n_rounds > 1 else [(FIRST_SHARE + LAST_SHARE) / 2]
    return [
        Round(counts[number], max(1, int(steps * share)), counts[number + 1]) for number, share in enumerate(shares)
    ]


def plan_looks(seeds: int) -> list[int]:
    """The numbers of seeds after which the finalists are compared: 5, 10, 20, ... and the most."""
    looks = []
    count = FIRST_LOOK
    while count < seeds:
        looks.append(count)
        count *= 2
    return [*looks, seeds]


def level_per_look(n_looks: int) -> float:
    """The level of each comparison, so that all together have `LEVEL` (Bonferroni)."""
    return LEVEL / n_looks


def network_steps(rounds: Sequence[Round], start: int = 0) -> int:
    """Steps times networks of some rounds.

    Args:
        start: steps of the round before them.
    """
    before = [start, *(entry.steps for entry in rounds)]
    return sum(FIRST_SEEDS * entry.entrants * (entry.steps - begin) for entry, begin in zip(rounds, before))


def fitting_steps(steps: int, seconds: float, available: float) -> int:
    """The steps of the final for which a race takes no longer than the time available.

    Args:
        steps: of the final that is planned.
        seconds: that the race would take with them.
        available: seconds.
    """
    return steps if seconds <= available else max(0, int(steps * available / seconds))


def too_slow(seconds_a_step: Sequence[float]) -> list[int]:
    """The candidates whose steps take so long that they would take the time of all others."""
    median = sorted(seconds_a_step)[len(seconds_a_step) // 2]
    return [number for number, seconds in enumerate(seconds_a_step) if seconds > SLOW * median]
