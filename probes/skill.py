"""One scale for probes of numbers, of classes and of places: 0 is what guessing gives, 1 is never wrong.

    Skill((row_score, col_score)).interval(rng)          # the mean of both
    trained.over(untrained, rng)                         # difference on the same levels, paired

Of numbers it is R². Of classes and places it is the share of guessing's mistakes that the probe does not make,
1 - (1 - accuracy) / (1 - accuracy of guessing the training levels' commonest answer). Below 0: worse than guessing.

Axes: `level`, `quantity` what is summed of each level (`scores.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from procscope.probes.level_intervals import RESAMPLES, level_interval
from procscope.probes.scores import Score
from procscope.workbench.statistics import Interval


@dataclass(frozen=True, eq=False)
class Skill:
    """What the probes of one thing are worth together: the mean over its parts, such as row and column."""

    parts: tuple[Score, ...]
    """On the same levels."""

    def value(self) -> float:
        """The skill itself; NaN where guessing is never wrong."""
        return float(self._statistic()(self._sums.sum(axis=0)))

    def interval(self, rng: np.random.Generator, resamples: int = RESAMPLES) -> Interval:
        """With its bootstrap interval over levels. Raises ValueError: undefined."""
        return level_interval(self._sums, self._statistic(), rng=rng, resamples=resamples)

    def over(self, other: "Skill", rng: np.random.Generator, resamples: int = RESAMPLES) -> Interval:
        """This skill less another's on the same levels, paired. Raises ValueError: other levels, undefined."""
        if len(self._sums) != len(other._sums):
            raise ValueError(
                f"expected two skills on the same levels; given {len(self._sums)} and {len(other._sums)} levels"
            )
        mine, theirs, width = self._statistic(), other._statistic(), self._sums.shape[1]
        return level_interval(
            np.concatenate([self._sums, other._sums], axis=1),
            lambda s: mine(s[..., :width]) - theirs(s[..., width:]),
            rng=rng,
            resamples=resamples,
        )

    def where(self, chosen: Bool[np.ndarray, " level"]) -> "Skill":
        """On some of the levels alone, the probes being those of all."""
        return Skill(tuple(Score(one.sums[chosen], one.n_classes, one.n_samples) for one in self.parts))

    @property
    def _sums(self) -> Float64[np.ndarray, "level quantity"]:
        return np.concatenate([one.sums for one in self.parts], axis=1)

    def _statistic(self) -> Callable[[np.ndarray], np.ndarray]:
        starts = np.cumsum([0, *(one.sums.shape[1] for one in self.parts)])

        def mean(sums: np.ndarray) -> np.ndarray:
            with np.errstate(all="ignore"):
                found = [
                    _skill(sums[..., a:b], one.n_classes)
                    for one, a, b in zip(self.parts, starts, starts[1:], strict=False)
                ]
            return np.asarray(np.mean(found, axis=0))

        return mean


def _skill(sums: np.ndarray, n_classes: int) -> np.ndarray:
    if n_classes:
        return np.asarray(1 - (sums[..., 0] - sums[..., 1]) / (sums[..., 0] - sums[..., 2]))
    return np.asarray(1 - sums[..., 3] / (sums[..., 2] - sums[..., 1] ** 2 / sums[..., 0]))
