"""Split the rows of a table into training and test samples, and normalise them."""

from __future__ import annotations

import numpy as np
import torch

from kancli.seeding import stream
from kancli.tasks.task import Regression, Samples


def split(values: np.ndarray, n_targets: int, *, n_test: int, normalize: bool, seed: int) -> Regression:
    """Training and test rows of a table.

    Args:
        values: `[rows, columns]`, targets last.
        n_targets: number of the last columns that are targets.
        n_test: number of test rows, drawn at random without replacement.
        normalize: map x to [-1, 1] and y to mean 0 and standard deviation 1, by the training rows.
        seed: of the private stream "task/split".
    """
    is_test = np.zeros(len(values), dtype=bool)
    is_test[stream(seed, "task/split").permutation(len(values))[:n_test]] = True
    train, test = values[~is_test], values[is_test]
    if normalize:
        center, scale = _normalisation(train, n_targets)
        train, test = (train - center) / scale, (test - center) / scale
    return Regression(_samples(train, n_targets), _samples(test, n_targets) if n_test else None, None)


def _normalisation(train: np.ndarray, n_targets: int) -> tuple[np.ndarray, np.ndarray]:
    """What to subtract from each column, and then divide it by; a column that does not vary becomes 0."""
    n_in = train.shape[1] - n_targets
    low, high = train.min(axis=0), train.max(axis=0)
    center, scale = low / 2 + high / 2, high / 2 - low / 2
    varies = high > low
    center[n_in:] = np.where(varies, train.mean(axis=0), low)[n_in:]
    scale[n_in:] = train.std(axis=0)[n_in:]
    return center, np.where(varies & (scale > 0), scale, 1.0)


def _samples(rows: np.ndarray, n_targets: int) -> Samples:
    table = torch.from_numpy(np.ascontiguousarray(rows))
    return Samples(table[:, :-n_targets].contiguous(), table[:, -n_targets:].contiguous())
