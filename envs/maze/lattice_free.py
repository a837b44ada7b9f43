"""Mazes without the lattice: one way between any two cells, as in the engine's, but rooms and corridors anywhere.

In the engine's mazes cells with even x and even y are always free and those with odd x and odd y always walls
(`structure.py`), so that the wall next to a cell tells much of the rest, and every other cell is a corridor in which
nothing is decided. Here walls and ways may lie on any cell.

When: to ask whether what a network knows rests on that lattice; the channel-121 study asks it ("Notes on the maze
generator"). The engine's generator never makes these.
How: from the bottom-left cell on, a random wall cell that has exactly one free neighbour is opened, until there is
none; such a maze has no loops and no separate parts. Draws whose top-right cell stays a wall are thrown away.
Cost: about 2 ms a draw for size 15, half of which are kept.

Axes: y = cell row, counted upwards; x = cell column, counted to the right.
"""

import numpy as np
from jaxtyping import Bool

from procscope.envs.cells import Cell
from procscope.envs.maze.level import MazeLevel
from procscope.envs.maze.value import N_BACKGROUNDS, check_size, mode_of_world


def lattice_free_maze(size: int, rng: np.random.Generator, world: int = 15) -> MazeLevel:
    """A random maze without the lattice, the mouse at (0, 0), the cheese on a random other cell, the look random.

    Raises ValueError: a size that is even, below 3 or larger than the world.
    """
    mode = mode_of_world(world)
    check_size(size, mode)
    walls = _grown_walls(size, rng)
    while walls[-1, -1]:
        walls = _grown_walls(size, rng)
    free = np.argwhere(~walls)[1:]
    y, x = free[rng.integers(len(free))]
    background, offset = int(rng.integers(N_BACKGROUNDS)), float(np.float32(rng.random()))
    return MazeLevel(walls, (int(x), int(y)), mode=mode, background=background, background_offset=offset)


def _grown_walls(size: int, rng: np.random.Generator) -> Bool[np.ndarray, "y x"]:
    walls = np.ones((size, size), dtype=bool)
    free_beside = np.zeros((size, size), dtype=np.int8)
    candidates: list[Cell] = [(0, 0)]
    while candidates:
        # The last takes the drawn one's place, so that taking one out costs the same wherever it lies.
        place = int(rng.integers(len(candidates)))
        candidates[place], candidates[-1] = candidates[-1], candidates[place]
        x, y = candidates.pop()
        if not walls[y, x] or free_beside[y, x] > 1:
            continue
        walls[y, x] = False
        for near_x, near_y in ((x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1)):
            if 0 <= near_x < size and 0 <= near_y < size:
                free_beside[near_y, near_x] += 1
                if walls[near_y, near_x] and free_beside[near_y, near_x] == 1:
                    candidates.append((near_x, near_y))
    return walls
