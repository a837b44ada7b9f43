"""Which transitions train a network, stop its training and test it: all of a level's on one side.

When to use: wherever transitions are divided. Frames of one level look alike, so a test on other frames of the levels
trained on measures memory; the side is drawn from the level's seed alone, the same in every data set.

Cost: 20 nanoseconds a transition.

Axes: `transition` rows of the data.
"""

from enum import IntEnum

import numpy as np
from jaxtyping import Float64, Int, Int8

TEST_SHARE = 0.1
"""Of the levels, as in the dissertation."""
VALIDATION_SHARE = 0.05
"""Of the levels: what early stopping looks at."""


class Split(IntEnum):
    """The sides of the division."""

    TRAIN = 0
    VALIDATION = 1
    TEST = 2


def splits_of(level_seeds: Int[np.ndarray, "transition"]) -> Int8[np.ndarray, "transition"]:
    """The `Split` of each transition, by a hash of its level's seed.

    Raises ValueError: a level without seed (-1), which belongs nowhere.
    """
    if len(level_seeds) and level_seeds.min() < 0:
        raise ValueError(
            "expected transitions of levels with seeds, which the division goes by; some have none"
        )
    place = _uniform(level_seeds)
    held_out = np.where(place < TEST_SHARE, Split.TEST, Split.VALIDATION)
    return np.where(place < TEST_SHARE + VALIDATION_SHARE, held_out, Split.TRAIN).astype(np.int8)


def _uniform(numbers: Int[np.ndarray, "transition"]) -> Float64[np.ndarray, "transition"]:
    """A number in [0, 1) for each, from the bits alone (splitmix64; Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        x = numbers.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((x ^ (x >> np.uint64(31))) >> np.uint64(11)) / 2.0**53
