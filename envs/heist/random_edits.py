"""Random edits of Heist levels, for the search over levels: `game("heist").random_edits`."""

import numpy as np

from procscope.envs.games import LevelFunction
from procscope.envs.heist.level import HeistLevel
from procscope.envs.heist.variants import agent_anywhere
from procscope.envs.random_edits import background_changed, moved_link, played_on


def thing_moved(level: HeistLevel, rng: np.random.Generator) -> HeistLevel:
    """A key, a lock or the gem on another empty cell, if the gem can still be got.

    Locks go anywhere, whereas the engine has them where ways fork.
    """
    things, cells = sorted(level.occupied()), level.empty_cells()
    if not things or not cells:
        raise ValueError("expected a level with something to move and an empty cell to move it to")
    return level.with_moved(things[rng.integers(len(things))], cells[rng.integers(len(cells))])


def key_taken(level: HeistLevel, rng: np.random.Generator) -> HeistLevel:
    """A key that lies in the level in the agent's hand."""
    colours = sorted({key.colour for key in level.keys})
    if not colours:
        raise ValueError("expected a level with a key to take; it has none")
    return level.with_key_held(colours[rng.integers(len(colours))])


def lock_opened(level: HeistLevel, rng: np.random.Generator) -> HeistLevel:
    """A lock of a colour whose key is held opened."""
    locks = [lock.cell for lock in level.locks if level.holds(lock.colour)]
    if not locks:
        raise ValueError("expected a lock whose key is held; there is none")
    return level.with_open_lock(*locks[rng.integers(len(locks))])


def wall_moved(level: HeistLevel, rng: np.random.Generator) -> HeistLevel:
    """A shut link between two cells of the maze opened and another one shut."""
    taken = {*level.occupied(), level.agent}
    return level.with_grid(moved_link(level.walls, level.bounds()[0], taken, rng))


RANDOM_EDITS: dict[str, LevelFunction] = {
    "agent-moved": agent_anywhere,
    "thing-moved": thing_moved,
    "key-taken": key_taken,
    "lock-opened": lock_opened,
    "wall-moved": wall_moved,
    "played-on": played_on,
    "background-changed": background_changed,
}
"""By name."""
