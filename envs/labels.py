"""Ground truth of frames, for whole batches: where the agent and its goal are, what an expert would do.

When: `label_states(states)` for any list of states of one game (static sampling); a `Labeller` for a vector
of games that play on, which works a level's paths out only when the level begins;
`ProcgenVectorEnv(labels=True)` to get them at each step. Cost: getting the states out of the engine, about 60
us each, is nearly all of it; see the game's own file for the rest.

Labels are a dict of columns, NumPy arrays with one entry per state. These come alike in every game:

    level_seed               seed of the level in play, -1 for a level that has none
    agent_x, agent_y         cell that the agent is in; (0, 0) is the bottom-left cell of the level, y upwards
    goal_x, goal_y           cell of the goal, -1 when there is none (as in the frame after it was reached)
    distance_to_goal_cells   steps of the shortest path to the goal, -1 when there is none
    best_move                first move of that path as `procscope.envs.actions.Move`; STAY when there is none
    agent_moving             whether the agent moved in the step before this frame; False when the level begins
    agent_row, agent_col     pixel of the 64 x 64 picture, from the upper left, that the agent's centre is in
    goal_row, goal_col       the same for the goal, -1 when its centre is out of the picture, or there is none
    goal_visible             whether any of the goal lies in the picture; what may cover it is not asked
    goal_distance_euclidean  from centre to centre in cells (float), -1 when there is no goal

Further columns are the game's own: see its `labels.py`, which has `level_facts(batch)`, a NamedTuple of arrays
with one row per state, and `frame_columns(facts, batch)`, the dict of columns. Whole numbers are int32, others float32,
flags bool. What reward the next action would give is no column, for it is asked of the engine: see `lookahead.py`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from procscope.envs.games import Columns, game
from procscope.envs.state.batch import read_batch

#: Columns that every game has.
COMMON_COLUMNS = (
    "level_seed",
    "agent_x",
    "agent_y",
    "goal_x",
    "goal_y",
    "distance_to_goal_cells",
    "best_move",
    "agent_moving",
    "agent_row",
    "agent_col",
    "goal_row",
    "goal_col",
    "goal_visible",
    "goal_distance_euclidean",
)


def label_states(states: Sequence[bytes]) -> Columns:
    """The labels of the frames that the given states show, in order.

    Raises ValueError when there are no states, when they are of several games, or of a game that has no
    labels.
    """
    if len(states) == 0:
        raise ValueError("expected at least one state to label; given: none")
    batch = read_batch(states)
    of_game = game(batch.game)
    return of_game.frame_columns(of_game.level_facts(batch), batch)


class Labeller:
    """Labels the frames of a vector of games as they are played, remembering what it knows of each level."""

    def __init__(self, game_name: str, num_envs: int) -> None:
        """Raises ValueError when the game has no labels."""
        self._game = game(game_name)
        self._num_envs = num_envs
        self._facts: Any = None

    def begin_levels(self, indices: Int[np.ndarray, " level"], states: Sequence[bytes]) -> None:
        """Take note that the games with the given indices are now in the levels of the given states.

        Must come before the first `label` of such a level, and first of all for every game at once.
        """
        facts = self._game.level_facts(read_batch(states))
        if self._facts is None:
            if not np.array_equal(indices, np.arange(self._num_envs)):
                raise ValueError(
                    f"expected the levels of all {self._num_envs} games at first; given: {indices}"
                )
            self._facts = type(facts)(*(np.array(values) for values in facts))
            return
        for known, new in zip(self._facts, facts, strict=True):
            known[indices] = new

    def label(self, states: Sequence[bytes]) -> Columns:
        """The labels of the games' frames, one state per game, in order."""
        return self._game.frame_columns(self._facts, read_batch(states))
