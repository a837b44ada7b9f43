"""Levels as the units of all statistics, and folds of whole levels: frames of one level never lie on both sides.

When to use: `levels_of(cache)` once per cache; `folds(...)` for cross-validation. Where levels have no seed (-1, given
levels), the episode stands in for the level.

Axes: `frame` rows of the cache; `level` numbered from 0 in the order of their seeds.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int, Shaped

from procscope.activations.cache import ActivationCache, column_values


@dataclass(frozen=True, eq=False)
class Levels:
    """Which level each frame is of."""

    of_frame: Int[np.ndarray, " frame"]
    """Number of the level, from 0."""
    n: int
    unit: str = "level_seed"
    """The label that tells them apart: `level_seed`, or `episode`."""

    @classmethod
    def of(cls, units: Shaped[np.ndarray, " frame"], unit: str = "level_seed") -> "Levels":
        """Levels by any label, such as seeds."""
        names, of_frame = np.unique(np.asarray(units), return_inverse=True)
        return cls(of_frame.astype(np.int64).reshape(-1), len(names), unit)

    def where(self, chosen: Bool[np.ndarray, " frame"]) -> "Levels":
        """Those of the chosen frames, numbered anew."""
        return Levels.of(self.of_frame[chosen], self.unit)


def levels_of(cache: ActivationCache) -> Levels:
    """The levels of a cache's frames. Raises ValueError: a cache without `level_seed` and `episode`."""
    columns = cache.label_columns
    if "level_seed" in columns:
        seeds = column_values(cache.labels(["level_seed"])["level_seed"])
        if (seeds >= 0).all():
            return Levels.of(seeds)
    if "episode" not in columns:
        raise ValueError(
            f"expected a cache with the label level_seed or episode, by which frames are split; {cache.path} has "
            f"{', '.join(columns)}"
        )
    return Levels.of(column_values(cache.labels(["episode"])["episode"]), "episode")


def folds(levels: Levels, n_folds: int, rng: np.random.Generator) -> Int[np.ndarray, " frame"]:
    """The fold of each frame: whole levels, drawn at random, so that folds have about as many frames each.

    Levels are dealt in a random order, the larger ones first, each to the fold with the fewest frames.

    Raises ValueError: fewer levels than folds.
    """
    if n_folds < 2 or levels.n < n_folds:
        raise ValueError(
            f"expected at least 2 folds, and at least as many levels; given {n_folds} folds of {levels.n} levels (by "
            f"{levels.unit}). Ask for fewer folds, or build a cache of more levels"
        )
    sizes = np.bincount(levels.of_frame, minlength=levels.n)
    order = rng.permutation(levels.n)
    order = order[np.argsort(-sizes[order], kind="stable")]
    if sizes.max() == sizes.min():
        fold_of_level = np.empty(levels.n, np.int64)
        fold_of_level[order] = np.arange(levels.n) % n_folds
        return fold_of_level[levels.of_frame]
    import heapq

    filled = [(0, int(place), fold) for fold, place in enumerate(rng.permutation(n_folds))]
    heapq.heapify(filled)
    fold_of_level = np.empty(levels.n, np.int64)
    for level in order.tolist():
        frames, place, fold = heapq.heappop(filled)
        fold_of_level[level] = fold
        heapq.heappush(filled, (frames + int(sizes[level]), place, fold))
    return fold_of_level[levels.of_frame]
