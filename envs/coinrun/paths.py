"""Ways through the open cells of CoinRun levels, and which cells a box touches: geometry without gravity.

What: `steps_to_goals` gives, for every cell of many levels, its nearest coin and the number of steps to it through
cells that are neither wall nor lava, up, down, left or right. The agent cannot fly: this is a distance along the
level's passages and not a number of steps of play, which `labels.py` estimates.
Cost: 0.2 ms a level: the sky, which is open and alike in every row, is not searched.

Axes: `level` of the batch; `y x` cells, y upwards.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int16, Integer

from procscope.envs.coinrun.cells import COIN, IS_LAVA, IS_WALL
from procscope.envs.paths import UNREACHABLE

_IS_BLOCKED = IS_WALL | IS_LAVA
_EPS = 0.001  # the engine's, by which boxes are smaller when they touch cells
_FAR = np.iinfo(np.int16).max


class GoalMaps(NamedTuple):
    """For every cell of every level: its goal, and the steps there."""

    goal: Int16[np.ndarray, "level y x"]
    """The coin nearest as the crow flies, as y * 64 + x (the lowest number of several as near); -1: no coin."""
    steps: Int16[np.ndarray, "level y x"]
    """Steps to that coin, -1 where no way leads there. From inside a wall or lava: by the best open neighbour."""


def steps_to_goals(cells: Integer[np.ndarray, "level y x"]) -> GoalMaps:
    """The goal maps of many levels."""
    n, height, width = cells.shape
    blocked = _IS_BLOCKED.take(cells, mode="clip")
    searched = _rows_to_search(blocked, cells)
    levels, ys, xs = np.nonzero(cells == COIN)
    steps = np.empty((len(levels), searched, width), np.int16)
    for row, (level, x, y) in enumerate(zip(levels.tolist(), xs.tolist(), ys.tolist(), strict=True)):
        steps[row] = _steps_to(~blocked[level, :searched], x, y)
    counts = np.bincount(levels, minlength=n)
    goal = np.full((n, height, width), -1, np.int16)
    to_goal = np.full((n, searched, width), UNREACHABLE, np.int16)
    first = np.cumsum(counts) - counts
    single = np.flatnonzero(counts == 1)
    to_goal[single] = steps[first[single]]
    goal[single] = (ys * width + xs)[first[single], None, None]
    row, column = np.mgrid[:height, :width]
    for level in np.flatnonzero(counts > 1):  # levels with several coins are rare
        own = slice(first[level], first[level] + counts[level])
        squares = (row[None] - ys[own, None, None]) ** 2 + (column[None] - xs[own, None, None]) ** 2
        nearest = squares.argmin(axis=0)
        goal[level] = (ys * width + xs)[own][nearest]
        to_goal[level] = np.take_along_axis(steps[own], nearest[None, :searched], axis=0)[0]
    full = np.full((n, height, width), UNREACHABLE, np.int16)
    full[:, :searched] = to_goal
    if searched < height:
        above = np.arange(1, height - searched + 1, dtype=np.int16)[None, :, None]
        top = to_goal[:, -1:]
        full[:, searched:] = np.where((top >= 0) & ~blocked[:, searched:], top + above, UNREACHABLE)
    return GoalMaps(goal, _from_inside(full, blocked))


def _steps_to(free: Bool[np.ndarray, "y x"], x: int, y: int) -> Int16[np.ndarray, "y x"]:
    """Steps from every free cell to the cell (x, y); -1 where no way leads there.

    The search holds whole sets of cells as bits of one integer, a byte of zeros after each row, so that a pass over
    all of a level is eight operations on integers: for a single level several times faster than `envs.paths`, which is
    made for many small grids at once.
    """
    height, width = free.shape
    row_bytes = width // 8 + 1
    row_bits = 8 * row_bytes
    packed = np.zeros((height, row_bytes), np.uint8)
    packed[:, :-1] = np.packbits(free, axis=1, bitorder="little")
    unvisited = int.from_bytes(packed.tobytes(), "little")
    frontier = 1 << (y * row_bits + x)
    frontiers = []
    while frontier:
        frontiers.append(frontier.to_bytes(packed.size, "little"))
        unvisited &= ~frontier
        frontier = (frontier << 1 | frontier >> 1 | frontier << row_bits | frontier >> row_bits) & unvisited
    cells = np.frombuffer(b"".join(frontiers), np.uint8).reshape(-1, height, row_bytes)[:, :, :-1]
    pass_number, row, column = np.nonzero(np.unpackbits(cells, axis=2, bitorder="little"))
    steps = np.full((height, width), UNREACHABLE, np.int16)
    steps[row, column] = pass_number
    return steps


def overlapped_cells(center: float, half_size: float) -> tuple[int, int]:
    """First and last cell that a box touches along one axis, by the engine's rule."""
    return int(center - (half_size - _EPS)), int(center + (half_size - _EPS))


def _rows_to_search(blocked: np.ndarray, cells: np.ndarray) -> int:
    """So many rows from the bottom that above them no row but the topmost differs from the one below, or has coins.

    There, a shortest way to a cell goes straight up from the last row searched.
    """
    height = blocked.shape[1]
    differs = (blocked[:, 1 : height - 1] != blocked[:, : height - 2]).any(axis=(0, 2))
    has_coin = (cells == COIN).any(axis=(0, 2))
    rows = max(
        int(np.flatnonzero(differs)[-1]) + 1 if differs.any() else 0,
        int(np.flatnonzero(has_coin)[-1]) if has_coin.any() else 0,
    )
    # The topmost row is all wall in levels of the engine; where it is not, it is searched like all the others.
    if not blocked[:, -1].all() or rows + 1 >= height - 1:
        return height
    return rows + 1


def _from_inside(steps: np.ndarray, blocked: np.ndarray) -> np.ndarray:
    """The steps, with cells of wall and lava given those of their best open neighbour and one more."""
    padded = np.pad(steps, ((0, 0), (1, 1), (1, 1)), constant_values=UNREACHABLE).view(
        np.uint16
    )  # -1 is greatest
    best = np.minimum(
        np.minimum(padded[:, :-2, 1:-1], padded[:, 2:, 1:-1]),
        np.minimum(padded[:, 1:-1, :-2], padded[:, 1:-1, 2:]),
    )
    inside = np.where(best < _FAR, best + np.uint16(1), np.uint16(0xFFFF)).view(np.int16)
    return np.where(blocked, inside, steps)
