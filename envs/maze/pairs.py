"""Minimal pairs: two mazes that differ in one thing, so that what a network does differently is due to that thing.

What: in a direction pair one wall stands in one or the other of two places, which turns the first move to the
cheese by a quarter (as in the pairs by which the channel-121 study found its channel); the levels of a cheese
pair differ in nothing but the cheese's place.
When: to look for channels that tell a direction, or the cheese's place, before any statistics on random
mazes.

Axes: y = cell row, counted upwards; x = cell column, counted to the right.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from procscope.envs.actions import Move
from procscope.envs.cells import Cell, reachable_cells
from procscope.envs.maze import MazeLevel
from procscope.envs.maze.generator import draw_walls
from procscope.envs.maze.value import N_BACKGROUNDS, check_size, mode_of_world

SMALLEST_PAIR = 7
"""Size in cells of the smallest direction pair."""

ORIENTATIONS: tuple[tuple[Move, Move], ...] = (
    (Move.UP, Move.RIGHT),
    (Move.RIGHT, Move.DOWN),
    (Move.DOWN, Move.LEFT),
    (Move.LEFT, Move.UP),
)
"""First moves to the cheese in the two mazes of a pair, each a quarter clockwise from the last, as in the study."""


class MazePair(NamedTuple):
    """Two levels that differ in one thing."""

    first: MazeLevel
    second: MazeLevel


class DirectionPair(NamedTuple):
    """Two levels in which one wall stands in one or the other of two places, and the first moves to their cheese."""

    first: MazeLevel
    second: MazeLevel
    first_move: Move
    second_move: Move


def direction_pairs(
    size: int, rng: np.random.Generator, mouse: Cell | None = None, world: int = 15
) -> tuple[DirectionPair, DirectionPair, DirectionPair, DirectionPair]:
    """A random direction pair of mazes of `size` cells in each of the four `ORIENTATIONS`.

    The mouse and the cheese are at opposite corners of a ring of 3 x 3 cells; a wall beside the cheese shuts
    the one arm of the ring or the other, so both paths are 4 cells long. The rest is one random maze, the
    look too. All eight levels hold the generator's invariants. They are the first pair turned clockwise by
    quarters.

    `mouse` is its cell in the first pair (even x and y, at most size - 3), random when None. Raises
    ValueError for another cell, for a size that is even, below 7 or larger than the world.
    """
    check_size(size, mode_of_world(world))
    if size < SMALLEST_PAIR:
        raise ValueError(f"the size of a direction pair must be at least {SMALLEST_PAIR}; given: {size}")
    if mouse is None:
        x, y = (2 * int(room) for room in rng.integers((size - 1) // 2, size=2))
    else:
        x, y = mouse
    if any(place % 2 or not 0 <= place <= size - 3 for place in (x, y)):
        raise ValueError(f"the mouse must be on even x and y from 0 to {size - 3}; given: {mouse}")
    up, right, above_left, below_right = (x, y + 1), (x + 1, y), (x + 1, y + 2), (x + 2, y + 1)
    background, offset = int(rng.integers(N_BACKGROUNDS)), float(np.float32(rng.random()))
    walls = draw_walls(size, rng, opened=[up, right, above_left], closed=[below_right])
    first = MazeLevel(
        walls,
        cheese=(x + 2, y + 2),
        mouse=(x, y),
        mode=mode_of_world(world),
        background=background,
        background_offset=offset,
    )
    second = first.without_wall(*below_right).with_wall(*above_left)
    pairs = (
        DirectionPair(first.rotated(turns), second.rotated(turns), *ORIENTATIONS[turns]) for turns in range(4)
    )
    return tuple(pairs)  # pyright: ignore[reportReturnType]


def cheese_pair(level: MazeLevel, first: Cell, second: Cell) -> MazePair:
    """The level with its cheese in the first and in the second place; ValueError if they are the same."""
    if first == second:
        raise ValueError(f"the two places of the cheese must differ; given twice: {first}")
    return MazePair(level.with_cheese(*first), level.with_cheese(*second))


def random_cheese_pairs(level: MazeLevel, count: int, rng: np.random.Generator) -> Iterator[MazePair]:
    """`count` pairs of the level with its cheese in two random places that the mouse can reach, not its own.

    Raises ValueError if there are less than two such places.
    """
    reachable = reachable_cells(level.walls, level.mouse)
    reachable[level.mouse[1], level.mouse[0]] = False
    places = [(int(x), int(y)) for y, x in np.argwhere(reachable)]
    if len(places) < 2:
        raise ValueError(
            f"a pair needs two places for the cheese that the mouse can reach; there are {len(places)}"
        )
    for _ in range(count):
        first, second = rng.choice(len(places), size=2, replace=False)
        yield cheese_pair(level, places[first], places[second])
