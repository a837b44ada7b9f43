"""The moves that lie ahead of a frame on the shortest way: what a probe for a plan is asked to read.

    planned_moves(levels, 8)           # [level, step]: 0 left, 1 down, 3 up, 4 right; 2 (stay) after the end

In a cache of an expert's play, `ahead(best_move, 3)` says the same without any noise; these are for single frames, of
levels with the agent anywhere. In a maze the way leads to the cheese, in Heist over keys and locks to the gem, cell by
cell. They are from the future of the frame, but follow from what it shows.

Cost: 0.5 ms a level.

Axes: `level`, `step` the first move is step 0.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from procscope.envs.actions import MOVE_STEPS, Move
from procscope.envs.cells import Cell
from procscope.envs.heist import HeistLevel
from procscope.envs.maze import MazeLevel


def planned_moves(
    levels: Sequence[MazeLevel] | Sequence[HeistLevel], steps: int
) -> Int[np.ndarray, "level step"]:
    """The first moves of each level's shortest way, as `Move`. Raises ValueError: no level, or fewer than one step."""
    if not levels or steps < 1:
        raise ValueError(f"expected at least one level and one step; given {len(levels)} and {steps}")
    ways = [one.shortest_path() if isinstance(one, MazeLevel) else one.plan().path for one in levels]
    return np.stack([moves_of_way(way, steps) for way in ways])


def moves_of_way(way: Sequence[Cell], steps: int) -> Int[np.ndarray, " step"]:
    """The moves from cell to cell, `Move.STAY` where the way is over.

    Raises ValueError: cells one after the other that are no neighbours.
    """
    moves = np.full(steps, int(Move.STAY))
    cells = np.array(way[: steps + 1], dtype=np.int64).reshape(-1, 2)
    if len(cells) > 1:
        same = (np.diff(cells, axis=0)[:, None] == MOVE_STEPS).all(axis=2)
        if not same.any(axis=1).all():
            raise ValueError(f"expected a way of neighbouring cells; given {list(way[: steps + 1])}")
        moves[: len(same)] = same.argmax(axis=1)
    return moves
