"""Networks with made-up losses."""

import numpy as np

from kancli.ranking.outcomes import Outcomes, TrainedNetwork


def networks_of(logs, metric="test_loss", lost=()):
    """One network for each scheme, task and seed.

    Args:
        logs: by scheme, the logs of the metric, `[tasks, seeds]`.
        lost: (scheme, task, seed) of those that diverged.
    """
    return [
        TrainedNetwork(
            scheme,
            f"t{task}",
            (f"seed={seed}",),
            {metric: float(np.exp(values[task, seed]))},
            is_lost=(scheme, task, seed) in lost,
            first_loss=1.0,
            steps=100,
        )
        for scheme, values in logs.items()
        for task, seed in np.ndindex(*values.shape)
    ]


def outcomes_of(logs, singular=(), **options):
    """The same as `read_outcomes` returns them."""
    return Outcomes(networks_of(logs, **options), frozenset(singular))
