"""The maze of toy Ms. Pac-Man, the ways through it, and the picture of a game.

Cells are numbered in the order of `CELLS`; tables below are looked up by those numbers, so that a batch of games
moves by indexing alone.

Axes: `cell` free cells; `game` games of a batch; `y x` cells with y upwards; `row col rgb` pictures from the top.
"""

import numpy as np
from jaxtyping import Bool, Int, UInt8

from procscope.envs.actions import MOVE_STEPS, N_MOVES
from procscope.envs.paths import distance_maps

SIZE = 9
"""Cells a side."""

_MAZE = """
.........
.#.###.#.
.........
.###.###.
.........
.###.###.
.........
.#.###.#.
.........
""".split()

FREE: Bool[np.ndarray, "y x"] = np.array([[mark == "." for mark in row] for row in _MAZE[::-1]])
"""Where there is no wall. No cell is a dead end."""

CELLS: Int[np.ndarray, "cell xy"] = np.argwhere(FREE)[:, ::-1].copy()
"""(x, y) of the free cells."""

N_CELLS = len(CELLS)

_NUMBER = np.full((SIZE, SIZE), -1)
_NUMBER[CELLS[:, 1], CELLS[:, 0]] = np.arange(N_CELLS)


def cell_number(x: int, y: int) -> int:
    """The number of a free cell. Raises ValueError for a wall or a place outside."""
    if not (0 <= x < SIZE and 0 <= y < SIZE and FREE[y, x]):
        raise ValueError(f"expected a free cell of the {SIZE}x{SIZE} maze; given: ({x}, {y})")
    return int(_NUMBER[y, x])


def _after_moves() -> Int[np.ndarray, "cell move"]:
    to = CELLS[:, None] + MOVE_STEPS
    inside = ((to >= 0) & (to < SIZE)).all(axis=2)
    x, y = np.where(inside[..., None], to, 0).transpose(2, 0, 1)
    number = np.where(inside, _NUMBER[y, x], -1)
    return np.where(number >= 0, number, np.arange(N_CELLS)[:, None])


AFTER: Int[np.ndarray, "cell move"] = _after_moves()
"""The cell that each `procscope.envs.actions.Move` leads to; a move into a wall stays."""

DISTANCE: Int[np.ndarray, "cell to"] = distance_maps(np.repeat(FREE[None], N_CELLS, axis=0), CELLS)[
    :, CELLS[:, 1], CELLS[:, 0]
].astype(np.int64)
"""Steps of the shortest way between two cells."""

TOWARDS: Int[np.ndarray, "cell to"] = AFTER[np.arange(N_CELLS)[:, None], DISTANCE[AFTER].argmin(axis=1)]
"""The next cell on a shortest way."""

_WITHOUT_STAYING = np.where(np.arange(N_CELLS)[:, None] == AFTER, -1, AFTER)

AWAY: Int[np.ndarray, "cell from"] = np.where(
    (_WITHOUT_STAYING >= 0)[:, :, None], DISTANCE[AFTER], -1
).argmax(axis=1)
AWAY = AFTER[np.arange(N_CELLS)[:, None], AWAY]
"""The neighbour that is furthest from another cell."""

NEIGHBOURS: tuple[Int[np.ndarray, " neighbour"], ...] = tuple(row[row >= 0] for row in _WITHOUT_STAYING)
N_NEIGHBOURS: Int[np.ndarray, " cell"] = np.array([len(cells) for cells in NEIGHBOURS])
NEIGHBOUR: Int[np.ndarray, "cell neighbour"] = np.array(
    [np.resize(cells, N_MOVES - 1) for cells in NEIGHBOURS]
)
"""The neighbours of each cell; of the row, the first `N_NEIGHBOURS` count."""

GHOST_HOME = cell_number(4, 4)
CORNERS: Int[np.ndarray, " corner"] = np.array(
    [cell_number(x, y) for x in (0, SIZE - 1) for y in (0, SIZE - 1)]
)

WALL_COLOUR, PELLET_COLOUR, POWER_COLOUR = (33, 33, 222), (120, 90, 75), (255, 255, 255)
AGENT_COLOUR, GHOST_COLOUR = (255, 255, 0), (255, 0, 0)
SCARED_COLOUR, CALMING_COLOUR = (0, 255, 255), (160, 0, 255)
"""Of a scared ghost, and of one that will not be so for long."""


def draw(
    pellets: Bool[np.ndarray, "game cell"],
    power: Int[np.ndarray, " game"],
    agents: Int[np.ndarray, " game"],
    ghosts: Int[np.ndarray, " game"],
    scared: Bool[np.ndarray, " game"],
    calming: Bool[np.ndarray, " game"],
) -> UInt8[np.ndarray, "game row col rgb"]:
    """A pixel a cell. `power` is -1 where it has been eaten."""
    n = len(agents)
    cells = np.where(pellets[..., None], np.array(PELLET_COLOUR, np.uint8), np.uint8(0))
    games = np.arange(n)
    has_power = power >= 0
    cells[games[has_power], power[has_power]] = POWER_COLOUR
    cells[games, agents] = AGENT_COLOUR
    colours = np.array([GHOST_COLOUR, SCARED_COLOUR, CALMING_COLOUR], np.uint8)
    cells[games, ghosts] = colours[scared.astype(np.int64) + calming]
    pictures = np.empty((n, SIZE, SIZE, 3), np.uint8)
    pictures[:] = WALL_COLOUR
    pictures[:, SIZE - 1 - CELLS[:, 1], CELLS[:, 0]] = cells
    return pictures
