"""How often the 95 % intervals of a ranking hold the true ratio: `python -m tests.benchmarks.ranking_coverage`.

The logs of a task are normal, or exponential: as skewed as those of training losses with a few failures.
"""

import numpy as np

from kancli.ranking.bootstrap import estimate_tasks, resample_counts

TRIALS = 2000


def coverage(n_pairs, n_tasks, skewed, rng):
    """The shares of trials in which the interval of a task, and that over tasks, hold 0."""
    counts = resample_counts([n_pairs] * n_tasks)
    shape = n_tasks, TRIALS, n_pairs
    logs = rng.exponential(size=shape) - 1 if skewed else rng.normal(size=shape)
    by_task, overall = estimate_tasks(list(logs), counts)
    of_tasks = np.mean([(one.low <= 0) & (one.high >= 0) for one in by_task])
    return of_tasks, np.mean((overall.low <= 0) & (overall.high >= 0))


if __name__ == "__main__":
    generator = np.random.default_rng(0)
    for size in (3, 5, 10, 20):
        for is_skewed in (False, True):
            task, over_tasks = coverage(size, 5, is_skewed, generator)
            print(
                f"{size} pairs, {'skewed' if is_skewed else 'normal'}: task {task:.3f}, over 5 tasks {over_tasks:.3f}"
            )
