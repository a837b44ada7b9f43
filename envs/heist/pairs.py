"""Minimal pairs of Heist levels: levels that differ in one thing, so that what a network does differently is due to it.

- *goal pair*: the key lies in the level, or the agent holds it: so the plan's first target is the key or the lock, and
  the ways to them begin with different moves.
- *choice pair*: two keys can be got to, and the colour of the one lock says which of them is needed.
- *moved pair*: the one key lies in one or another place, and the ways to it begin with different moves.
- *corner pair*: the next key lies round a corner, and one wall stands in one or the other of two places, which turns
  the first move to it by a quarter: `procscope.envs.maze.pairs` in Heist, in the same four orientations.
- *stages*: one level with three keys before the first is taken, and after its lock is open: what comes next changes.

When to use: to find what tells a network which thing comes next, or where to go for it, and to see whether an edit
makes it pursue another one. Engine's rules of where things lie hold in goal pairs and stages; a choice pair has a key
that opens nothing, and a corner pair a lock that may be on no fork.

Cost: 1 to 3 ms a pair.

Axes: y = cell row, counted upwards; x = cell column, counted to the right.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from procscope.envs.actions import MOVE_STEPS, Move
from procscope.envs.cells import Cell
from procscope.envs.heist.generator import draw_offset
from procscope.envs.heist.level import HeistLevel
from procscope.envs.heist.things import COLOURS, Key, Lock
from procscope.envs.heist.value import N_BACKGROUNDS, WORLD_CELLS
from procscope.envs.maze.pairs import ORIENTATIONS, DirectionPair, direction_pairs

SIZES = (7, 9)
"""Widths of the mazes of goal and choice pairs, in cells; each is as likely."""


class GoalPair(NamedTuple):
    """The same level with its key lying there and with the key held."""

    key_lies: HeistLevel
    key_held: HeistLevel
    to_key: tuple[Cell, ...]
    """The way that the plan takes in the first."""
    to_lock: tuple[Cell, ...]
    """The same in the second; it does not lead over the key's cell."""

    @property
    def gate(self) -> Cell:
        """The cell before the lock; not on the way to the key, and not where the agent starts."""
        return self.to_lock[-2]

    @property
    def key_move(self) -> Move:
        return first_move(self.to_key)

    @property
    def lock_move(self) -> Move:
        return first_move(self.to_lock)


class ChoicePair(NamedTuple):
    """Two levels with the same two keys, of which the colour of the lock says which one is needed."""

    levels: tuple[HeistLevel, HeistLevel]
    """In the first the first of `colours` opens the lock, in the second the second."""
    colours: tuple[str, str]
    ways: tuple[tuple[Cell, ...], tuple[Cell, ...]]
    """To the key of either colour; neither leads over the other key."""

    @property
    def moves(self) -> tuple[Move, Move]:
        """First moves to the keys of either colour, which differ."""
        return first_move(self.ways[0]), first_move(self.ways[1])


class MovedPair(NamedTuple):
    """The same level with its key in two places, neither on the way to the other."""

    level: HeistLevel
    moved: HeistLevel
    ways: tuple[tuple[Cell, ...], tuple[Cell, ...]]
    """To the key in either level: each ends at its cell."""

    @property
    def moves(self) -> tuple[Move, Move]:
        """The first moves of the ways, which differ."""
        return first_move(self.ways[0]), first_move(self.ways[1])


class CornerPair(NamedTuple):
    """Two levels in which one wall stands in one or the other of two places, and the first moves to their next key."""

    first: HeistLevel
    second: HeistLevel
    first_move: Move
    second_move: Move


class Stages(NamedTuple):
    """One level with three keys at two stages of its plan."""

    levels: tuple[HeistLevel, HeistLevel]
    """As it begins, and with the first key held and its lock open; the agent where it starts."""
    next_key: tuple[Cell, Cell]
    """The key that comes next at either stage."""
    later_key: tuple[Cell, Cell]
    """The one after it."""


def goal_pairs(count: int, rng: np.random.Generator, mode: str = "easy") -> list[GoalPair]:
    """Random goal pairs with one blue key and lock, placed by the engine's rules. Raises ValueError: none asked for."""
    found, wanted = [], _counted(count)
    for level in _with_one_lock(rng, mode):
        held = level.with_key_held(COLOURS[0])
        to_key, to_lock = (each.plan().legs[0].path for each in (level, held))
        key, gate = to_key[-1], to_lock[max(len(to_lock) - 2, 0)]
        apart = len(to_key) > 1 and len(to_lock) > 2 and to_key[1] != to_lock[1]
        if apart and key not in to_lock and gate not in to_key:
            found.append(GoalPair(level, held, to_key, to_lock))
        if len(found) == wanted:
            break
    return found


def moved_pairs(
    count: int, rng: np.random.Generator, least_steps: int = 3, mode: str = "easy"
) -> list[MovedPair]:
    """Random moved pairs with one blue key and lock by the engine's rules; the other place is open from the start too.

    Args:
        least_steps: to the key in either place.

    Raises ValueError: none asked for.
    """
    found, wanted = [], _counted(count)
    for level in _with_one_lock(rng, mode):
        open_cells = level.reachable_cells(held=())
        cells = [cell for cell in level.empty_cells() if open_cells[cell[1], cell[0]]]
        if not cells:
            continue
        moved = level.with_key(COLOURS[0], *cells[rng.integers(len(cells))])
        ways = level.plan().legs[0].path, moved.plan().legs[0].path
        long_enough = min(map(len, ways)) > least_steps
        if (
            long_enough
            and ways[0][1] != ways[1][1]
            and ways[0][-1] not in ways[1]
            and ways[1][-1] not in ways[0]
        ):
            found.append(MovedPair(level, moved, ways))
        if len(found) == wanted:
            break
    return found


def choice_pairs(count: int, rng: np.random.Generator, mode: str = "easy") -> list[ChoicePair]:
    """Random choice pairs of two of the three colours, the second key on a random cell that is open from the start.

    Raises ValueError: none asked for.
    """
    found, wanted = [], _counted(count)
    for level in _with_one_lock(rng, mode):
        one, two = (COLOURS[i] for i in rng.permutation(len(COLOURS))[:2])
        open_cells = level.reachable_cells(held=())
        cells = [cell for cell in level.empty_cells() if open_cells[cell[1], cell[0]]]
        if not cells:
            continue
        key, lock = level.keys[0].cell, level.locks[0].cell
        bare = level.without_key(COLOURS[0], allow_unsolvable=True).without_locks()
        keys = bare.with_key(one, *key, level.keys[0].offset).with_key(
            two, *cells[rng.integers(len(cells))], draw_offset(rng)
        )
        levels = keys.with_lock(one, *lock), keys.with_lock(two, *lock)
        ways = levels[0].plan().legs[0].path, levels[1].plan().legs[0].path
        apart = min(map(len, ways)) > 1 and ways[0][1] != ways[1][1]
        if apart and ways[0][-1] not in ways[1] and ways[1][-1] not in ways[0]:
            found.append(ChoicePair(levels, (one, two), ways))
        if len(found) == wanted:
            break
    return found


def corner_pairs(
    rng: np.random.Generator, size: int = 7, mode: str = "easy"
) -> tuple[CornerPair, CornerPair, CornerPair, CornerPair]:
    """A random corner pair of mazes of `size` cells in each of the four `ORIENTATIONS`.

    The walls are those of `direction_pairs`, the blue key in the cheese's place; lock and gem lie at a dead end that
    neither way to the key comes by. The maze is anywhere in the world; the pairs are turned by quarters.

    Raises ValueError: a size that is even, below 7 or larger than the world.
    """
    world = WORLD_CELLS[mode]
    while True:
        pair = direction_pairs(size, rng)[0]
        ends = _dead_ends(pair)
        if not ends:
            continue
        gem, lock = ends[rng.integers(len(ends))]
        right, up = rng.integers(world - size + 1, size=2).tolist()
        look = {
            "background": int(rng.integers(N_BACKGROUNDS)),
            "background_offset": float(np.float32(rng.random())),
        }
        levels = []
        for maze in (pair.first, pair.second):
            assert maze.cheese is not None
            walls = np.ones((world, world), dtype=bool)
            walls[up : up + size, right : right + size] = maze.walls
            agent, key, gem_cell, lock_cell = (
                (x + right, y + up) for x, y in (maze.mouse, maze.cheese, gem, lock)
            )
            things = {
                "keys": (Key(COLOURS[0], key),),
                "locks": (Lock(COLOURS[0], lock_cell),),
                "held": (False,),
            }
            levels.append(
                HeistLevel(walls, agent, gem_cell, mode=mode, allow_unsolvable=True, **things, **look)
            )
        plans = [level.plan().legs for level in levels]
        # Where the lock bars the way to the key, there is no plan, or it goes elsewhere.
        if all(legs and legs[0].kind == "key" for legs in plans):
            moves = (first_move(plans[0][0].path), first_move(plans[1][0].path))
            if moves == ORIENTATIONS[0]:
                break
    pairs = (
        CornerPair(levels[0].rotated(turns), levels[1].rotated(turns), *ORIENTATIONS[turns])
        for turns in range(4)
    )
    return tuple(pairs)  # pyright: ignore[reportReturnType]


def stages_of(level: HeistLevel) -> Stages:
    """The stages of a level. Raises ValueError: other than three keys, of which the first opens the way to the next."""
    legs = level.plan().legs
    keys = [leg.cell for leg in legs if leg.kind == "key"]
    if len(keys) != len(COLOURS) or len(level.keys) != len(COLOURS) or legs[1].kind != "lock":
        raise ValueError(
            f"expected a level with three keys, the first of which opens the way to the second; given a plan of "
            f"{', '.join(map(str, legs)) or 'no legs'} and {len(level.keys)} keys. The variant keys:3 makes such levels"
        )
    after = level.with_key_held(str(legs[0].colour)).with_open_lock(*legs[1].cell)
    return Stages((level, after), (keys[0], keys[1]), (keys[1], keys[2]))


def recoloured(level: HeistLevel, order: Sequence[int]) -> HeistLevel:
    """The level with key and lock colours exchanged: colour i becomes colour order[i]; no key may be held.

    In the engine's levels the order of the plan is that of the colours; in these it is any. Raises ValueError: no order
    of the three colours, or a key that is held.
    """
    if sorted(order) != list(range(len(COLOURS))) or any(level.held):
        raise ValueError(
            f"expected an order of the numbers 0 to {len(COLOURS) - 1} and a level without a key held; given "
            f"{list(order)} and {level.held}"
        )
    new = {colour: COLOURS[order[number]] for number, colour in enumerate(COLOURS)}
    return level.with_fields(
        keys=tuple(key._replace(colour=new[key.colour]) for key in level.keys),
        locks=tuple(lock._replace(colour=new[lock.colour]) for lock in level.locks),
    )


def first_move(way: tuple[Cell, ...]) -> Move:
    """The move with which a way of neighbouring cells begins. Raises ValueError: a way of one cell, or of others."""
    step = np.subtract(way[1], way[0]) if len(way) > 1 else np.zeros(2)
    found = np.flatnonzero((step == MOVE_STEPS).all(axis=1))
    if len(way) < 2 or not len(found):
        raise ValueError(f"expected a way of at least two neighbouring cells; given: {way}")
    return Move(int(found[0]))


def _counted(count: int) -> int:
    if count < 1:
        raise ValueError(f"expected at least one pair; given: {count}")
    return count


def _with_one_lock(rng: np.random.Generator, mode: str) -> Iterator[HeistLevel]:
    """Levels with one key and one lock, without end."""
    while True:
        level = HeistLevel.generate(int(rng.choice(SIZES)), 1, rng, mode)
        if level.locks:
            yield level


def _dead_ends(pair: DirectionPair) -> list[tuple[Cell, Cell]]:
    """Cells with one free neighbour, the same in both mazes, and that neighbour; without mouse and cheese."""
    walls = [np.pad(level.walls, 1, constant_values=True) for level in (pair.first, pair.second)]
    found = []
    for y, x in np.argwhere(~pair.first.walls & ~pair.second.walls).tolist():
        beside = [(x - 1, y), (x, y - 1), (x, y + 1), (x + 1, y)]
        open_in = [[cell for cell in beside if not each[cell[1] + 1, cell[0] + 1]] for each in walls]
        taken = {pair.first.mouse, pair.first.cheese}
        if open_in[0] == open_in[1] and len(open_in[0]) == 1 and not taken & {(x, y), open_in[0][0]}:
            found.append(((x, y), open_in[0][0]))
    return found
