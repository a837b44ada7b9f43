"""Random edits of maze levels, for the search over levels: `game("maze").random_edits`."""

import numpy as np

from procscope.envs.games import LevelFunction
from procscope.envs.maze.level import MazeLevel
from procscope.envs.maze.variants import cheese_anywhere, mouse_anywhere
from procscope.envs.random_edits import background_changed, moved_link


def wall_moved(level: MazeLevel, rng: np.random.Generator) -> MazeLevel:
    """A shut link between two cells opened and another one shut, so that the engine could have made the maze still."""
    taken = {level.mouse} if level.cheese is None else {level.mouse, level.cheese}
    return level.with_grid(moved_link(level.walls, (0, 0), taken, rng))


RANDOM_EDITS: dict[str, LevelFunction] = {
    "mouse-moved": mouse_anywhere,
    "cheese-moved": cheese_anywhere,
    "wall-moved": wall_moved,
    "background-changed": background_changed,
}
"""By name."""
