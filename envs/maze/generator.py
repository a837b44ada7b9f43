"""Our own maze generator: mazes of any odd size with the engine's invariants, made without the engine.

When: `MazeLevel.generate`; for wall grids alone, `draw_walls`.
How: Kruskal's algorithm with edges in random order, which is what the engine does (procgen's mazegen.cpp):
cells with even x and even y are rooms, the links between two rooms are taken in random order, and one is
opened when it separates two parts. The cheese lies on a uniformly random free cell other than the start. The
distribution is the engine's, the draws are not: for the engine's level of a seed use `MazeLevel.from_seed`.
Cost: about 0.2 ms for size 15.

Axes: y = cell row, counted upwards; x = cell column, counted to the right.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool

from procscope.envs.cells import Cell


def draw_maze(size: int, rng: np.random.Generator) -> tuple[Bool[np.ndarray, "y x"], Cell]:
    """Walls of a random maze of odd `size` from 3, and the cell (x, y) of its cheese."""
    walls = draw_walls(size, rng)
    free = np.argwhere(~walls)[1:]  # row-major, so the first is the start (0, 0)
    y, x = free[rng.integers(len(free))]
    return walls, (int(x), int(y))


def draw_walls(
    size: int, rng: np.random.Generator, opened: Sequence[Cell] = (), closed: Sequence[Cell] = ()
) -> Bool[np.ndarray, "y x"]:
    """Walls of a random maze: a random spanning tree of its rooms.

    `opened` and `closed` are links, cells between two neighbouring rooms, that the maze must have open or
    keep shut. Raises ValueError for an even or too small size, and where no maze has the links so.
    """
    if size < 3 or size % 2 == 0:
        raise ValueError(f"the size of a maze must be odd and at least 3; given: {size}")
    links = [(x, y) for y in range(size) for x in range(1 - y % 2, size, 2)]
    wrong = [cell for cell in (*opened, *closed) if cell not in links]
    if wrong:
        raise ValueError(
            f"a link lies between two rooms: one of x and y is even, the other odd; given: {wrong}"
        )
    in_random_order = [links[link] for link in rng.permutation(len(links))]
    walls = np.ones((size, size), dtype=bool)
    walls[::2, ::2] = False
    part = {(x, y): (x, y) for y in range(0, size, 2) for x in range(0, size, 2)}

    def root(room: Cell) -> Cell:
        while part[room] != room:
            part[room] = part[part[room]]
            room = part[room]
        return room

    parts = len(part)
    for number, (x, y) in enumerate([*opened, *in_random_order]):
        step_x, step_y = x % 2, y % 2
        here, there = root((x - step_x, y - step_y)), root((x + step_x, y + step_y))
        if here != there and (x, y) not in closed:
            part[here] = there
            parts -= 1
            walls[y, x] = False
        elif number < len(opened):
            raise ValueError(
                f"the open links {list(opened)} must not make a loop, nor be closed ones: {list(closed)}"
            )
    if parts > 1:
        raise ValueError(f"the closed links {list(closed)} must leave a way to every room")
    return walls
