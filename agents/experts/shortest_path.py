"""The maze's expert: shortest paths, planned for many mazes at once.

When: as a teacher (`agents/imitation/maze_source.py`), as the actor `expert` of a cache or a rollout, and as the oracle
that a policy's moves are compared with. It sees the engine's state, not the picture.

Cost: about 30 us a state, nearly all of it breadth-first search; inside a vector environment the paths of a level are
searched once and looked up afterwards (`procscope.envs.labels`).

Axes: `state` a batch of states; `env` games of a vector.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64, UInt8

from procscope.agents.experts.advice import Advice, expert_values
from procscope.envs.actions import MOVE_TO_ACTION
from procscope.envs.labels import Columns, label_states


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
