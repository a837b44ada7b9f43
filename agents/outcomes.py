"""What matters of a game's episodes: by which property levels are told apart, and where failures end.

When: in `evaluate.py`. To evaluate another game, add its entry to `OUTCOMES`.

    maze      by size of the maze, and by how far the cheese lies from the top-right corner; failures end in the corner
              (on its top-right cell or next to it), stuck, or elsewhere
    heist     by number of keys, and by cells of the way to the gem; stuck or elsewhere
    coinrun   by columns to the coin; dead, at the level's end (where the coin of an unedited level is), stuck, or
              elsewhere

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


class Property(NamedTuple):
    """Something that levels are told apart by."""

    name: str
    """In a word or two."""
    unit: str
    """What it counts."""
    width: int
    """Values are put together so many at a time."""
    of: Callable[[Columns], Int[np.ndarray, "episode"]]
    """Its value in each level, from the labels of the first state; negative where it has none."""

    def groups(self, labels: Columns) -> Int[np.ndarray, "episode"]:
        """The least value of each level's group."""
        values = self.of(labels).astype(np.int64)
        return np.where(values < 0, -1, values // self.width * self.width)

    def group_name(self, least: int) -> str:
        """Such as `5`, or `10-19`; `none` where there is no goal to measure from."""
        if least < 0:
            return "none"
        return str(least) if self.width == 1 else f"{least}-{least + self.width - 1}"


class GameOutcomes(NamedTuple):
    """What matters in one game."""

    properties: tuple[Property, ...]
    """The one that matters most first."""
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
    return {
        "dead": died,
        "at the end": played.last_cell[:, 0] >= end_columns(first) - NEAR_CELLS,
        "stuck": played.stuck,
    }


def end_columns(states: StateBatch) -> Int[np.ndarray, "episode"]:
    """The column in which each CoinRun level ends: the last one that is not all wall."""
    open_columns = ~np.isin(states.grids, _COINRUN_WALLS).all(axis=1)
    return open_columns.shape[1] - 1 - open_columns[:, ::-1].argmax(axis=1)


def _cells_from_corner(labels: Columns) -> Int[np.ndarray, "episode"]:
    last = labels["maze_size"] - 1
    away = np.hypot(last - labels["goal_x"], last - labels["goal_y"]).astype(np.int64)
    return np.where(labels["goal_x"] < 0, -1, away)


def _columns_to_coin(labels: Columns) -> Int[np.ndarray, "episode"]:
    return np.where(labels["goal_x"] < 0, -1, np.abs(labels["goal_x"] - labels["agent_x"]))


OUTCOMES: dict[str, GameOutcomes] = {
    "maze": GameOutcomes(
        (
            Property("size", "cells", 1, lambda labels: labels["maze_size"]),
            Property("cheese to corner", "cells", 2, _cells_from_corner),
        ),
        _maze_ends,
    ),
    "heist": GameOutcomes(
        (
            Property("keys", "keys", 1, lambda labels: labels["n_keys_left"] + labels["n_keys_held"]),
            Property("way", "cells", 20, lambda labels: labels["distance_to_goal_cells"]),
        ),
        _heist_ends,
    ),
    "coinrun": GameOutcomes(
        (Property("distance", "columns", 10, _columns_to_coin),),
        _coinrun_ends,
    ),
}
"""By game."""
