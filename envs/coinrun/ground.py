"""The ground of CoinRun levels: how high it is, where one can stand, where sections begin.

When: through `CoinRunLevel` (`standing_cells`, `section_boundaries`), and in its variants.
Source: `generate_coin_to_the_right` of `coinrun.cpp`: every section of a level raises or lowers the ground and is
flanked by barriers, a cell left of where it begins (if that is open) and on the cell where it ends; the coin then takes
the place of the last barrier.

Axes: `y x` cells, y upwards.
"""

import numpy as np
from jaxtyping import Bool, Int, Integer

from procscope.envs.cells import Cell
from procscope.envs.coinrun.cells import BARRIER, IS_LAVA, IS_WALL, OPEN, WALL, WALL_TOP, WORLD_CELLS
from procscope.envs.coinrun.entities import AGENT_HALF_HEIGHT, AGENT_HALF_WIDTH, CRATE, ENEMY, SAW
from procscope.envs.state.layout import EntityRecords


def ground_heights(cells: Integer[np.ndarray, "y x"]) -> Int[np.ndarray, " x"]:
    """Cells of unbroken wall from the bottom of each column."""
    walls = IS_WALL.take(cells)
    return np.where(walls.all(axis=0), len(cells), (~walls).argmax(axis=0))


def standing(
    cells: Integer[np.ndarray, "y x"], entities: EntityRecords, *, on_crates: bool = False
) -> Bool[np.ndarray, "y x"]:
    """True in cells in which the agent can stand without harm: see `CoinRunLevel.standing_cells`."""
    walls, lava = IS_WALL.take(cells), IS_LAVA.take(cells)
    blocked = walls | lava
    clear = ~blocked
    clear[:-1] &= ~blocked[1:]
    clear[-1] = False  # the box reaches into the cell above
    solid = walls.copy()
    if on_crates:
        crates = entities[entities["type"] == CRATE]
        x, y = np.floor(crates["x"]).astype(int), np.floor(crates["y"]).astype(int)
        inside = (x >= 0) & (y >= 0) & (x < cells.shape[1]) & (y < len(cells))
        solid[y[inside], x[inside]] = True
    found = clear
    found[1:] &= solid[:-1]
    for hazard in entities[np.isin(entities["type"], (SAW, ENEMY))]:
        reach_x = float(hazard["rx"]) + AGENT_HALF_WIDTH
        reach_y = float(hazard["ry"]) + AGENT_HALF_HEIGHT
        x, y = float(hazard["x"]) - 0.5, float(hazard["y"]) - AGENT_HALF_HEIGHT
        columns = slice(max(int(np.floor(x - reach_x)) + 1, 0), max(int(np.ceil(x + reach_x)), 0))
        rows = slice(max(int(np.floor(y - reach_y)) + 1, 0), max(int(np.ceil(y + reach_y)), 0))
        found[rows, columns] = False
    return found


def section_boundaries(cells: Integer[np.ndarray, "y x"]) -> tuple[Cell, ...]:
    """The cells on the ground where sections begin, from the left, and last the one where the level ends.

    A barrier above lower ground, with ground of its own height to its right, is left of where a section begins; with
    ground of its own height to its left, it is on the first cell of a section that lies lower. The level ends in the
    last column that is not all wall (the world's edges aside). Levels without barriers have the end alone.
    """
    heights = ground_heights(cells)
    width = len(heights)
    places = set()
    for y, x in np.argwhere(cells == BARRIER):
        here = heights[x]
        right = heights[x + 1] if x + 1 < width else -1
        left = heights[x - 1] if x > 0 else -1
        if right == y and here < y:
            places.add(int(x) + 1)
        elif left == y and here < y:
            places.add(int(x))
    end, height = _end(heights)
    inner = sorted(x for x in places if x < end)
    return (*((x, int(min(heights[x], len(cells) - 1))) for x in inner), (end, height))


def end_cell(cells: Integer[np.ndarray, "y x"]) -> Cell:
    """The cell on the ground where the level ends."""
    return _end(ground_heights(cells))


def going_on(cells: Integer[np.ndarray, "y x"], end: Cell) -> Integer[np.ndarray, "y x"]:
    """The cells with ground as high as at `end` in all columns to its right, up to the world's edge."""
    x, y = end
    changed, beyond = cells.copy(), slice(x + 1, WORLD_CELLS - 1)
    changed[y:-1, beyond] = OPEN
    changed[:y, beyond] = WALL
    changed[max(y - 1, 0), beyond] = WALL_TOP
    return changed


def _end(heights: Int[np.ndarray, " x"]) -> Cell:
    last_row = len(heights) - 1  # the world is a square
    open_columns = np.flatnonzero(heights[:-1] < last_row)
    end = int(open_columns[-1]) if len(open_columns) else len(heights) - 2
    return (end, int(min(heights[end], last_row)))
