"""What matters of a game's episodes: by which property levels are told apart, and where failures end.

When: in `evaluate.py`. To evaluate another game, add its entry to `OUTCOMES`.

    maze      by size of the maze; failures end in the corner (on its top-right cell or next to it), stuck, or elsewhere
    heist     by number of keys; stuck or elsewhere
    coinrun   by distance of the coin in tens of cells; dead, at the level's end (where the coin of an unedited level
              is), stuck, or elsewhere

*Stuck* is moving between at most four cells for the last 32 steps. Each failed episode is counted once, by the first
that fits.

Axes: `episode` in the order of the levels; `state` their first states.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from procscope.agents.episodes import Episodes
from procscope.envs.games import Columns
from procscope.envs.state.batch import StateBatch

Flags = Bool[np.ndarray, "episode"]

#: A failed episode ended *in the corner* if the mouse was at most this many cells from it, either way, and *at the
#: end* if the agent was at most so many columns before the last one that is not all wall.
NEAR_CELLS = 1

_COINRUN_WALLS = (15, 16)


class GameOutcomes(NamedTuple):
    """What matters in one game."""

    property: str
    """What levels are told apart by, as a word."""
    groups: Callable[[Columns], Int[np.ndarray, "episode"]]
    """That property of each level, from the labels of its first state."""
    ends: Callable[[Episodes, Columns, StateBatch], dict[str, Flags]]
    """Ways to fail, by name, in the order in which they count; what is left is `elsewhere`."""


def _maze_ends(played: Episodes, labels: Columns, first: StateBatch) -> dict[str, Flags]:
    corner = (first.sizes[:, 0] + labels["maze_size"]) // 2 - 1
    in_corner = (np.abs(played.last_cell - corner[:, None]) <= NEAR_CELLS).all(axis=1)
    return {"in the corner": in_corner, "stuck": played.stuck}


def _heist_ends(played: Episodes, labels: Columns, first: StateBatch) -> dict[str, Flags]:
    return {"stuck": played.stuck}


def _coinrun_ends(played: Episodes, labels: Columns, first: StateBatch) -> dict[str, Flags]:
    died = (played.last_cell < 0).all(axis=1)
    open_columns = ~np.isin(first.grids, _COINRUN_WALLS).all(axis=1)
    last_open = open_columns.shape[1] - 1 - open_columns[:, ::-1].argmax(axis=1)
    return {
        "dead": died,
        "at the end": played.last_cell[:, 0] >= last_open - NEAR_CELLS,
        "stuck": played.stuck,
    }


OUTCOMES: dict[str, GameOutcomes] = {
    "maze": GameOutcomes("size", lambda labels: labels["maze_size"], _maze_ends),
    "heist": GameOutcomes("keys", lambda labels: labels["n_keys_left"] + labels["n_keys_held"], _heist_ends),
    "coinrun": GameOutcomes(
        "distance", lambda labels: (labels["goal_x"] - labels["agent_x"]) // 10 * 10, _coinrun_ends
    ),
}
"""By game."""
