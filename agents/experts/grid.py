"""The expert of games that are planned on a grid: shortest paths in the maze, keys and locks in Heist.

When: as a teacher (`agents/imitation/maze_source.py`, `play_source.py`), as the actor `expert` of a cache or a rollout
(`expert_actor.py`), and as the oracle that a policy's moves are compared with. It sees the engine's state, not the
picture. The plans themselves are the games' ground truth (`procscope.envs.labels`): in Heist the shortest way over all
keys and locks that it needs, steered round corners, as the agent there does not move by whole cells
(`envs/heist/motion.py`). CoinRun has experts of its own (`coinrun_expert.py`, `engine_search.py`).

Cost: about 30 us a state of the maze and 100 us of Heist, nearly all of it search; inside a vector environment the ways
through a level are worked out once and looked up afterwards.

Axes: `state` a batch of states; `env` games of a vector.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64

from procscope.activations.actors import Seen
from procscope.agents.experts.advice import Advice, expert_values
from procscope.envs.actions import MOVE_TO_ACTION
from procscope.envs.labels import label_states
from procscope.envs.state.batch import read_batch

STEPS_A_CELL = {"maze": 1.0, "heist": 2.14}
"""Steps that a cell of the way takes: exact in the maze; in Heist the mean over 1,000 easy levels, turns included
(`tests/test_agents_experts.py` holds it to that)."""


class GridExpert:
    """Goes the shortest way to the goal.

    Args:
        discount: of the return in `Advice.values`.
    """

    def __init__(self, discount: float = 0.99) -> None:
        if not 0 < discount <= 1:
            raise ValueError(f"discount must be in (0, 1]; given: {discount}")
        self.discount = discount

    def advise(self, states: Sequence[bytes]) -> Advice:
        """The best action in each state of one game. Raises ValueError for a game that is not planned on a grid."""
        name = read_batch(states).game
        if name not in STEPS_A_CELL:
            raise ValueError(
                f"expected states of {' or '.join(STEPS_A_CELL)}, which are planned on a grid; given: {name}. "
                "For other games see procscope.agents.experts.engine_search"
            )
        labels = label_states(states)
        cells = labels["distance_to_goal_cells"]
        return Advice(
            MOVE_TO_ACTION[labels["best_move"]],
            steps_to_goal(name, cells),
            np.where(cells > 0, expert_values(steps_to_goal(name, cells), self.discount), np.float32(0)),
        )

    def act(self, seen: Seen, rng: np.random.Generator) -> Int64[np.ndarray, "env"]:
        """Actions from the labels that a vector environment gives with its frames."""
        return MOVE_TO_ACTION[seen.labels["best_move"]]


def steps_to_goal(game: str, cells: np.ndarray) -> Int64[np.ndarray, "state"]:
    """Steps that a way of so many cells takes, at least 1; -1 and 0 stay, as there is no way or none left."""
    steps = np.maximum(1, np.rint(cells * STEPS_A_CELL[game])).astype(np.int64)
    return np.where(cells > 0, steps, cells.astype(np.int64))
