"""Ways through one level of Heist: the cells that the agent gets to with the keys it holds, and those it can take.

When: through `HeistLevel`. Levels by the hundred, with distances, are searched side by side in `plans.py`.
Cost: 10 to 20 microseconds for a level of easy mode.

Axes: y = cell row, counted upwards; x = cell column, counted to the right.
"""

from collections.abc import Mapping, Set

import numpy as np
from jaxtyping import Bool

from procscope.envs.cells import Cell, reachable_cells


def with_locks(
    walls: Bool[np.ndarray, "y x"], locks: Mapping[Cell, int], held: Set[int]
) -> Bool[np.ndarray, "y x"]:
    """The walls, with a wall at every lock (cell to colour number) whose key is not held."""
    shut = [cell for cell, colour in locks.items() if colour not in held]
    if not shut:
        return walls
    closed = walls.copy()
    for x, y in shut:
        closed[y, x] = True
    return closed


def reachable_with_keys(
    walls: Bool[np.ndarray, "y x"],
    start: Cell,
    keys: Mapping[Cell, int],
    locks: Mapping[Cell, int],
    held: Set[int],
) -> Bool[np.ndarray, "y x"]:
    """True where the agent gets to when it takes every key that it comes to. Keys and locks: cell to colour number.

    As no key is ever used up, taking one more never shuts a way: one flood after another, until no new key is in
    reach, finds every cell.
    """
    held = set(held)
    while True:
        reached = reachable_cells(with_locks(walls, locks, held), start)
        new = {colour for (x, y), colour in keys.items() if reached[y, x]} - held
        if not new:
            return reached
        held |= new


def reaches_gem(
    walls: Bool[np.ndarray, "y x"],
    start: Cell,
    gem: Cell,
    keys: Mapping[Cell, int],
    locks: Mapping[Cell, int],
    held: Set[int],
) -> bool:
    """Whether the agent can get to the gem, taking keys and opening locks on its way."""
    return bool(reachable_with_keys(walls, start, keys, locks, held)[gem[1], gem[0]])
