"""A fitted logistic curve with its band, and shares in bins beside it.

When to use: for a figure of a yes-or-no outcome against a quantity. The slope and its interval are those of
`statistics.logistic_slope`; this is the same fit, read off along x.

Axes: `sample` one outcome each; `point` places along x; `bin` intervals of x.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Real, Shaped

from procscope.workbench.statistics import Interval, logistic_slope, wilson

_Z = 1.959963984540054


class LogisticCurve(NamedTuple):
    """Probability of yes along x, with pointwise 95% limits."""

    x: Float[np.ndarray, " point"]
    value: Float[np.ndarray, " point"]
    low: Float[np.ndarray, " point"]
    high: Float[np.ndarray, " point"]
    slope: Interval
    """In log odds per unit of x."""


class BinnedShare(NamedTuple):
    """The share of yes among the samples of one bin."""

    center: float
    """Mean of the x in the bin."""
    share: Interval


def logistic_curve(
    x: Real[np.ndarray, " sample"], y: Shaped[np.ndarray, " sample"], points: int = 100
) -> LogisticCurve:
    """The logistic regression of `y` (bool) on `x`, from the lowest to the highest x.

    The band is Wald's on the scale of the log odds (delta method). Raises ValueError: as `logistic_slope`.
    """
    slope = logistic_slope(x, y)
    from statsmodels.discrete.discrete_model import Logit

    center, spread = float(x.mean()), float(x.std())
    fit = Logit(y.astype(float), _design((x - center) / spread)).fit(disp=0, maxiter=200)
    along = np.linspace(x.min(), x.max(), points)
    rows = _design((along - center) / spread)
    log_odds = rows @ fit.params
    half = _Z * np.sqrt(np.einsum("pi,ij,pj->p", rows, fit.cov_params(), rows))
    value, low, high = (1 / (1 + np.exp(-each)) for each in (log_odds, log_odds - half, log_odds + half))
    return LogisticCurve(along, value, low, high, slope)


def binned_shares(
    x: Real[np.ndarray, " sample"], y: Shaped[np.ndarray, " sample"], bins: int = 8
) -> list[BinnedShare]:
    """Shares of yes in bins of about equally many samples, with Wilson intervals; equal x stay together.

    Raises ValueError: no samples.
    """
    if not len(x):
        raise ValueError("expected at least one sample to put into bins, given none")
    edges = np.unique(np.quantile(x, np.linspace(0, 1, min(bins, len(x)) + 1)))
    place = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, max(len(edges) - 2, 0))
    return [
        BinnedShare(
            float(x[place == each].mean()), wilson(int(y[place == each].sum()), int((place == each).sum()))
        )
        for each in np.unique(place)
    ]


def _design(x: Float[np.ndarray, " sample"]) -> Float[np.ndarray, "sample 2"]:
    return np.column_stack([np.ones_like(x), x])
