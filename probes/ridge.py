"""Linear probes in closed form: every target, every ridge strength, cross-validated over levels, from one pass.

    fit = fit_ridge(features, targets, fold_of_sample, alphas=(1.0, 100.0, 10_000.0))
    fit.r2[alpha, column]                            # on held-out levels
    fit.coefficients(column=0), fit.best_alpha(0)    # of the whole data, at the strength that held-out levels favour

A probe minimises the sum of squared errors plus alpha times the squared length of its coefficients (scikit-learn's
`Ridge`; alpha 0 is `LinearRegression`, of smallest length where several fit alike). With `standardise` (the default)
the features are first divided by their standard deviation *in the training folds*, as by
`make_pipeline(StandardScaler(), Ridge())`; coefficients are given in the features' own units. The intercept is never
penalised. A feature that does not vary has the coefficient 0.

Cross-validation: the probe of a fold is that of all others, and its squared error on the fold follows from the
fold's sums, never from its frames. The alpha that a fold is judged at is the one with the smallest error on the
*other* folds.

Precision: eigenvalues of the matrix of products are known to about 1e-16 of the largest, so alpha 0 agrees with a
solver that sees the frames to 1e-6 while the features' condition number is below about 1e5; `spreads` says it.
Directions below `_NOTHING` count as none.

Cost: the pass of `moments.py`, and for each fold and strength a Cholesky factor of a matrix of the dimensions (512:
5 ms, 2,048: 0.14 s on one core).

Axes: `sample`, `dimension`, `column` of the targets, `alpha`, `fold`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Float64, Int
from scipy.linalg import eigh, eigvalsh, get_lapack_funcs

from procscope.probes.moments import Batch, Centred, Columns, Moments, as_float64, gather

ALPHAS = (0.0, 1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6)
"""By default. For standardised features of n samples, alpha = n shrinks a feature of its own by half."""

_NOTHING = 1e-12
"""Share of the largest eigenvalue below which a direction counts as one in which nothing varies, at alpha 0."""


class Solution(NamedTuple):
    """Linear probes of some samples."""

    coefficients: Float64[np.ndarray, "alpha dimension column"]
    """In the features' own units."""
    intercepts: Float64[np.ndarray, "alpha column"]


@dataclass(frozen=True, eq=False)
class RidgeFit:
    """Probes of all targets at all strengths, and what they do on held-out folds."""

    alphas: tuple[float, ...]
    standardise: bool
    moments: Moments
    whole: Solution
    """Fitted to all samples."""
    of_fold: tuple[Solution, ...]
    """Fitted to all samples but those of the fold."""
    errors: Float64[np.ndarray, "fold alpha column"]
    """Sum of squared errors on the fold."""
    guess_errors: Float64[np.ndarray, "fold column"]
    """The same of guessing the training folds' mean."""

    @cached_property
    def spreads(self) -> Float64[np.ndarray, " direction"]:
        """Standard deviations of the features (standardised, if they are) along their axes, the largest first.

        Their number is the rank; first over last is the condition number.
        """
        sums = self.moments.total()
        scale = scales(sums) if self.standardise else _varying(sums).astype(np.float64)
        used = np.flatnonzero(scale)
        variances = eigvalsh(sums.xx[np.ix_(used, used)] / np.outer(scale[used], scale[used])) / sums.n
        return np.sqrt(variances[variances > _NOTHING * variances.max(initial=0.0)])[::-1]

    @property
    def mse(self) -> Float64[np.ndarray, "alpha column"]:
        """Mean squared error on held-out folds."""
        return self.errors.sum(axis=0) / self.moments.n.sum()

    @property
    def r2(self) -> Float64[np.ndarray, "alpha column"]:
        """1 - squared error on held-out folds / squared differences from the mean of all samples."""
        return 1 - self.errors.sum(axis=0) / self.moments.squares

    def best(self, column: int | None = None) -> Int[np.ndarray, " column"] | int:
        """Place in `alphas` of the strength with the smallest held-out error, for each column or for one."""
        places = self.errors.sum(axis=0).argmin(axis=0)
        return places if column is None else int(places[column])

    def best_alpha(self, column: int) -> float:
        """The strength with the smallest held-out error."""
        return self.alphas[int(self.errors.sum(axis=0)[:, column].argmin())]

    def chosen(self) -> Int[np.ndarray, "fold column"]:
        """For each fold the strength (its place) with the smallest error on the other folds."""
        return (self.errors.sum(axis=0) - self.errors).argmin(axis=1)

    @property
    def honest_r2(self) -> Float64[np.ndarray, " column"]:
        """R² on held-out folds, each at the strength that the other folds favour: what is reported."""
        fold, column = np.indices(self.guess_errors.shape)
        return 1 - self.errors[fold, self.chosen(), column].sum(axis=0) / self.moments.squares

    def coefficients(self, column: int, alpha: float | None = None) -> Float64[np.ndarray, " dimension"]:
        """Of the probe of all samples; by default at the best strength. Raises ValueError: another alpha."""
        return self.whole.coefficients[self._place(column, alpha), :, column]

    def intercept(self, column: int, alpha: float | None = None) -> float:
        """The same probe's intercept."""
        return float(self.whole.intercepts[self._place(column, alpha), column])

    def _place(self, column: int, alpha: float | None) -> int:
        if alpha is None:
            return self.alphas.index(self.best_alpha(column))
        if alpha not in self.alphas:
            raise ValueError(f"expected one of the strengths that were fitted, {self.alphas}; given {alpha}")
        return self.alphas.index(alpha)


def fit_ridge(
    batches: Iterable[Batch],
    targets: Float64[np.ndarray, "sample column"] | Columns,
    fold: Int[np.ndarray, " sample"],
    alphas: Sequence[float] = ALPHAS,
    *,
    standardise: bool = True,
) -> RidgeFit:
    """Probes of every column at every strength.

    Args:
        batches: the features, each sample once.
        targets: numbers; for classes a column of 0 and 1 each (`Columns` makes these batch by batch).
        fold: of each sample, numbered from 0: whole levels (`levels.folds`).
        alphas: strengths, 0 or more.

    Raises ValueError: strengths that are negative or not finite, or none; alpha 0 with no more samples in some training
    folds than dimensions; what `gather` refuses.
    """
    strengths = checked_alphas(alphas)
    return ridge_of_moments(
        gather(batches, targets, fold, int(fold.max()) + 1), strengths, standardise=standardise
    )


def ridge_of_moments(moments: Moments, alphas: Sequence[float], *, standardise: bool = True) -> RidgeFit:
    """The same from sums that were gathered before."""
    strengths = checked_alphas(alphas)
    least = int(moments.n.sum() - moments.n.max())
    if 0.0 in strengths and least <= moments.dimensions:
        raise ValueError(
            f"expected more samples than dimensions for alpha 0: the training folds have {least} at the least, and the "
            f"features {moments.dimensions} dimensions, so that endlessly many probes fit perfectly. Ask for strengths "
            "above 0, which have one answer, or for more frames"
        )
    whole = solve(moments.total(), strengths, standardise)
    solutions, errors, guesses = [], [], []
    for part in range(moments.n_parts):
        rest = moments.without(part)
        solution = solve(rest, strengths, standardise)
        held_out = moments.about(part, rest)
        solutions.append(solution)
        errors.append(squared_errors(held_out, solution.coefficients))
        guesses.append(held_out.yy)
    return RidgeFit(
        strengths, standardise, moments, whole, tuple(solutions), np.array(errors), np.array(guesses)
    )


def held_out_values(
    batches: Iterable[Batch],
    fit: RidgeFit,
    columns: Int[np.ndarray, " column"],
    fold: Int[np.ndarray, " sample"],
) -> Float32[np.ndarray, "sample column"]:
    """Some columns of every sample, predicted without its fold at the strength that the other folds favour.

    Args:
        batches: the samples that the fit was made of, once more.
    """
    chosen = fit.chosen()
    values = np.empty((len(fold), len(columns)), np.float32)
    for samples, x in batches:
        wide, of = as_float64(x), fold[samples]
        given = np.empty((len(wide), len(columns)))
        for part in np.unique(of):
            solution, places = fit.of_fold[part], chosen[part, columns]
            rows = of == part
            given[rows] = (
                wide[rows] @ solution.coefficients[places, :, columns].T
                + solution.intercepts[places, columns]
            )
        values[samples] = given
    return values


def checked_alphas(alphas: Sequence[float]) -> tuple[float, ...]:
    """Raises ValueError: none, negative or infinite ones, or one twice."""
    strengths = tuple(float(alpha) for alpha in alphas)
    if (
        not strengths
        or not np.isfinite(strengths).all()
        or min(strengths) < 0
        or len(set(strengths)) < len(strengths)
    ):
        raise ValueError(
            f"expected different ridge strengths of 0 or more, such as (1, 100); given {list(alphas)}"
        )
    return strengths


def solve(sums: Centred, alphas: Sequence[float], standardise: bool = True) -> Solution:
    """Linear probes of some samples from their sums."""
    scale = scales(sums) if standardise else _varying(sums).astype(np.float64)
    used = np.flatnonzero(scale)
    products = sums.xx[np.ix_(used, used)] / np.outer(scale[used], scale[used])
    read = sums.xy[used] / scale[used, None]
    size = float(np.abs(products).sum(axis=0).max(initial=0.0))
    found = np.zeros((len(alphas), *sums.xy.shape))
    by_axes: tuple[np.ndarray, np.ndarray] | None = None
    for i, alpha in enumerate(alphas if len(used) else ()):
        slopes = _by_cholesky(products, size, read, alpha)
        if slopes is None:
            by_axes = eigh(products, check_finite=False) if by_axes is None else by_axes
            slopes = _by_eigenvectors(by_axes[0], by_axes[1], read, alpha)
        found[i, used] = slopes / scale[used, None]
    return Solution(found, sums.y - np.einsum("d,adc->ac", sums.x, found))


def _by_cholesky(products: np.ndarray, size: float, read: np.ndarray, alpha: float) -> np.ndarray | None:
    """The solution, or None where the matrix is too near to one of lower rank."""
    potrf, pocon, potrs = get_lapack_funcs(("potrf", "pocon", "potrs"), (products,))
    # In Fortran's order, so that LAPACK works in place; the matrix is symmetric.
    matrix = products.T.copy(order="F")
    matrix[np.diag_indices_from(matrix)] += alpha
    factor, failed = potrf(matrix, lower=False, overwrite_a=True, clean=False)
    if failed or pocon(factor, size + alpha)[0] < _NOTHING:
        return None
    return potrs(factor, read)[0]


def _by_eigenvectors(variances: np.ndarray, axes: np.ndarray, read: np.ndarray, alpha: float) -> np.ndarray:
    """The solution of smallest length."""
    varies = variances > _NOTHING * max(float(variances[-1]), np.finfo(float).tiny)
    axes = axes[:, varies]
    return axes @ ((axes.T @ read) / (variances[varies] + alpha)[:, None])


def scales(sums: Centred) -> Float64[np.ndarray, " dimension"]:
    """Standard deviations of the features; 0 where they do not vary."""
    return np.where(_varying(sums), np.sqrt(np.maximum(np.diag(sums.xx), 0) / sums.n), 0.0)


def squared_errors(
    held_out: Centred, coefficients: Float64[np.ndarray, "alpha dimension column"]
) -> Float64[np.ndarray, "alpha column"]:
    """Sum of squared errors of samples whose sums are about the means that the probes were fitted about."""
    n_alphas, dimensions, columns = coefficients.shape
    flat = coefficients.transpose(1, 0, 2).reshape(dimensions, -1)
    quadratic = (flat * (held_out.xx @ flat)).sum(axis=0).reshape(n_alphas, columns)
    linear = np.einsum("adc,dc->ac", coefficients, held_out.xy)
    return np.maximum(held_out.yy - 2 * linear + quadratic, 0.0)


def _varying(sums: Centred) -> np.ndarray:
    """Which features vary by more than rounding, as scikit-learn's `StandardScaler` decides it."""
    variance = np.maximum(np.diag(sums.xx), 0) / sums.n
    eps = np.finfo(float).eps
    return variance > sums.n * eps * variance + (sums.n * sums.x * eps) ** 2
