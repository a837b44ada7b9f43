"""Bootstrap intervals of many means at once, from one set of resamples.

When to use: for tables with an interval in every cell, such as one effect per channel. `statistics.bootstrap`
takes any statistic and some milliseconds for each; here the resamples are drawn once and all means come from
matrix products: 500 means of 1,000 samples take about a second.

Source: the bias-corrected and accelerated interval (BCa; Efron 1987, Journal of the American Statistical
Association 82:171), whose acceleration for a mean is the skewness over 6 sqrt(n).

Axes: `sample`: independent units (levels, mostly), `quantity`: one mean each.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Real

from procscope.workbench.statistics import Interval

_DRAWS_AT_ONCE = 4_000_000


def bootstrap_means(
    samples: Real[np.ndarray, "sample quantity"],
    *,
    rng: np.random.Generator,
    resamples: int = 2000,
    confidence: float = 0.95,
) -> list[Interval]:
    """The mean of each column with its BCa interval; where that is undefined, the percentile interval.

    Rows are drawn as one, so that intervals of different columns may be compared with each other. A column
    that does not vary has an interval of no width: for shares near 0 or 1 use `statistics.wilson`.

    Raises ValueError: fewer than two samples, a value that is not finite, a confidence outside 0…1.
    """
    samples = np.asarray(samples, dtype=float)
    if len(samples) < 2 or not np.isfinite(samples).all():
        bad = int((~np.isfinite(samples)).sum())
        raise ValueError(
            f"expected at least two samples, all finite, given {len(samples)} with {bad} values that are not. "
            "Leave those out"
        )
    if not 0 < confidence < 1 or resamples < 1:
        raise ValueError(
            f"expected a confidence between 0 and 1 and at least one resample, given {confidence}, {resamples}"
        )
    means = samples.mean(axis=0)
    # About the mean, so that a small spread about a large mean is not rounded away.
    apart = samples - means
    n = len(samples)
    drawn = np.concatenate([counts @ apart / n for counts in resample_counts(n, resamples, rng)])
    low_at, high_at = bca_levels(drawn, 0.0, apart, confidence)
    lows, highs = (
        means + np.array([np.quantile(column, level) for column, level in zip(drawn.T, levels, strict=True)])
        for levels in (low_at, high_at)
    )
    # Sums of shares that cancel leave some 1e-17, and a limit of 0 must not look like one above it.
    smallest = 1e-12 * np.abs(samples).max(axis=0)
    ends = [np.where(np.abs(end) < smallest, 0.0, end).tolist() for end in (means, lows, highs)]
    return [Interval(mean, low, high, n) for mean, low, high in zip(*ends, strict=True)]


def mean_interval(values: Real[np.ndarray, " sample"], seed: int = 0) -> Interval:
    """The mean of independent units, with its bootstrap interval; the same for the same values.

    Raises ValueError: as `bootstrap_means`.
    """
    return bootstrap_means(np.asarray(values)[:, None], rng=np.random.default_rng(seed))[0]


def resample_counts(
    n: int, resamples: int, rng: np.random.Generator
) -> Iterator[Float[np.ndarray, "some_resamples sample"]]:
    """How often each of `n` samples is drawn, for some resamples at a time, so that memory stays bounded."""
    at_once = max(1, _DRAWS_AT_ONCE // n)
    for start in range(0, resamples, at_once):
        k = min(at_once, resamples - start)
        drawn = rng.integers(n, size=(k, n)) + n * np.arange(k)[:, None]
        yield np.bincount(drawn.reshape(-1), minlength=k * n).reshape(k, n).astype(float)


def bca_levels(
    drawn: Float[np.ndarray, "resample quantity"],
    value: Float[np.ndarray, " quantity"] | float,
    apart: Float[np.ndarray, "sample quantity"],
    confidence: float,
) -> tuple[Float[np.ndarray, " quantity"], Float[np.ndarray, " quantity"]]:
    """At which quantiles of the resampled statistics each BCa interval ends; the percentile ones where undefined.

    Args:
        value: the statistic of all samples.
        apart: how much each sample adds to it: for a mean the sample less the mean, else the mean of the statistics
            with one sample left out less that statistic.
    """
    from scipy.special import ndtr, ndtri

    tails = ((1 - confidence) / 2, (1 + confidence) / 2)
    with np.errstate(all="ignore"):
        bias = ndtri(((drawn < value).mean(axis=0) + (drawn <= value).mean(axis=0)) / 2)
        acceleration = (apart**3).sum(axis=0) / (6 * (apart**2).sum(axis=0) ** 1.5)
        ends = []
        for tail in tails:
            z = bias + ndtri(tail)
            level = ndtr(bias + z / (1 - acceleration * z))
            ends.append(np.where(np.isfinite(level), level, tail))
    return ends[0], ends[1]
