"""The best linear read-out of any monotone recoding of a target: what a plain linear probe of distance may miss.

A network may hold 1/d, or the logarithm of d, or "near, middling, far" along one direction. A linear probe of d then
finds less than is there. Here the probe may choose the recoding θ(d), which never falls as d grows, together with
its weights: both are optimised in turn, as in monotone regression (Kruskal 1965; ACE with a monotone transform,
Breiman and Friedman 1985), until neither changes. If even this R² is low, no monotone recoding of the target is
linear in the layer.

    bins = Bins.of(distance)                                # at most 32 values, or quantiles
    fit = fit_ridge(features.batches(), bins.columns, folds)  # one column of 0 and 1 for each bin
    found = best_recoding(fit, bins)
    found.r2, found.recoding                                # θ at each bin's middle

All follows from the sums of one pass: a recoding of binned values is a sum of the bins' columns, so its probe is the
same sum of the bins' probes. R² is of the recoded target, on held-out folds; the recoding and weights are those of
the training folds. A step function is a monotone recoding, too: look at the curve, not only at the number.

Cost: a few products of small matrices for each fold.

Axes: `sample`, `bin`, `dimension`, `fold`.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int
from sklearn.isotonic import isotonic_regression

from procscope.probes.moments import Centred
from procscope.probes.ridge import RidgeFit, Solution

MOST_BINS = 32
_ROUNDS = 200
_CLOSE = 1e-10


@dataclass(frozen=True, eq=False)
class Bins:
    """A target of numbers, cut into bins: its values if there are few, else quantiles."""

    of_sample: Int[np.ndarray, " sample"]
    middles: Float64[np.ndarray, " bin"]
    """Mean of the target in each bin, from low to high."""
    edges: Float64[np.ndarray, " edge"]
    """Largest value of each bin but the last."""

    @classmethod
    def of(cls, values: Float64[np.ndarray, " sample"], most: int = MOST_BINS) -> "Bins":
        """Raises ValueError: fewer than two different values, or fewer than two bins asked for."""
        found = np.unique(values)
        if len(found) < 2 or most < 2:
            raise ValueError(f"expected at least two different values and bins; given {len(found)}, {most}")
        if len(found) <= most:
            edges = found[:-1]
        else:
            edges = np.unique(np.quantile(values, np.arange(1, most) / most, method="inverted_cdf"))
            edges = edges[edges < found[-1]]
        of_sample = np.searchsorted(edges, values, side="left")
        counts = np.bincount(of_sample, minlength=len(edges) + 1)
        return cls(of_sample, np.bincount(of_sample, values, len(edges) + 1) / counts, edges)

    @property
    def n(self) -> int:
        return len(self.middles)

    @property
    def columns(self) -> Float64[np.ndarray, "sample bin"]:
        """1 in the column of a sample's bin, 0 elsewhere."""
        return (self.of_sample[:, None] == np.arange(self.n)).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Recoding:
    """A recoding of a target, and how well a linear probe reads it."""

    middles: Float64[np.ndarray, " bin"]
    recoding: Float64[np.ndarray, " bin"]
    """θ of each bin, never falling, with mean 0 and standard deviation 1 over the samples."""
    r2: float
    """Of the recoded target on held-out folds, recoding and weights from the others."""
    plain_r2: float
    """The same of the binned target as it is (the bins' middles)."""
    coefficients: Float64[np.ndarray, " dimension"]
    """Of the probe of the recoded target."""
    errors: Float64[np.ndarray, " fold"]
    squares: Float64[np.ndarray, " fold"]


def best_recoding(fit: RidgeFit, bins: Bins, first: int = 0) -> Recoding:
    """The monotone recoding of a binned target that a linear probe reads best.

    Args:
        fit: probes with a column for each bin, as `Bins.columns`, from column `first` on.

    The strength is the one that is best for the bins' middles. Raises ValueError: fewer columns than bins.
    """
    columns = slice(first, first + bins.n)
    if fit.moments.xy.shape[2] < columns.stop:
        raise ValueError(
            f"expected a fit with {bins.n} columns for the bins from column {first} on; given {fit.moments.xy.shape[2]}"
        )
    plain = bins.middles
    errors_at = [
        sum(_fold_error(fit, part, alpha, columns, plain)[0] for part in range(fit.moments.n_parts))
        for alpha in range(len(fit.alphas))
    ]
    alpha = int(np.argmin(errors_at))
    errors, squares, plain_squares = [], [], []
    for part in range(fit.moments.n_parts):
        theta = _optimised(fit.moments.without(part), fit.of_fold[part], alpha, columns, plain)
        error, square = _fold_error(fit, part, alpha, columns, theta)
        errors.append(error)
        squares.append(square)
        plain_squares.append(_fold_error(fit, part, alpha, columns, plain)[1])
    theta = _optimised(fit.moments.total(), fit.whole, alpha, columns, plain)
    return Recoding(
        bins.middles,
        theta,
        1 - sum(errors) / sum(squares),
        1 - errors_at[alpha] / sum(plain_squares),
        fit.whole.coefficients[alpha][:, columns] @ theta,
        np.array(errors),
        np.array(squares),
    )


def _optimised(
    sums: Centred, solution: Solution, alpha: int, columns: slice, start: np.ndarray
) -> np.ndarray:
    """θ by turns: the probe of θ, then the monotone curve nearest to what it gives for each bin."""
    # Means over samples of each bin's column are the bins' shares.
    shares = np.maximum(sums.y[columns], 0.0)
    seen = shares > 0
    explained = sums.xy[:, columns].T @ solution.coefficients[alpha][:, columns] / sums.n
    theta = _normed(start.astype(np.float64), shares)
    for _ in range(_ROUNDS):
        given = np.zeros(len(theta))
        given[seen] = (explained @ theta)[seen] / shares[seen]
        if np.ptp(given[seen]) == 0:
            return theta
        curve = theta.copy()
        curve[seen] = isotonic_regression(given[seen], sample_weight=shares[seen])
        if np.ptp(curve[seen]) == 0:  # the probe sees nothing that rises with the target
            return theta
        if not seen.all():
            curve = np.interp(np.arange(len(curve)), np.flatnonzero(seen), curve[seen])
        new = _normed(curve, shares)
        if np.abs(new - theta).max() < _CLOSE:
            return new
        theta = new
    return theta


def _normed(theta: np.ndarray, shares: np.ndarray) -> np.ndarray:
    weights = shares / shares.sum()
    apart = theta - weights @ theta
    return apart / np.sqrt(weights @ apart**2)


def _fold_error(
    fit: RidgeFit, part: int, alpha: int, columns: slice, theta: np.ndarray
) -> tuple[float, float]:
    """Squared error of the probe of θ on a fold, and squares of θ there about its mean on all folds."""
    rest = fit.moments.without(part)
    held = fit.moments.about(part, rest)
    weights = fit.of_fold[part].coefficients[alpha][:, columns] @ theta
    total = fit.moments.total()
    counts = fit.moments.y[part][columns] + held.n * fit.moments.center_y[columns]
    apart = theta - rest.y[columns] @ theta
    squares = float(counts @ apart**2)
    error = squares - 2 * float(weights @ (held.xy[:, columns] @ theta)) + float(weights @ held.xx @ weights)
    about_all = theta - total.y[columns] @ theta
    return max(error, 0.0), float(counts @ about_all**2)
