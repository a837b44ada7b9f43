"""Intervals of numbers that are made of sums over levels: the share of variance explained, accuracy, selectivity.

    level_interval(sums, lambda s: 1 - s[..., 0] / s[..., 1], rng=rng)      # sums [level, quantity]

Whole levels are drawn, since frames of one level are no independent samples. A statistic is a function of sums over
levels, so a resample is one row of counts times the sums, and leaving a level out is one subtraction: 2,000
resamples of 1,000 levels take some milliseconds, whatever the number of frames.

Source: the bias-corrected and accelerated bootstrap (BCa; Efron 1987), percentiles where it is undefined.

Axes: `level`, `quantity` what is summed, `resample`.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float64

from procscope.workbench.mean_intervals import bca_levels, resample_counts
from procscope.workbench.statistics import Interval

RESAMPLES = 2000


def level_interval(
    sums: Float64[np.ndarray, "level quantity"],
    statistic: Callable[[np.ndarray], np.ndarray],
    *,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
    confidence: float = 0.95,
) -> Interval:
    """A statistic of the sums over all levels, with its bootstrap interval; `n` is the number of levels.

    Args:
        sums: of each level.
        statistic: of sums [..., quantity], giving [...].

    Raises ValueError: fewer than two levels, or a statistic that is not finite.
    """
    if len(sums) < 2:
        raise ValueError(f"expected at least two levels to draw from, given {len(sums)}")
    whole = sums.sum(axis=0)
    value = float(statistic(whole))
    if not np.isfinite(value):
        raise ValueError(
            f"expected a finite statistic of the sums over levels, given {value}: it has no interval"
        )
    n = len(sums)
    with np.errstate(all="ignore"):
        found = np.concatenate([statistic(counts @ sums) for counts in resample_counts(n, resamples, rng)])
        left_out = statistic(whole - sums)
    found = found[np.isfinite(found)]
    apart = left_out.mean() - left_out
    (low,), (high,) = bca_levels(found[:, None], value, apart[:, None], confidence)
    return Interval(value, float(np.quantile(found, low)), float(np.quantile(found, high)), n)
