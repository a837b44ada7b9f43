"""How the walls of the engine's mazes are built: the invariants of its generator.

When: through `MazeLevel.violations`; directly for bare wall grids. Source: "Notes on the maze generator" in the
channel-121 study of the maze agent; they hold for every maze of the engine (tests check it in each mode).
Cost: some 50 microseconds.

Axes: y = cell row, counted upwards; x = cell column, counted to the right.
"""

import numpy as np
from jaxtyping import Bool

from procscope.envs.cells import cells_where, free_neighbours, reachable_cells


def invariant_violations(walls: Bool[np.ndarray, "y x"]) -> tuple[str, ...]:
    """What keeps these walls from being a maze that the engine could have made; empty when nothing does.

    Each invariant is checked by itself, though some follow from others, so that an edited maze says all that
    is unusual about it. Cells are named (x, y).
    """
    height, width = walls.shape
    if height != width or height % 2 == 0 or height < 3:
        return (f"a maze is a square of odd size from 3; this one has {width}x{height} cells",)
    found: list[str] = []

    def note(rule: str, where: np.ndarray) -> None:
        cells = cells_where(where)
        if cells:
            named = ", ".join(map(str, cells[:3])) + (", …" if len(cells) > 3 else "")
            found.append(f"{rule}: {named}")

    free = ~walls
    even = np.arange(height) % 2 == 0
    lattice, pillars = np.outer(even, even), np.outer(~even, ~even)
    corners = np.zeros_like(walls)
    corners[0, 0] = corners[-1, -1] = True
    note("the bottom-left and top-right corners are free", corners & walls)
    note("cells with even x and even y are free", lattice & walls)
    note("cells with odd x and odd y are walls", pillars & free)
    neighbours = free_neighbours(walls)
    note("a free cell has a free neighbour", free & (neighbours == 0))
    sideways = np.pad(free, ((0, 0), (1, 1)))
    upright = np.pad(free, ((1, 1), (0, 0)))
    beside = sideways[:, :-2] | sideways[:, 2:]
    above = upright[:-2] | upright[2:]
    note(
        "from a free cell with even x and odd y the moves are up and down",
        np.outer(~even, even) & free & beside,
    )
    note(
        "from a free cell with odd x and even y the moves are left and right",
        np.outer(even, ~even) & free & above,
    )
    parts, cycles = _parts_and_cycles(free)
    if parts != 1:
        found.append(f"all free cells are connected: there are {parts} separate parts")
    if cycles:
        found.append(f"there is one path between any two cells: {cycles} further wall(s) would be needed")
    return tuple(found)


def _parts_and_cycles(free: Bool[np.ndarray, "y x"]) -> tuple[int, int]:
    """Number of connected parts, and how many links there are beyond those of trees (Euler: E - V + parts)."""
    left, parts = free.copy(), 0
    while left.any():
        y, x = np.argwhere(left)[0]
        left &= ~reachable_cells(~free, (int(x), int(y)))
        parts += 1
    links = np.count_nonzero(free[:, 1:] & free[:, :-1]) + np.count_nonzero(free[1:] & free[:-1])
    return parts, int(links - np.count_nonzero(free) + parts)
