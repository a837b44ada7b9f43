"""Leave one level out, exactly: every level predicted by a probe of all others, in closed form.

When to use: where levels are few, so that folds of several levels leave too little to learn from. With hundreds of
levels ten folds (`ridge.py`) say nearly the same and cost a pass less.

    out = leave_one_group_out(features, targets, levels, alphas=(1.0, 100.0))
    out.r2[alpha, column], out.errors[level, alpha, column]

A second pass goes level by level. Without standardisation a level of k frames is taken out of the sums as what it is, a
change of rank k: with U the level's features less its mean, and one row for what its mean does to the mean of all, the
probe without it follows from the k x k matrix U A⁻¹ Uᵀ (Woodbury; for one frame a level this is the well-known formula
e / (1 - h) of leave-one-out). Standardisation by the training levels changes with each level in all dimensions, and
so do levels of more frames than dimensions: these are solved anew from the sums without the level, as exactly.

Memory: the frames of the levels that are not over yet. In a cache a level's frames lie together, or nearly so.

Cost: n (d² + k d) multiplications for each strength; solved anew, a Cholesky factor of d x d a level and strength
(512: 7 ms).

Axes: `sample`, `dimension`, `column`, `alpha`, `level`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int
from scipy.linalg import eigh
from tqdm import tqdm

from procscope.probes.levels import Levels
from procscope.probes.moments import Batch, Centred, as_float64, gather
from procscope.probes.ridge import ALPHAS, checked_alphas, solve

LARGEST_WAITING_BYTES = 512 * 2**20
"""Frames held until their level is over."""

_ALL_IN_GROUP = 1e-9
"""1 - leverage below which a direction is the level's alone, and the probe is solved anew without it."""


@dataclass(frozen=True, eq=False)
class GroupOut:
    """What probes do on the level that each was fitted without."""

    alphas: tuple[float, ...]
    n: Int[np.ndarray, " level"]
    errors: Float64[np.ndarray, "level alpha column"]
    """Sum of squared errors on the level."""
    guess_errors: Float64[np.ndarray, "level column"]
    """The same of guessing the other levels' mean."""
    squares: Float64[np.ndarray, " column"]
    """Squared differences of all samples from their mean."""

    @property
    def r2(self) -> Float64[np.ndarray, "alpha column"]:
        """1 - squared error on the levels left out / squared differences from the mean of all."""
        return 1 - self.errors.sum(axis=0) / self.squares


class _Group(NamedTuple):
    level: int
    x: np.ndarray
    y: np.ndarray


def leave_one_group_out(
    batches: Callable[[], Iterable[Batch]],
    targets: Float64[np.ndarray, "sample column"],
    levels: Levels,
    alphas: Sequence[float] = ALPHAS,
    *,
    standardise: bool = True,
) -> GroupOut:
    """Errors of every level under the probes of all others.

    Args:
        batches: gives the features anew at each call; it is called twice.

    Raises ValueError: fewer than two levels; alpha 0 with too few samples without the largest level; levels so
    scattered that more than `LARGEST_WAITING_BYTES` of frames would have to wait; what `gather` refuses.
    """
    strengths = checked_alphas(alphas)
    sizes = np.bincount(levels.of_frame, minlength=levels.n)
    if levels.n < 2:
        raise ValueError(f"expected at least two levels to leave one out, given {levels.n}")
    whole = gather(batches(), targets, np.zeros(len(levels.of_frame), np.int64), 1).total()
    if 0.0 in strengths and whole.n - sizes.max() <= len(whole.x):
        raise ValueError(
            f"expected more samples than dimensions for alpha 0, without any one level; there are "
            f"{whole.n - sizes.max()} without the largest, and {len(whole.x)} dimensions. Ask for strengths above 0"
        )
    errors = np.zeros((levels.n, len(strengths), targets.shape[1]))
    guesses = np.zeros((levels.n, targets.shape[1]))
    low_rank = None if standardise else _Eigen.of(whole)
    groups = _groups(batches(), targets, levels, sizes)
    for group in tqdm(groups, total=levels.n, desc="levels left out", disable=None):
        n = len(group.x)
        rest_mean_y = (whole.n * whole.y - n * group.y.mean(axis=0)) / (whole.n - n)
        guesses[group.level] = ((group.y - rest_mean_y) ** 2).sum(axis=0)
        residuals = None
        if low_rank is not None and n + 1 < len(whole.x):
            residuals = low_rank.residuals(group, whole, strengths)
        if residuals is None:
            residuals = _solved_anew(group, whole, strengths, standardise)
        errors[group.level] = (residuals**2).sum(axis=1)
    return GroupOut(strengths, sizes, errors, guesses, whole.yy)


class _Eigen(NamedTuple):
    """The matrix of products of all samples, by its eigenvectors."""

    variances: np.ndarray
    axes: np.ndarray
    read: np.ndarray
    """Products with the targets along each axis."""

    @classmethod
    def of(cls, whole: Centred) -> "_Eigen":
        variances, axes = eigh(whole.xx, check_finite=False)
        return cls(np.maximum(variances, 0.0), axes, axes.T @ whole.xy)

    def residuals(self, group: _Group, whole: Centred, alphas: Sequence[float]) -> np.ndarray | None:
        """[alpha, sample, column] of a level under the probe without it; None where only solving anew will do."""
        n = len(group.x)
        mean_x, mean_y = group.x.mean(axis=0), group.y.mean(axis=0)
        weight = np.sqrt(n * whole.n / (whole.n - n))
        rows = np.vstack([group.x - mean_x, weight * (mean_x - whole.x)[None]]) @ self.axes
        values = np.vstack([group.y - mean_y, weight * (mean_y - whole.y)[None]])
        found = []
        for alpha in alphas:
            if self.variances[0] + alpha <= 1e-12 * self.variances[-1]:
                return None
            shrunk = rows / (self.variances + alpha)
            leverage, axes = eigh(shrunk @ rows.T, check_finite=False)
            if 1 - leverage[-1] < _ALL_IN_GROUP:
                return None
            off = values - shrunk @ self.read
            without = axes @ ((axes.T @ off) / (1 - leverage)[:, None])
            # The last row speaks of the means: from those of all samples to those without the level.
            inside, apart = without[:-1], without[-1] / weight * whole.n / (whole.n - n)
            found.append(inside + apart)
        return np.stack(found)


def _solved_anew(group: _Group, whole: Centred, alphas: Sequence[float], standardise: bool) -> np.ndarray:
    n, rest = len(group.x), whole.n - len(group.x)
    mean_x, mean_y = group.x.mean(axis=0), group.y.mean(axis=0)
    apart_x, apart_y = mean_x - whole.x, mean_y - whole.y
    weight = n * whole.n / rest
    x, y = group.x - mean_x, group.y - mean_y
    sums = Centred(
        rest,
        whole.x - apart_x * n / rest,
        whole.y - apart_y * n / rest,
        whole.xx - x.T @ x - weight * np.outer(apart_x, apart_x),
        whole.xy - x.T @ y - weight * np.outer(apart_x, apart_y),
        whole.yy,
    )
    solution = solve(sums, alphas, standardise)
    predicted = np.einsum("sd,adc->asc", group.x, solution.coefficients) + solution.intercepts[:, None]
    return group.y - predicted


def _groups(
    batches: Iterable[Batch], targets: np.ndarray, levels: Levels, sizes: np.ndarray
) -> Iterator[_Group]:
    """Each level once, as soon as its last frame was read."""
    waiting: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
    left, held = sizes.copy(), 0
    for samples, features in batches:
        places = np.arange(len(levels.of_frame))[samples]
        of = levels.of_frame[places]
        for level in np.unique(of).tolist():
            chosen = of == level
            part = np.ascontiguousarray(features[chosen])
            waiting.setdefault(level, []).append((part, targets[places[chosen]]))
            held += part.nbytes
            left[level] -= len(part)
            if left[level]:
                continue
            x, y = (np.concatenate(parts) for parts in zip(*waiting.pop(level), strict=True))
            held -= x.nbytes
            yield _Group(level, as_float64(x), y)
        if held > LARGEST_WAITING_BYTES:
            raise ValueError(
                f"expected the frames of a level to lie near each other; those of {len(waiting)} levels that go on "
                "later "
                f"take more than {LARGEST_WAITING_BYTES / 1e9:.2f} GB. Use folds of several levels (fit_ridge)"
            )
