"""Summary of a number over the members of an ensemble, or over the seeds of a sweep. Torch is not loaded."""

from __future__ import annotations

import functools
import math

import numpy as np

from kancli.stats.options import verdict_scales
from kancli.stats.running_moments import Array
from kancli.stats.scales import Scale, statistic_scale

QUANTILES = {"q05": 0.05, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q95": 0.95}


def quantiles_of(values: Array, axis: int) -> dict[str, Array]:
    """`q05` to `q95` along an axis, float64: as numpy's, which sorts many short columns ten times as slowly."""
    ordered = np.moveaxis(values, axis, -1).copy()
    ordered.sort(axis=-1)
    last = ordered.shape[-1] - 1
    has_nan = np.isnan(ordered[..., last])  # NaN is sorted to the end
    quantiles = {}
    for name, share in QUANTILES.items():
        place = share * last
        below = min(int(place), last)
        low, high = (ordered[..., index].astype(np.float64) for index in (below, min(below + 1, last)))
        rest, step = place - below, high - low
        quantiles[name] = np.where(has_nan, np.nan, high - step * (1 - rest) if rest >= 0.5 else low + step * rest)
    return quantiles


@functools.lru_cache(maxsize=4096)
def scale_of(column: str) -> Scale:
    """The scale of a statistic by its column, or of a verdict's number by its name."""
    of_verdicts = verdict_scales()
    return of_verdicts[column] if column in of_verdicts else statistic_scale(column)


@np.errstate(all="ignore")
def summary_statistics(values: Array, scale: Scale = Scale.LINEAR, *, quantiles: bool = False) -> dict[str, Array]:
    """Summarise the first axis of `[s, ...]`.

    `mean`, the geometric one of a ratio; `sd` (divided by s - 1); `low` and `high`, the 95 % interval of the mean on
    the scale, by Student's t at s - 1 degrees of freedom (Student 1908) and, but for ratios, the delta method: f(mean)
    has the standard error |f'(mean)| sd/sqrt(s); `n`, the number of finite values; on request quantiles, `min`, `max`.
    Values that are not finite do not count. Where none is finite, the results are NaN. `low` and `high` are NaN also of
    less than two members, without an interval on the scale, and of a ratio that is 0 in some members.
    """
    finite = np.isfinite(values)
    count = finite.sum(axis=0)
    least, greatest = np.where(finite, values, np.inf).min(axis=0), np.where(finite, values, -np.inf).max(axis=0)
    agree = least == greatest  # members that agree have a spread of exactly 0, whatever the rounding of their mean
    mean, sd = _moments(values, finite, count, agree)
    centre, low, high = _on_scale(scale, values, finite, count, mean, sd, agree)
    if scale is not Scale.NONE:
        low, high = (np.where(agree & (count > 1), centre, end) for end in (low, high))
    summary = {"mean": centre, "sd": sd, "low": low, "high": high, "n": count}
    if quantiles:
        levels = np.full((len(QUANTILES), *mean.shape), math.nan)
        if (has_values := count > 0).any():
            known = np.where(finite, values, math.nan)[:, has_values]
            levels[:, has_values] = np.nanquantile(known, list(QUANTILES.values()), axis=0)
        summary |= dict(zip(QUANTILES, levels, strict=True))
        summary |= {"min": np.where(count, least, math.nan), "max": np.where(count, greatest, math.nan)}
    return summary


def _moments(values: Array, finite: Array, count: Array, agree: Array) -> tuple[Array, Array]:
    """Mean and sd (divided by s - 1) over the finite values; NaN without any, or with one."""
    mean = np.where(finite, values, 0.0).sum(axis=0) / count
    deviation = np.where(finite, values - mean, 0.0)
    squares = np.where(agree, 0.0, (deviation * deviation).sum(axis=0))
    return mean, np.sqrt(squares / np.where(count > 1, count - 1, math.nan))


def _on_scale(
    scale: Scale, values: Array, finite: Array, count: Array, mean: Array, sd: Array, agree: Array
) -> tuple[Array, Array, Array]:
    """The centre and the ends of its interval."""
    from scipy.special import expit, logit, stdtrit

    width = stdtrit(count - 1, 0.975) / np.sqrt(count)  # in standard deviations
    if scale is Scale.RATIO:
        log_mean, log_sd = _moments(np.log(values), finite, count, agree)
        geometric = np.where(agree, mean, np.exp(log_mean))
        margin = width * log_sd
        # A mean of logs that is minus infinite is that of a member at 0.
        low, high = (np.where(geometric > 0, np.exp(log_mean + end), math.nan) for end in (-margin, margin))
        return geometric, low, high
    margin = width * sd
    if scale is Scale.LINEAR:
        return mean, mean - margin, mean + margin
    if scale is Scale.NONE:
        return mean, np.full(mean.shape, math.nan), np.full(mean.shape, math.nan)
    if scale is Scale.SHARE:
        centre, margin = logit(mean), margin / (mean * (1 - mean))
        return mean, expit(centre - margin), expit(centre + margin)
    floor = 1.0 if scale is Scale.RANK else 0.0
    factor = np.exp(margin / (mean - floor))
    return mean, floor + (mean - floor) / factor, floor + (mean - floor) * factor
