"""The shortest way to the gem over keys and locks, for many levels at once or for one as a list of legs.

When: labels and experts take `plan_maps`; people take `HeistLevel.plan()`, which reads one level's way off the maps.
How: a state of the search is a cell together with the set of colours held, so that each level has eight copies of its
grid, one a set. In a copy, locks of the colours not held are walls. Entering the cell of a key leads on to the copy
with its colour. One breadth-first search back from the gem, through all copies of all levels side by side, gives the
steps to go from everywhere with any keys. As keys are never used up, one more never makes a way longer.
Cost: about 5 ms for 64 levels of easy mode.

Axes: `level` of the batch; `held` the set of colours held, as a number of three bits (blue 1, green 2, red 4);
`y x` cells, y upwards.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, Int8, Int16

from procscope.envs.actions import MOVE_STEPS, Move
from procscope.envs.cells import Cell
from procscope.envs.heist.things import COLOURS
from procscope.envs.heist.value import HeistValue
from procscope.envs.paths import UNREACHABLE, best_moves

N_HELD = 2 ** len(COLOURS)
"""Sets of colours that can be held."""
NOTHING = -1
_NEIGHBOURS = MOVE_STEPS[[Move.LEFT, Move.DOWN, Move.UP, Move.RIGHT]]


class PlanMaps(NamedTuple):
    """What the shortest ways to the gem are, from every cell with every set of keys."""

    steps: Int16[np.ndarray, "level held y x"]
    """Steps to the gem over keys and through locks; -1 where no way leads. A key in the cell counts as taken."""
    moves: Int8[np.ndarray, "level held y x"]
    """First move of the way, as `Move`; STAY at the gem and where there is no way."""
    stops: Int16[np.ndarray, "level held y x"]
    """Cell, as y * width + x, of the first key not held, lock or gem further on along the way; -1 for none."""


class Leg(NamedTuple):
    """A part of a plan: on to the next key, lock or gem."""

    kind: str
    """`key`, `lock` or `gem`."""
    colour: str | None
    """None for the gem."""
    cell: Cell
    """Where it lies."""
    path: tuple[Cell, ...]
    """Cells from where the leg before ended to `cell`, both included."""

    @property
    def steps(self) -> int:
        """Cells to go."""
        return len(self.path) - 1

    def __str__(self) -> str:
        what = self.kind if self.colour is None else f"{self.colour} {self.kind}"
        return f"{what} at {self.cell}: {self.steps} cells"


@dataclass(frozen=True)
class Plan:
    """The shortest way to the gem, in legs; false when there is none."""

    legs: tuple[Leg, ...]

    @property
    def steps(self) -> int:
        """Cells to go in all."""
        return sum(leg.steps for leg in self.legs)

    @property
    def path(self) -> tuple[Cell, ...]:
        """All cells of the way, in order; one that is passed twice stands there twice."""
        return (
            self.legs[0].path[:1] + tuple(cell for leg in self.legs for cell in leg.path[1:])
            if self.legs
            else ()
        )

    def __bool__(self) -> bool:
        return bool(self.legs)

    def __str__(self) -> str:
        return "\n".join(map(str, self.legs)) or "no way to the gem"


def plan_maps(
    free: Bool[np.ndarray, "level y x"],
    keys: Int[np.ndarray, "level y x"],
    locks: Int[np.ndarray, "level y x"],
    gems: Int[np.ndarray, "level xy"],
) -> PlanMaps:
    """The shortest ways of many levels.

    `keys` and `locks` hold the colour's number of what is in each cell, -1 for nothing; `gems` (x, y) per level, (-1,
    -1) for none. At most one thing is in a cell.
    """
    held = np.arange(N_HELD)[:, None, None]
    # A shift by a negative number is undefined, so nothing (-1) is shifted by 0 and masked.
    key_bits = np.where(keys >= 0, 1 << np.maximum(keys, 0).astype(np.int32), 0)[:, None]
    lock_bits = np.where(locks >= 0, 1 << np.maximum(locks, 0).astype(np.int32), 0)[:, None]
    passable = free[:, None] & ((lock_bits & ~held) == 0)
    steps = _search(passable, np.where(key_bits & held, key_bits, 0), gems)
    height, width = steps.shape[2:]
    moves = best_moves(steps.reshape(-1, height, width)).astype(np.int8).reshape(steps.shape)
    to_take = (key_bits & ~held) != 0
    stops = _stops(steps, moves, to_take | (lock_bits != 0) | (steps == 0))
    return PlanMaps(steps, moves, stops)


def _search(passable: np.ndarray, taken: np.ndarray, gems: np.ndarray) -> np.ndarray:
    """Steps to the gem; `taken` is the bit of the held key that lies in a cell, 0 for none.

    In such a cell, the copy without that key is as far from the gem: there the key is taken.
    """
    n, copies, height, width = passable.shape
    # One flat array with a closed border, so that a neighbour is a fixed offset and never out of range.
    row = width + 2
    plane = (height + 2) * row
    unvisited = np.zeros((n, copies, height + 2, row), dtype=bool)
    unvisited[:, :, 1:-1, 1:-1] = passable
    unvisited = unvisited.reshape(-1)
    back = np.zeros((n, copies, height + 2, row), dtype=np.int32)
    back[:, :, 1:-1, 1:-1] = taken * plane
    back = back.reshape(-1)
    steps = np.full(n * copies * plane, UNREACHABLE, dtype=np.int16)
    offsets = np.array([dx + dy * row for dx, dy in _NEIGHBOURS])
    index = np.flatnonzero(gems[:, 0] >= 0)
    at_gem = index * (copies * plane) + (gems[index, 1] + 1) * row + gems[index, 0] + 1
    frontier = (at_gem[:, None] + np.arange(copies) * plane).reshape(-1)
    count = 0
    while frontier.size:
        steps[frontier] = count
        unvisited[frontier] = False
        step_back = back[frontier]
        untaken = (frontier - step_back)[step_back > 0]
        if untaken.size:
            untaken = untaken[unvisited[untaken]]
            steps[untaken] = count
            unvisited[untaken] = False
            frontier = np.concatenate([frontier, untaken])
        neighbours = (frontier[:, None] + offsets).reshape(-1)
        frontier = neighbours[unvisited[neighbours]]
        count += 1
        if count > 2 and frontier.size > 16 * n:  # open spaces reach a cell from several sides at once
            frontier = np.unique(frontier)
    return steps.reshape(n, copies, height + 2, row)[:, :, 1:-1, 1:-1]


def _stops(steps: np.ndarray, moves: np.ndarray, is_stop: np.ndarray) -> np.ndarray:
    """The first stop after each cell: pointers to the next cell are doubled until all of them have come to one."""
    plane, width = steps.shape[2] * steps.shape[3], steps.shape[3]
    flat_moves = moves.reshape(-1)
    step_of_move = (MOVE_STEPS[:, 0] + MOVE_STEPS[:, 1] * width).astype(np.int32)
    own = np.arange(flat_moves.size, dtype=np.int32)
    following = own + step_of_move[flat_moves]
    pointer = np.where(is_stop.reshape(-1), own, following)
    for _ in range(max(int(steps.max(initial=0)), 1).bit_length()):
        pointer = pointer[pointer]
    stops = (pointer[following] % plane).astype(np.int16)
    return np.where(steps > 0, stops.reshape(steps.shape), np.int16(NOTHING))


def level_maps(level: HeistValue) -> PlanMaps:
    """The maps of one level."""
    keys, locks = np.full((2, *level.walls.shape), NOTHING)
    for colour, (x, y), _ in level.keys:
        keys[y, x] = COLOURS.index(colour)
    for colour, (x, y) in level.locks:
        locks[y, x] = COLOURS.index(colour)
    gem = np.array([(NOTHING, NOTHING) if level.gem is None else level.gem])
    return plan_maps(~level.walls[None], keys[None], locks[None], gem)


def plan_level(level: HeistValue) -> Plan:
    """The legs of the shortest way of one level, from where its agent is, with the keys it holds."""
    maps = level_maps(level)
    keys = {key.cell: COLOURS.index(key.colour) for key in level.keys}
    locks = {lock.cell: lock.colour for lock in level.locks}
    held = sum(1 << number for number, holds in enumerate(level.held) if holds)
    cell, path, legs = level.agent, [level.agent], []
    if maps.steps[0, held, cell[1], cell[0]] < 0:
        return Plan(())
    while True:
        number = keys.get(cell)
        if number is not None and not held >> number & 1:
            legs.append(Leg("key", COLOURS[number], cell, tuple(path)))
            held |= 1 << number
            path = [cell]
        elif cell in locks:
            legs.append(Leg("lock", locks.pop(cell), cell, tuple(path)))
            path = [cell]
        elif cell == level.gem:
            return Plan((*legs, Leg("gem", None, cell, tuple(path))))
        dx, dy = MOVE_STEPS[maps.moves[0, held, cell[1], cell[0]]].tolist()
        cell = (cell[0] + dx, cell[1] + dy)
        path.append(cell)
