"""The maze's expert: shortest paths, planned for many mazes at once.

When: as a teacher (`agents/imitation_data.py`), as the actor `expert` of a cache or a rollout, and as the oracle
that a policy's moves are compared with. It sees the engine's state, not the picture.

Cost: about 30 us a state, nearly all of it breadth-first search; inside a vector environment the paths of a level are
searched once and looked up afterwards (`procscope.envs.labels`).

Axes: `state` a batch of states; `env` games of a vector.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from procscope.envs.actions import MOVE_TO_ACTION
from procscope.envs.labels import Columns, label_states

#: What the engine pays for reaching the goal.
GOAL_REWARD = 10.0


class Advice(NamedTuple):
    """What the expert does in each state, and what that is worth."""

    actions: Int64[np.ndarray, "state"]
    """Raw actions; `nothing` (4) at the goal and where no way leads to it."""
    steps_to_goal: Int64[np.ndarray, "state"]
    """Length of the path, -1 where there is none."""
    values: Float32[np.ndarray, "state"]
    """Discounted return of following it; 0 where there is none."""


class ShortestPathExpert:
    """Goes the shortest way to the goal.

    Args:
        discount: of the return in `Advice.values`.
    """

    def __init__(self, discount: float = 0.99) -> None:
        if not 0 < discount <= 1:
            raise ValueError(f"discount must be in (0, 1]; given: {discount}")
        self.discount = discount

    def advise(self, states: Sequence[bytes]) -> Advice:
        """The best action in each state of a maze. Raises ValueError for states of another game."""
        labels = label_states(states)
        steps = labels["distance_to_goal_cells"].astype(np.int64)
        return Advice(
            MOVE_TO_ACTION[labels["best_move"]],
            steps,
            np.where(steps > 0, expert_values(steps, self.discount), np.float32(0)),
        )

    def act(
        self, frames: UInt8[np.ndarray, "env row col rgb"], labels: Columns, rng: np.random.Generator
    ) -> Int64[np.ndarray, "env"]:
        """Actions from the labels that a vector environment gives with its frames."""
        return MOVE_TO_ACTION[labels["best_move"]]


def expert_values(steps_to_goal: Int64[np.ndarray, "state"], discount: float) -> Float32[np.ndarray, "state"]:
    """Discounted return of a path of that many steps: the goal's reward of 10, one step away worth 10."""
    return (GOAL_REWARD * discount ** (steps_to_goal - 1.0)).astype(np.float32)
