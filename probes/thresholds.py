"""Threshold probes: a linear read-out of "is the target above c" for every c, from the sums of one pass.

When to use: to see where along a target a layer tells values apart, and whether with one direction or with several. A
monotone code that is linear nowhere shows here: every threshold is told apart, along one direction.

    fit = fit_ridge(features.batches(), bins.columns, folds)
    probes = threshold_probes(fit, bins)
    scores = probes.held_out(features.batches(), folds)          # [sample, threshold]

"Above c" is a sum of the bins' columns (`monotone.py`), so its least-squares probe, which is Fisher's discriminant,
is the sum of theirs. How well held-out levels are told apart is the area under the ROC curve, with intervals over
levels from scores in `N_SCORE_BINS` bins (an error below 0.001).

Axes: `sample`, `threshold`, `dimension`, `level`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from procscope.probes.level_intervals import level_interval
from procscope.probes.levels import Levels
from procscope.probes.moments import Batch, as_float64
from procscope.probes.monotone import Bins
from procscope.probes.ridge import RidgeFit
from procscope.workbench.statistics import Interval

N_SCORE_BINS = 100


@dataclass(frozen=True, eq=False)
class ThresholdProbes:
    """One linear probe a threshold."""

    thresholds: Float64[np.ndarray, " threshold"]
    """The target is above these or not."""
    directions: Float64[np.ndarray, "threshold dimension"]
    of_fold: Float64[np.ndarray, "fold dimension threshold"]
    intercepts_of_fold: Float64[np.ndarray, "fold threshold"]
    """With these, scores of different folds can be compared."""
    alignment: Float64[np.ndarray, "threshold threshold"]
    """Correlations between the scores: near 1 where one direction serves for several thresholds."""

    def held_out(
        self, batches: Iterable[Batch], fold: Int[np.ndarray, " sample"]
    ) -> Float[np.ndarray, "sample threshold"]:
        """Scores of every sample under the probes that were fitted without its fold."""
        scores = np.empty((len(fold), len(self.thresholds)), np.float32)
        for samples, features in batches:
            x, of = as_float64(features), fold[samples]
            given = np.empty((len(x), len(self.thresholds)))
            for one in np.unique(of):
                given[of == one] = x[of == one] @ self.of_fold[one] + self.intercepts_of_fold[one]
            scores[samples] = given
        return scores


def threshold_probes(fit: RidgeFit, bins: Bins, first: int = 0, most: int = 8) -> ThresholdProbes:
    """Probes of at most so many thresholds, spread evenly over the bins' edges, at the strength best for all bins."""
    columns = slice(first, first + bins.n)
    places = np.unique(np.linspace(0, bins.n - 2, min(most, bins.n - 1)).round().astype(int))
    above = (np.arange(bins.n)[:, None] > places).astype(np.float64)
    errors = fit.errors.sum(axis=0)[:, columns].sum(axis=1)
    alpha = int(errors.argmin())
    directions = (fit.whole.coefficients[alpha][:, columns] @ above).T
    products = directions @ fit.moments.total().xx @ directions.T
    spread = np.sqrt(np.diag(products))
    return ThresholdProbes(
        bins.edges[places],
        directions,
        np.stack([one.coefficients[alpha][:, columns] @ above for one in fit.of_fold]),
        np.stack([one.intercepts[alpha][columns] @ above for one in fit.of_fold]),
        np.divide(
            products,
            np.outer(spread, spread),
            out=np.zeros_like(products),
            where=np.outer(spread, spread) > 0,
        ),
    )


def level_auroc(
    scores: Float[np.ndarray, " sample"],
    positive: Bool[np.ndarray, " sample"],
    levels: Levels,
    *,
    rng: np.random.Generator,
    resamples: int = 500,
) -> Interval:
    """Area under the ROC curve with an interval by bootstrap over levels.

    Raises ValueError: samples of one class only.
    """
    if positive.all() or not positive.any():
        raise ValueError(
            f"expected samples of both classes, given {int(positive.sum())} positive of {len(positive)}"
        )
    edges = np.unique(np.quantile(scores, np.arange(1, N_SCORE_BINS) / N_SCORE_BINS))
    bin_of = np.searchsorted(edges, scores) + (len(edges) + 1) * positive
    width = 2 * (len(edges) + 1)
    sums = np.bincount(levels.of_frame * width + bin_of, minlength=levels.n * width).reshape(levels.n, width)

    def area(counts: np.ndarray) -> np.ndarray:
        negative, above = counts[..., : width // 2], counts[..., width // 2 :]
        below = np.cumsum(negative, axis=-1) - negative / 2
        return np.asarray((above * below).sum(axis=-1) / (above.sum(axis=-1) * negative.sum(axis=-1)))

    return level_interval(sums.astype(np.float64), area, rng=rng, resamples=resamples)
