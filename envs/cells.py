"""Cells of a grid and what lies round them: the geometry of walls that every maze-like game shares.

When: for bare wall grids; levels have methods for most of it.
Cost: `reachable_cells` about 1 microsecond per cell of the longest path.

Axes: y = cell row, counted upwards; x = cell column, counted to the right.
"""

import numpy as np
from jaxtyping import Bool, Int, Shaped

Cell = tuple[int, int]
"""(x, y) of a cell."""


def cells_where(marked: Bool[np.ndarray, "y x"]) -> tuple[Cell, ...]:
    """The marked cells as (x, y), the bottom row first."""
    rows, columns = np.nonzero(marked)
    return tuple(zip(columns.tolist(), rows.tolist(), strict=True))


def read_only(array: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "..."]:
    """A copy of the array on immutable memory."""
    return np.frombuffer(array.tobytes(), array.dtype).reshape(array.shape)


def reachable_cells(walls: Bool[np.ndarray, "y x"], start: Cell) -> Bool[np.ndarray, "y x"]:
    """True where one gets to from `start` (x, y), which must be free.

    The grid is held as the bits of one integer and flooded by shifts, which beats array passes on grids this
    small.
    """
    height, width = walls.shape
    row = width + 1  # a column of wall keeps the right edge from running over into the next row
    padded = np.zeros((height, row), dtype=bool)
    padded[:, :width] = ~walls
    free = int.from_bytes(np.packbits(padded.ravel(), bitorder="little").tobytes(), "little")
    flood, before = 1 << (start[1] * row + start[0]), 0
    while flood != before:
        before = flood
        flood |= (flood << 1 | flood >> 1 | flood << row | flood >> row) & free
    packed = np.frombuffer(flood.to_bytes(-(-height * row // 8), "little"), dtype=np.uint8)
    bits = np.unpackbits(packed, count=height * row, bitorder="little").astype(bool)
    return bits.reshape(height, row)[:, :width]


def free_neighbours(walls: Bool[np.ndarray, "y x"]) -> Int[np.ndarray, "y x"]:
    """How many of the four neighbours of each cell are free, whatever the cell itself is."""
    free = np.pad(~walls, 1).astype(np.int64)
    return free[:-2, 1:-1] + free[2:, 1:-1] + free[1:-1, :-2] + free[1:-1, 2:]
