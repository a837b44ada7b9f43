"""The maze's variants: where cheese and mouse are, and how large the maze is.

A name may carry a number after a colon, the side in cells of the corner region that it speaks of (5 when left
out: "the top-right 5x5" of the channel-121 study; 1 is the corner cell). A random cell is one
`rng.integers(len(candidates))`, the candidates in row-major order of (y, x): the free cells of the region
that the mouse can reach, less the other's own cell when there is another choice. Trained models depend on
that; it must not change.

When: by name, through `procscope.envs.variants`. Cost: about 40 microseconds a level.
"""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from jaxtyping import Bool

from procscope.envs.actions import MOVE_STEPS, Move
from procscope.envs.cells import Cell, reachable_cells
from procscope.envs.games import LevelFunction
from procscope.envs.maze.generator import draw_walls
from procscope.envs.maze.level import MazeLevel
from procscope.envs.maze.value import WORLD_CELLS

REGION_CELLS = 5
"""Default side of the square region in a corner, in cells."""

Region = Annotated[int, range(1, 32)]
"""Side of a square region in a corner, in cells; a maze that is smaller is all region."""

LargestSize = Annotated[int, range(3, 32)]
"""Largest side of a maze, in cells."""


def cheese_top_right(level: MazeLevel, rng: np.random.Generator, size: Region = REGION_CELLS) -> MazeLevel:
    """The cheese on a random free cell of the top-right size x size cells of the maze."""
    return _with_cheese_in(level, rng, _corner(level, size, right=True, top=True))


def cheese_outside_top_right(
    level: MazeLevel, rng: np.random.Generator, size: Region = REGION_CELLS
) -> MazeLevel:
    """The cheese on a random free cell outside of the top-right size x size cells of the maze.

    A maze not larger than the region has no cell outside; there the cheese goes anywhere in it.
    """
    outside = ~_corner(level, size, right=True, top=True)
    return _with_cheese_in(level, rng, outside if outside.any() else ~outside)


def cheese_top_left(level: MazeLevel, rng: np.random.Generator, size: Region = REGION_CELLS) -> MazeLevel:
    """The cheese on a random free cell of the top-left size x size cells of the maze."""
    return _with_cheese_in(level, rng, _corner(level, size, right=False, top=True))


def cheese_bottom_right(level: MazeLevel, rng: np.random.Generator, size: Region = REGION_CELLS) -> MazeLevel:
    """The cheese on a random free cell of the bottom-right size x size cells of the maze."""
    return _with_cheese_in(level, rng, _corner(level, size, right=True, top=False))


def cheese_anywhere(level: MazeLevel, rng: np.random.Generator) -> MazeLevel:
    """The cheese on a random free cell of the maze."""
    return _with_cheese_in(level, rng, np.ones_like(level.walls))


def no_cheese(level: MazeLevel, rng: np.random.Generator) -> MazeLevel:
    """No cheese: an episode ends at its timeout."""
    return level.without_cheese()


def mouse_anywhere(level: MazeLevel, rng: np.random.Generator) -> MazeLevel:
    """The mouse on a random free cell of the maze other than the cheese's."""
    everywhere = np.ones_like(level.walls)
    x, y = _draw(level, rng, everywhere, avoid=level.cheese)
    return level.with_mouse(x, y, allow_unsolvable=True)


def half_full_size(level: MazeLevel, rng: np.random.Generator) -> MazeLevel:
    """Half of the levels become random mazes as large as the world, mouse bottom-left and cheese top-right.

    For training: large mazes are the hard ones, and the engine makes one in seven levels so large.
    """
    if rng.random() < 0.5:
        return level
    world = WORLD_CELLS[level.mode]
    corner = (world - 1, world - 1)
    return MazeLevel(**level.values() | {"walls": draw_walls(world, rng), "mouse": (0, 0), "cheese": corner})


def size_up_to(level: MazeLevel, rng: np.random.Generator, size: LargestSize = 5) -> MazeLevel:
    """A random maze of an odd size from 3 to `size`, all equally likely, in place of one that is larger.

    The mouse is bottom-left, the cheese top-right. For quick trials: small mazes are learned in minutes.
    """
    if level.size <= size:
        return level
    side = int(rng.choice(np.arange(3, size + 1, 2)))
    corner = (side - 1, side - 1)
    return MazeLevel(**level.values() | {"walls": draw_walls(side, rng), "mouse": (0, 0), "cheese": corner})


def mouse_where_possible(moves: Sequence[Move]) -> LevelFunction:
    """A variant that puts the mouse on a random free cell from which one of the moves is possible.

    It is never the cheese's cell. As footnote 5 of the channel-121 study, "in a random square where move UP is
    legal". The variant raises ValueError for a level without such a cell; made with no moves, so does this.
    """
    if not moves:
        raise ValueError("expected at least one move that is to be possible; given: none")

    def mouse_on_random_square(level: MazeLevel, rng: np.random.Generator) -> MazeLevel:
        padded = np.pad(~level.walls, 1)
        possible = np.zeros_like(level.walls)
        for move in moves:
            dx, dy = MOVE_STEPS[move].tolist()
            possible |= padded[1 + dy : 1 + dy + level.size, 1 + dx : 1 + dx + level.size]
        candidates = [(x, y) for x, y in level.free_cells() if possible[y, x] and (x, y) != level.cheese]
        if not candidates:
            names = " or ".join(move.name for move in moves)
            raise ValueError(
                f"expected a free cell from which {names} is possible; the maze has none:\n{level}"
            )
        return level.with_mouse(*candidates[rng.integers(len(candidates))], allow_unsolvable=True)

    return mouse_on_random_square


def mouse_at_decision_square(level: MazeLevel, rng: np.random.Generator) -> MazeLevel:
    """The mouse where the ways to the cheese and to the top-right corner part; unmoved if they do not.

    The label `at_decision_square` tells which.
    """
    square = level.decision_square() if level.is_solvable() else None
    return level if square is None else level.with_mouse(*square)


VARIANTS: dict[str, LevelFunction] = {
    "cheese-top-right": cheese_top_right,
    "cheese-outside-top-right": cheese_outside_top_right,
    "cheese-top-left": cheese_top_left,
    "cheese-bottom-right": cheese_bottom_right,
    "cheese-anywhere": cheese_anywhere,
    "no-cheese": no_cheese,
    "mouse-anywhere": mouse_anywhere,
    "half-full-size": half_full_size,
    "size-up-to": size_up_to,
}
"""By name."""


def _corner(level: MazeLevel, size: int, *, right: bool, top: bool) -> Bool[np.ndarray, "y x"]:
    """True in the size x size cells of one corner of the maze."""
    region = np.zeros_like(level.walls)
    rows = slice(max(level.size - size, 0), None) if top else slice(size)
    columns = slice(max(level.size - size, 0), None) if right else slice(size)
    region[rows, columns] = True
    return region


def _with_cheese_in(level: MazeLevel, rng: np.random.Generator, region: Bool[np.ndarray, "y x"]) -> MazeLevel:
    x, y = _draw(level, rng, region, avoid=level.mouse)
    return level.with_cheese(x, y, allow_unsolvable=True)


def _draw(
    level: MazeLevel, rng: np.random.Generator, region: Bool[np.ndarray, "y x"], avoid: Cell | None
) -> Cell:
    """A random cell (x, y) of the region that the mouse can reach, `avoid` only if there is no other."""
    candidates = np.flatnonzero(region & reachable_cells(level.walls, level.mouse))
    if avoid is not None and len(candidates) > 1:
        candidates = candidates[candidates != avoid[1] * level.size + avoid[0]]
    if not len(candidates):
        raise ValueError(
            f"the variant needs a free cell that the mouse at {level.mouse} can reach, among "
            f"{int(region.sum())} cells of the {level.size}x{level.size} maze; there is none"
        )
    y, x = divmod(int(candidates[rng.integers(len(candidates))]), level.size)
    return (x, y)
