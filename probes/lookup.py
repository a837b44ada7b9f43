"""What other labels predict of a target: a table of what the training levels show for each combination of them.

When to use: as a baseline beside a probe. Where the move after next is mostly the next one once more, a probe that
reads the next move scores on it, too; what the probe finds beyond this table is not owed to that.

    lookup_score(types_of([labels["best_move"], room]), target, levels, fold)

Classes are guessed by their shares among the training levels' frames of the same type, each class counted as often more
as it comes in one frame on average, so that types that never came guess as without a table; numbers by their means.

Axes: `frame`, `type` combinations of values (`control.types_of`).
"""

import numpy as np
from jaxtyping import Int

from procscope.probes.levels import Levels
from procscope.probes.scores import Score, class_score, number_score
from procscope.probes.targets import Target


def lookup_score(
    types: Int[np.ndarray, " frame"], target: Target, levels: Levels, fold: Int[np.ndarray, " frame"]
) -> Score:
    """The table's score on levels left out, beside guessing without it.

    Raises ValueError: types, folds and answers of other numbers of frames.
    """
    n, k = len(target.values), max(1, len(target.classes))
    if not len(types) == len(fold) == n:
        raise ValueError(
            f"expected a type and a fold for each of {n} answers; given {len(types)} and {len(fold)}"
        )
    hot = target.columns
    given, guess = np.empty((n, k)), np.empty((n, k))
    for part in np.unique(fold):
        out = fold == part
        overall = hot[~out].mean(axis=0)
        counts = np.bincount(types[~out], minlength=int(types.max()) + 1)
        sums = np.stack([np.bincount(types[~out], column, len(counts)) for column in hot[~out].T], axis=1)
        table = (sums + overall) / (counts + 1)[:, None]
        given[out], guess[out] = table[types[out]], overall
    if not target.is_class:
        return number_score(target.values.astype(np.float64), given[:, 0], guess[:, 0], levels)
    tiny = np.finfo(float).tiny
    logs, guess_logs = (np.log(np.maximum(shares, tiny)) for shares in (given, guess))
    return class_score(target.values.astype(np.int64), logs, guess_logs, levels)
