"""Frames in a row with what the expert does in each: what a network with a memory learns from.

When: as what `sequence_source.py` makes of a round and `sequence_lessons.py` makes optimiser steps of.

Axes: `time` steps of a round; `game` games of a round, each a row of episodes.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int64, UInt8

SEQUENCE_FRAMES = 8
"""Frames in a row of an optimiser step: how far a gradient reaches back. The memory itself goes further."""


class Sequences(NamedTuple):
    """A round's games."""

    frames: UInt8[np.ndarray, "time game 64 64 3"]
    first: Bool[np.ndarray, "time game"]
    """Whether a frame is the first of its episode."""
    actions: Int64[np.ndarray, "time game"]
    """The expert's raw action."""
    steps_to_goal: Int64[np.ndarray, "time game"]
    """Steps of the expert's way to the goal; -1 where there is none, and so nothing to learn."""
    is_own: Bool[np.ndarray, "game"]
    """Whether the network plays it."""
