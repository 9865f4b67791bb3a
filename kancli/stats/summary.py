"""Summary of a number over the members of an ensemble, or over the seeds of a sweep. Torch is not loaded."""

from __future__ import annotations

import math

import numpy as np

Array = np.ndarray

QUANTILES = {"q05": 0.05, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q95": 0.95}


def quantiles_of(values: Array, axis: int) -> dict[str, Array]:
    """`q05` to `q95` along an axis."""
    return dict(zip(QUANTILES, np.quantile(values, list(QUANTILES.values()), axis=axis), strict=True))


@np.errstate(all="ignore")
def summary_statistics(values: Array, *, quantiles: bool = False) -> dict[str, Array]:
    """Summarise the first axis of `[s, ...]`.

    `mean`; `sd` (divided by s - 1); `low` and `high`, the 95 % interval of the mean, mean ± t sd/sqrt(s) with Student's
    t at s - 1 degrees of freedom (Student 1908); `n`, the number of finite values; and on request quantiles, `min` and
    `max`. Values that are not finite do not count. Where none is finite, the results are NaN.
    """
    from scipy.special import stdtrit

    finite = np.isfinite(values)
    count = finite.sum(axis=0)
    kept = np.where(finite, values, 0.0)
    mean = kept.sum(axis=0) / count
    deviation = np.where(finite, values - mean, 0.0)
    # Members that agree have a spread of exactly 0, whatever the rounding of their mean.
    low, high = np.where(finite, values, np.inf).min(axis=0), np.where(finite, values, -np.inf).max(axis=0)
    sd = np.sqrt(
        np.where(low == high, 0.0, (deviation * deviation).sum(axis=0)) / np.where(count > 1, count - 1, math.nan)
    )
    margin = stdtrit(count - 1, 0.975) * sd / np.sqrt(count)
    summary = {"mean": mean, "sd": sd, "low": mean - margin, "high": mean + margin, "n": count}
    if quantiles:
        levels = np.full((len(QUANTILES), *mean.shape), math.nan)
        if count.all():
            levels = np.nanquantile(np.where(finite, values, math.nan), list(QUANTILES.values()), axis=0)
        summary |= dict(zip(QUANTILES, levels, strict=True))
        summary |= {"min": np.where(count, low, math.nan), "max": np.where(count, high, math.nan)}
    return summary
