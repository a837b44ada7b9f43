"""What an expert says of states: the action to take and what following it is worth.

When: as the result of any expert's `advise`, whatever it plans with.

Axes: `state` a batch of states.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Int64

#: What the engine pays for reaching the goal in the maze, Heist and CoinRun.
GOAL_REWARD = 10.0


class Advice(NamedTuple):
    """What the expert does in each state, and what that is worth."""

    actions: Int64[np.ndarray, "state"]
    """Raw actions; `nothing` (4) at the goal and where no way leads to it."""
    steps_to_goal: Int64[np.ndarray, "state"]
    """Length of the path in steps, -1 where there is none."""
    values: Float32[np.ndarray, "state"]
    """Discounted return of following it; 0 where there is none."""


@runtime_checkable
class Expert(Protocol):
    """Plans from states: a teacher for imitation, an oracle for tests."""

    def advise(self, states: Sequence[bytes]) -> Advice:
        """The best action in each state, of one game."""
        ...


def expert_values(steps_to_goal: Int64[np.ndarray, "state"], discount: float) -> Float32[np.ndarray, "state"]:
    """Discounted return of a path of that many steps: the goal's reward of 10, one step away worth 10."""
    return (GOAL_REWARD * discount ** (steps_to_goal - 1.0)).astype(np.float32)
