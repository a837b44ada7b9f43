"""Random edits of CoinRun levels, for the search over levels: `game("coinrun").random_edits`.

Places are drawn near the agent, within what its picture shows, so that an edit is seen.
"""

import numpy as np
from jaxtyping import Bool

from procscope.envs.cells import Cell, cells_where, read_only
from procscope.envs.coinrun.cells import OPEN, WALL, WALL_TOP
from procscope.envs.coinrun.entities import AGENT_THEMES, CRATE_THEMES, ENEMY_THEMES, OBSTACLES
from procscope.envs.coinrun.ground import ground_heights, standing
from procscope.envs.coinrun.level import CoinRunLevel
from procscope.envs.coinrun.value import WALL_THEMES
from procscope.envs.coinrun.variants import agent_anywhere
from procscope.envs.games import LevelFunction
from procscope.envs.random_edits import background_changed, played_on


def coin_moved(level: CoinRunLevel, rng: np.random.Generator) -> CoinRunLevel:
    """The coin in another cell of the picture, on the ground or in the air, where the agent does not touch it yet.

    The engine has its coins on the ground, at the end of the level.
    """
    x, y = level.agent_xy
    near = _shown(level) & (level.cells == OPEN)
    ys, xs = np.indices(near.shape)
    near &= (np.abs(xs + 0.5 - x) > 1) | (np.abs(ys + 0.5 - y) > 1.1)
    return level.with_coin(*_drawn(near, rng, "an open cell for the coin"))


def obstacle_added(level: CoinRunLevel, rng: np.random.Generator) -> CoinRunLevel:
    """One more saw, enemy or crate on the ground, not beside the agent."""
    x, y = level.agent_xy
    free = _shown(level) & standing(level.cells, level.entities)
    ys, xs = np.indices(free.shape)
    free &= (np.abs(xs + 0.5 - x) > 2) | (np.abs(ys + 0.5 - y) > 2)
    place = _drawn(free, rng, "ground for an obstacle")
    return level.with_obstacle(OBSTACLES[rng.integers(len(OBSTACLES))], *place)


def obstacle_removed(level: CoinRunLevel, rng: np.random.Generator) -> CoinRunLevel:
    """One saw, enemy or crate gone."""
    cells = sorted({(int(x), int(y)) for _, x, y in level.obstacles()})
    if not cells:
        raise ValueError("expected a level with an obstacle to remove; it has none")
    return level.without_obstacle(*cells[rng.integers(len(cells))])


def ground_changed(level: CoinRunLevel, rng: np.random.Generator) -> CoinRunLevel:
    """The ground of 1 to 3 columns one cell higher or lower. The agent, coin and obstacles stay where they are."""
    columns = np.flatnonzero(_shown(level).any(axis=0))
    first = int(columns[rng.integers(len(columns))])
    cells, heights, up = level.cells.copy(), ground_heights(level.cells), bool(rng.random() < 0.5)
    for x in range(first, min(first + int(rng.integers(1, 4)), int(columns[-1]) + 1)):
        top = int(heights[x])
        row = top if up else top - 1
        if not 1 <= row < len(cells) - 2 or (up and cells[row, x] != OPEN):
            raise ValueError(f"the ground of column {x} cannot be {'raised' if up else 'lowered'}")
        if up:
            cells[row - 1 : row + 1, x] = WALL, WALL_TOP
        else:
            cells[row - 1 : row + 1, x] = WALL_TOP, OPEN
    return level.with_cells(read_only(cells))


def themes_changed(level: CoinRunLevel, rng: np.random.Generator) -> CoinRunLevel:
    """Other pictures of walls, agent, enemies and crates."""
    walls, agent, enemies, crates = (
        int(rng.integers(count)) for count in (WALL_THEMES, AGENT_THEMES, ENEMY_THEMES, CRATE_THEMES)
    )
    return level.with_themes(walls=walls, agent=agent, enemies=enemies, crates=crates)


RANDOM_EDITS: dict[str, LevelFunction] = {
    "agent-moved": agent_anywhere,
    "played-on": played_on,
    "coin-moved": coin_moved,
    "obstacle-added": obstacle_added,
    "obstacle-removed": obstacle_removed,
    "ground-changed": ground_changed,
    "themes-changed": themes_changed,
    "background-changed": background_changed,
}
"""By name."""


def _shown(level: CoinRunLevel) -> Bool[np.ndarray, "y x"]:
    """True in cells that lie in the picture as a whole, the world's edges left out."""
    left, bottom, right, top = level.visible_window()
    shown = np.zeros(level.cells.shape, bool)
    rows = slice(max(int(np.ceil(bottom)), 1), min(int(top), len(shown) - 1))
    shown[rows, max(int(np.ceil(left)), 1) : min(int(right), len(shown) - 1)] = True
    return shown


def _drawn(possible: Bool[np.ndarray, "y x"], rng: np.random.Generator, what: str) -> Cell:
    cells = cells_where(possible)
    if not cells:
        raise ValueError(f"expected {what} in the picture; there is none")
    return cells[rng.integers(len(cells))]
