"""Linear probes of numbers and of classes alike, scored on levels left out: one pass to fit them, one to judge.

When to use: where many things are read at many places beside baselines and control tasks. A class is read by one
linear probe for each answer ("is it this one?", 0 or 1), the largest of which counts: the least-squares classifier. It
is fitted in closed form with the strength that other levels favour, as numbers are, so that all that is asked of a
layer, control tasks included, costs two passes. `study.py` has logistic probes, which take minutes.

Predicted numbers are kept within what the training levels showed: a unit that hardly ever fires can throw a linear
reading far off in the one frame in which it does.

    found = least_squares(features, targets, levels, fold)
    found.scores["best_move"].value("accuracy"), found.fit, found.columns["best_move"]

Measured: on 1,500 frames of 512 numbers, four moves: accuracy 0.929 on other levels in 0.2 s with five folds and
strengths; the logistic probe has 0.917 at its best penalty, in 5 s.

Axes: `sample`, `column` of what linear probes regress on, `fold`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from procscope.probes.features import Features
from procscope.probes.levels import Levels
from procscope.probes.moments import Columns
from procscope.probes.ridge import RidgeFit, fit_ridge, held_out_values
from procscope.probes.scores import Score, class_score, number_score
from procscope.probes.targets import Target

ALPHAS = (1.0, 10.0, 100.0, 1e3, 1e4)
"""Ridge strengths for some thousands of samples; none is 0, so that dimensions may outnumber samples."""
_LEAST = 1e-3
"""Of what a class's probe says that counts as a probability."""


class LeastSquares(NamedTuple):
    """Probes of some targets, and what they are worth."""

    fit: RidgeFit
    columns: dict[str, slice]
    """Where in `fit` a target's columns are."""
    scores: dict[str, Score]


def least_squares(
    features: Features,
    targets: Sequence[Target],
    levels: Levels,
    fold: Int[np.ndarray, " sample"],
    alphas: Sequence[float] = ALPHAS,
) -> LeastSquares:
    """Fit and judge a probe of each target.

    Args:
        levels: of the samples. fold: of each sample, whole levels (`levels.folds`).

    Raises ValueError: two targets of one name; what `fit_ridge` refuses.
    """
    names = [one.name for one in targets]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"expected targets of different names; given {', '.join(names) or 'none'}")
    matrix = Columns([one.codes for one in targets])
    columns = {name: slice(a, b) for name, a, b in zip(names, matrix.starts, matrix.starts[1:], strict=False)}
    fit = fit_ridge(features.batches(), matrix, fold, alphas)
    every = np.arange(matrix.starts[-1])
    values = held_out_values(features.batches(), fit, every, fold)
    guesses = np.stack([fit.moments.mean_y(part) for part in range(fit.moments.n_parts)])[fold]
    scores = {}
    for one in targets:
        at = columns[one.name]
        if one.is_class:
            given, guess = (class_logs(array[:, at]) for array in (values, guesses))
            scores[one.name] = class_score(one.values.astype(np.int64), given, guess, levels)
        else:
            truth = one.values.astype(np.float64)
            given = within_training(values[:, at.start], truth, fold)
            scores[one.name] = number_score(truth, given, guesses[:, at.start], levels)
    return LeastSquares(fit, columns, scores)


def within_training(
    values: Float[np.ndarray, " sample"],
    truth: Float[np.ndarray, " sample"],
    fold: Int[np.ndarray, " sample"],
) -> Float[np.ndarray, " sample"]:
    """Predictions kept between the smallest and the largest answer of the other folds."""
    kept = values.astype(np.float64)
    for part in np.unique(fold):
        known = truth[fold != part]
        kept[fold == part] = np.clip(kept[fold == part], known.min(), known.max())
    return kept


def class_logs(values: Float[np.ndarray, "sample class"]) -> Float[np.ndarray, "sample class"]:
    """What probes of 0 and 1 say of each class, as log probabilities: not below a thousandth, and of sum 1."""
    shares = np.clip(values.astype(np.float64), _LEAST, None)
    return np.log(shares / shares.sum(axis=1, keepdims=True))
