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
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int
from sklearn.isotonic import isotonic_regression

from procscope.probes.ridge import RidgeFit

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
    def codes(self) -> tuple[Int[np.ndarray, " sample"], int]:
        """Bin of each sample and their number, for `moments.Columns`."""
        return self.of_sample, self.n

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
    plain, parts = bins.middles, [_Fold.of(fit, part, columns) for part in range(fit.moments.n_parts)]
    alpha = int(np.argmin(sum(one.errors(plain) for one in parts)))
    thetas = [_optimised(one.explained[alpha], one.shares, plain) for one in parts]
    everything = fit.moments.total()
    explained = everything.xy[:, columns].T @ fit.whole.coefficients[alpha][:, columns] / everything.n
    theta = _optimised(explained, np.maximum(everything.y[columns], 0.0), plain)
    errors = np.array([one.errors(own)[alpha] for one, own in zip(parts, thetas, strict=True)])
    squares = np.array([one.squares(own) for one, own in zip(parts, thetas, strict=True)])
    plain_error = sum(one.errors(plain)[alpha] for one in parts)
    return Recoding(
        bins.middles,
        theta,
        float(1 - errors.sum() / squares.sum()),
        float(1 - plain_error / sum(one.squares(plain) for one in parts)),
        fit.whole.coefficients[alpha][:, columns] @ theta,
        errors,
        squares,
    )


class _Fold(NamedTuple):
    """What a fold says of any recoding; every number about the bins' columns alone."""

    counts: Float64[np.ndarray, " bin"]
    """Samples of the fold in each bin."""
    shares: Float64[np.ndarray, " bin"]
    """Of the bins among the training samples."""
    mean_shares: Float64[np.ndarray, " bin"]
    """Of the bins among all samples."""
    explained: Float64[np.ndarray, "alpha bin bin"]
    """Mean product, over training samples, of bin i's column and the prediction of bin j's."""
    linear: Float64[np.ndarray, "alpha bin bin"]
    """Sum of products, on the fold, of bin i's column and the prediction of bin j's."""
    quadratic: Float64[np.ndarray, "alpha bin bin"]
    """Sum of products, on the fold, of the predictions of two bins' columns."""

    @classmethod
    def of(cls, fit: RidgeFit, part: int, columns: slice) -> "_Fold":
        rest = fit.moments.without(part)
        held = fit.moments.about(part, rest)
        weights = fit.of_fold[part].coefficients[:, :, columns]
        return cls(
            fit.moments.y[part][columns] + held.n * fit.moments.center_y[columns],
            np.maximum(rest.y[columns], 0.0),
            fit.moments.mean_y()[columns],
            np.einsum("di,adj->aij", rest.xy[:, columns], weights) / rest.n,
            np.einsum("di,adj->aij", held.xy[:, columns], weights),
            np.stack([one.T @ (held.xx @ one) for one in weights]),
        )

    def errors(self, theta: np.ndarray) -> Float64[np.ndarray, " alpha"]:
        """Squared error on the fold of the probe of θ, at each strength."""
        squares = float(self.counts @ (theta - self.shares @ theta) ** 2)
        linear = np.einsum("i,aij,j->a", theta, self.linear, theta)
        return np.maximum(squares - 2 * linear + np.einsum("i,aij,j->a", theta, self.quadratic, theta), 0.0)

    def squares(self, theta: np.ndarray) -> float:
        """Squares of θ on the fold about its mean over all samples."""
        return float(self.counts @ (theta - self.mean_shares @ theta) ** 2)


def _optimised(explained: np.ndarray, shares: np.ndarray, start: np.ndarray) -> np.ndarray:
    """θ by turns: the probe of θ, then the monotone curve nearest to what it gives for each bin."""
    seen = shares > 0
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
