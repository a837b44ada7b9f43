"""Shortest paths on many grids at once.

Breadth-first search from a target cell, run side by side on a batch of grids: the frontier of every grid
advances by one cell per pass, so the work is a few NumPy calls per cell of the longest path, whatever the
number of grids. Mazes of the engine are trees, in which the path found is the only one; elsewhere ties go to
the first move in the order of `Move`.

Axes: `maze` grids of the batch, `y x` cells with y upwards.
"""

import numpy as np
from jaxtyping import Bool, Int

from procscope.envs.actions import MOVE_STEPS, Move
from procscope.envs.cells import Cell

UNREACHABLE = -1
#: Tried in this order, so that ties are broken the same way everywhere.
_STEPS = (Move.LEFT, Move.DOWN, Move.UP, Move.RIGHT)


def distance_maps(
    free: Bool[np.ndarray, "maze y x"], targets: Int[np.ndarray, "maze xy"]
) -> Int[np.ndarray, "maze y x"]:
    """Steps from every cell to its grid's target; -1 where the target cannot be reached.

    `targets` holds (x, y) per grid; a row of (-1, -1) means that there is none, and gives -1 everywhere.
    Raises ValueError if a target is outside its grid or not free.
    """
    n, height, width = free.shape
    if targets.shape != (n, 2):
        raise ValueError(f"targets must be (x, y) per grid, shape ({n}, 2); given shape {targets.shape}")
    present = targets[:, 0] >= 0
    index = np.flatnonzero(present)
    x, y = targets[index, 0], targets[index, 1]
    if (x >= width).any() or (y >= height).any() or (y < 0).any():
        raise ValueError(
            f"targets must be inside the {width}x{height} grids; given up to {targets.max(axis=0)}"
        )
    if not free[index, y, x].all():
        bad = index[~free[index, y, x]][0]
        raise ValueError(f"targets must be free cells; in grid {bad}, {tuple(targets[bad])} is a wall")

    # One flat array with a closed border, so that a neighbour is a fixed offset and never out of range.
    row = width + 2
    plane = (height + 2) * row
    unvisited = np.zeros((n, height + 2, row), dtype=bool)
    unvisited[:, 1:-1, 1:-1] = free
    unvisited = unvisited.reshape(-1)
    distances = np.full(n * plane, UNREACHABLE, dtype=np.int16)
    offsets = np.array([dx + dy * row for dx, dy in MOVE_STEPS[list(_STEPS)]])
    frontier = index * plane + (y + 1) * row + (x + 1)
    steps = 0
    while frontier.size:
        distances[frontier] = steps
        unvisited[frontier] = False
        neighbours = (frontier[:, None] + offsets).reshape(-1)
        frontier = neighbours[unvisited[neighbours]]
        steps += 1
        if steps > 2 and frontier.size > 4 * n:  # open spaces reach a cell from several sides at once
            frontier = np.unique(frontier)
    return distances.reshape(n, height + 2, row)[:, 1:-1, 1:-1]


def best_moves(distances: Int[np.ndarray, "maze y x"]) -> Int[np.ndarray, "maze y x"]:
    """First move of a shortest path from every cell, as `Move`; STAY on the target and where there is none."""
    far = np.iinfo(np.int16).max
    padded = np.pad(distances, ((0, 0), (1, 1), (1, 1)), constant_values=UNREACHABLE)
    padded = np.where(padded < 0, far, padded)
    height, width = distances.shape[1:]
    around = np.stack(
        [padded[:, 1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width] for dx, dy in MOVE_STEPS[list(_STEPS)]]
    )
    moves = np.array(_STEPS, dtype=np.int8)[around.argmin(axis=0)]
    return np.where(distances > 0, moves, np.int8(Move.STAY))


def path_down(distances: Int[np.ndarray, "y x"], start: Cell) -> tuple[Cell, ...]:
    """Cells from `start` to the target of a distance map, both included; empty where no way leads there.

    Of several shortest paths, the one that goes left, else down, else up first.
    """
    padded = np.pad(distances, 1, constant_values=UNREACHABLE)
    steps = MOVE_STEPS[list(_STEPS)].tolist()
    x, y = start
    left = int(padded[y + 1, x + 1])
    if left < 0:
        return ()
    path = [start]
    while left > 0:
        left -= 1
        x, y = next((x + dx, y + dy) for dx, dy in steps if padded[y + dy + 1, x + dx + 1] == left)
        path.append((x, y))
    return tuple(path)
