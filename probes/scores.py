"""What held-out predictions are worth, with intervals over levels, beside what guessing is worth.

Every number here is a function of sums over levels (`level_intervals.py`), so that intervals and differences of two
probes on the same frames cost next to nothing.

    numbers    r2        1 - squared error / squared differences from the mean of all frames (the definition of
                         scikit-learn's `r2_score`; the same as 1 - fvu)
               mse       mean squared error, beside that of guessing the training levels' mean
    classes    accuracy  beside that of guessing the training levels' commonest class
               balanced_accuracy  mean over classes of the share of their frames that are found; guessing gives
                                  1 / classes
               log_loss  mean -log of the probability of the right class, in nats, beside that of the
                         training shares

Axes: `sample`, `class`, `level`, `quantity` what is summed.
"""

import base64
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Float64, Int

from procscope.probes.level_intervals import RESAMPLES, level_interval
from procscope.probes.levels import Levels
from procscope.workbench.statistics import Interval

_CLASS_SUMS = 5
"""Columns of classes' sums before those of each class, which scores of places do without."""


@dataclass(frozen=True, eq=False)
class Score:
    """One probe on one target: sums of its held-out predictions, level by level."""

    sums: Float64[np.ndarray, "level quantity"]
    n_classes: int
    """0 for numbers."""
    n_samples: int

    @property
    def main(self) -> str:
        """The quantity that reports lead with: r2 or accuracy."""
        return "accuracy" if self.n_classes else "r2"

    def interval(self, quantity: str, rng: np.random.Generator, resamples: int = RESAMPLES) -> Interval:
        """A quantity with its interval. Raises ValueError: unknown, or undefined."""
        return level_interval(self.sums, self._statistic(quantity), rng=rng, resamples=resamples)

    def value(self, quantity: str) -> float:
        """A quantity."""
        return float(self._statistic(quantity)(self.sums.sum(axis=0)))

    def over(
        self, other: "Score", rng: np.random.Generator, quantity: str = "", resamples: int = RESAMPLES
    ) -> Interval:
        """This probe's main quantity less another's on the same levels, paired."""
        name, width = quantity or self.main, self.sums.shape[1]
        mine, theirs = self._statistic(name), other._statistic(name)
        return level_interval(
            np.concatenate([self.sums, other.sums], axis=1),
            lambda s: mine(s[..., :width]) - theirs(s[..., width:]),
            rng=rng,
            resamples=resamples,
        )

    def quantities(self) -> tuple[str, ...]:
        """What it can say."""
        if self.n_classes:
            by_class = ("balanced_accuracy",) if self.sums.shape[1] > _CLASS_SUMS else ()
            return ("accuracy", "guess_accuracy", *by_class, "log_loss", "guess_log_loss")
        return ("r2", "mse", "guess_mse")

    def to_json(self) -> dict[str, Any]:
        """For members of a sweep: the sums as float32, compressed."""
        packed = zlib.compress(self.sums.astype("<f4").tobytes())
        return {
            "sums": base64.b64encode(packed).decode(),
            "quantities": self.sums.shape[1],
            "n_classes": self.n_classes,
            "n_samples": self.n_samples,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Score":
        """What `to_json` gave, to seven digits."""
        flat = np.frombuffer(zlib.decompress(base64.b64decode(kept["sums"])), "<f4")
        sums = flat.reshape(-1, kept["quantities"]).astype(np.float64)
        return cls(sums, kept["n_classes"], kept["n_samples"])

    def _statistic(self, quantity: str) -> Callable[[np.ndarray], np.ndarray]:
        if quantity not in self.quantities():
            raise ValueError(f"expected one of {', '.join(self.quantities())}; given {quantity!r}")
        if not self.n_classes:
            return {
                "r2": lambda s: 1 - s[..., 3] / (s[..., 2] - s[..., 1] ** 2 / s[..., 0]),
                "mse": lambda s: s[..., 3] / s[..., 0],
                "guess_mse": lambda s: s[..., 4] / s[..., 0],
            }[quantity]
        if quantity == "balanced_accuracy":
            return self._balanced
        place = {"accuracy": 1, "guess_accuracy": 2, "log_loss": 3, "guess_log_loss": 4}[quantity]
        return lambda s: s[..., place] / s[..., 0]

    def _balanced(self, sums: np.ndarray) -> np.ndarray:
        first, k = _CLASS_SUMS, self.n_classes
        with np.errstate(all="ignore"):
            found = sums[..., first : first + k] / sums[..., first + k :]
        return np.asarray(np.nanmean(found, axis=-1))  # a resample without some class says nothing of it


def number_score(
    truth: Float64[np.ndarray, " sample"],
    predicted: Float[np.ndarray, " sample"],
    guessed: Float[np.ndarray, " sample"],
    levels: Levels,
) -> Score:
    """Score of predicted numbers. Args: guessed: the training levels' mean, for each sample."""
    apart = truth - truth.mean()
    columns = [np.ones(len(truth)), apart, apart**2, (truth - predicted) ** 2, (truth - guessed) ** 2]
    return Score(_by_level(columns, levels), 0, len(truth))


def class_score(
    truth: Int[np.ndarray, " sample"],
    log_probabilities: Float[np.ndarray, "sample class"],
    guess_log_probabilities: Float[np.ndarray, "sample class"],
    levels: Levels,
) -> Score:
    """Score of predicted classes. Args: guess_log_probabilities: of the training levels' shares, for each sample."""
    n, k = log_probabilities.shape
    rows = np.arange(n)
    hit = (log_probabilities.argmax(axis=1) == truth).astype(np.float64)
    guess_hit = (guess_log_probabilities.argmax(axis=1) == truth).astype(np.float64)
    columns = [
        np.ones(n),
        hit,
        guess_hit,
        -log_probabilities[rows, truth],
        -guess_log_probabilities[rows, truth],
    ]
    columns += [hit * (truth == c) for c in range(k)] + [(truth == c).astype(np.float64) for c in range(k)]
    return Score(_by_level(columns, levels), k, n)


def place_score(
    truth: Int[np.ndarray, " frame"],
    log_probabilities: Float[np.ndarray, "frame position"],
    guess_log_probabilities: Float[np.ndarray, "frame position"],
    levels: Levels,
) -> Score:
    """Score of predicted positions: classes, without the sums of each class by itself."""
    whole = class_score(truth, log_probabilities, guess_log_probabilities, levels)
    return Score(whole.sums[:, :_CLASS_SUMS], whole.n_classes, whole.n_samples)


def _by_level(columns: list[np.ndarray], levels: Levels) -> Float64[np.ndarray, "level quantity"]:
    return np.stack([np.bincount(levels.of_frame, column, levels.n) for column in columns], axis=1)
