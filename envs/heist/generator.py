"""Our own levels of Heist, made without the engine but alike: same mazes, same places of locks, keys, gem and agent.

When: `HeistLevel.generate`; `draw_things` alone to place everything anew in given walls.
How, as procgen's heist.cpp and mazegen.cpp do: a random spanning tree of the maze's rooms, anywhere in the world;
locks on random forks (cells with three or four free neighbours), the agent on a random other cell that is not beside a
lock. Then, as long as a lock is left: of the locks, the one nearest to what is already open is next, and its key lies
on a random cell of what the lock before it opened. The gem lies behind the last. So the order blue, green, red solves
every level. A maze with fewer forks than asked for gets as many locks as it has forks.
The distribution is the engine's, the draws are not: for the engine's level of a seed use `HeistLevel.from_seed`.
Cost: about 0.3 ms for a maze of 9.

Axes: y = cell row, counted upwards; x = cell column, counted to the right.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from procscope.envs.arguments import whole_number
from procscope.envs.cells import Cell, cells_where, free_neighbours, reachable_cells
from procscope.envs.heist.search import with_locks
from procscope.envs.heist.things import COLOURS, Key, Lock, Offset
from procscope.envs.maze.generator import draw_walls

SMALLEST_MAZE = 5
_LEAST_OFFSET, _OFFSET_RANGE = 0.375, 0.25


class Things(NamedTuple):
    """What lies in a level, and where its agent starts."""

    agent: Cell
    gem: Cell
    gem_offset: Offset
    keys: tuple[Key, ...]
    locks: tuple[Lock, ...]


def draw_world(size: int, world: int, rng: np.random.Generator) -> Bool[np.ndarray, "y x"]:
    """Walls of a random maze of odd `size` from 5, anywhere in a world of so many cells.

    Raises ValueError for another size.
    """
    size = whole_number("the size of a Heist maze", size, range(2**31))
    if not SMALLEST_MAZE <= size <= world or size % 2 == 0:
        raise ValueError(
            f"the size of a Heist maze must be odd, from {SMALLEST_MAZE} to the world's {world}; given: {size}"
        )
    walls = np.ones((world, world), dtype=bool)
    x, y = rng.integers(world - size + 1, size=2)
    walls[y : y + size, x : x + size] = draw_walls(size, rng)
    return walls


def forks(walls: Bool[np.ndarray, "y x"]) -> tuple[Cell, ...]:
    """Free cells with three or four free neighbours: where the engine puts locks. The bottom row first."""
    return cells_where(~walls & (free_neighbours(walls) > 2))


def draw_things(walls: Bool[np.ndarray, "y x"], n_keys: int, rng: np.random.Generator) -> Things:
    """Agent, gem and up to `n_keys` pairs of key and lock in the given walls, by the engine's rules.

    In walls that are not all connected, everything lies in the part that the agent is in. Raises ValueError where there
    is no room: the engine's mazes always have it.
    """
    n_keys = whole_number("n_keys", n_keys, range(len(COLOURS) + 1), ", one for each colour")
    places = forks(walls)
    chosen = [places[i] for i in rng.permutation(len(places))[:n_keys]]
    shut = dict.fromkeys(chosen, 0)
    beside = np.zeros_like(walls)
    for x, y in chosen:
        beside[max(y - 1, 0) : y + 2, x] = beside[y, max(x - 1, 0) : x + 2] = True
    agent = _draw(~walls & ~beside, rng, "the agent")
    seen = np.zeros_like(walls)
    seen[agent[1], agent[0]] = True
    keys, locks = [], []
    for colour in COLOURS:
        opened = reachable_cells(with_locks(walls, shut, frozenset()), agent)
        lock = _first_lock(~walls, shut, seen)
        if lock is None:
            break
        keys.append(Key(colour, _draw(opened & ~seen, rng, f"the {colour} key"), draw_offset(rng)))
        locks.append(Lock(colour, lock))
        seen |= opened
        seen[lock[1], lock[0]] = True
        del shut[lock]
    opened = reachable_cells(with_locks(walls, shut, frozenset()), agent)
    gem = _draw(opened & ~seen, rng, "the gem")
    return Things(agent, gem, draw_offset(rng), tuple(keys), tuple(locks))


def draw_offset(rng: np.random.Generator) -> Offset:
    """Where the engine puts keys and gem in their cell: up to 0.125 from the middle, evenly."""
    dx, dy = _LEAST_OFFSET + _OFFSET_RANGE * rng.random(2)
    return (float(dx), float(dy))


def _first_lock(
    free: Bool[np.ndarray, "y x"], shut: dict[Cell, int], seen: Bool[np.ndarray, "y x"]
) -> Cell | None:
    """The lock that a search outwards from the seen cells meets first, in the engine's order; None if it meets none.

    All seen cells count as its first ring, so a lock beside any of them comes before those further on.
    """
    known = set(cells_where(seen))
    spaces = set(cells_where(free & ~seen)) - set(shut)
    ring = known
    while ring:
        further = set()
        for x, y in sorted(ring, key=lambda cell: (cell[1], cell[0])):
            beside = ((x - 1, y), (x, y - 1), (x, y + 1), (x + 1, y))
            found = [cell for cell in beside if cell in shut]
            if found:
                return found[0]
            further |= spaces.intersection(beside)
        spaces -= further
        ring = further
    return None


def _draw(allowed: Bool[np.ndarray, "y x"], rng: np.random.Generator, what: str) -> Cell:
    candidates = np.flatnonzero(allowed)
    if not len(candidates):
        raise ValueError(
            f"there is no room for {what}: expected walls with a free cell for everything, as the engine's mazes are"
        )
    y, x = divmod(int(candidates[rng.integers(len(candidates))]), allowed.shape[1])
    return (x, y)
