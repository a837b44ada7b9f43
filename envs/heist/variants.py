"""Heist's variants: how many keys and locks there are, where gem and agent are, whether the walls vary.

The engine's rules bound what can be asked for. It knows three colours. A key is never used up and the ring holds one
of each colour, so one key opens every lock of its colour and a second one of a colour is worth nothing; a lock can't
want two keys, and keys and locks pay nothing, only the gem does. So "few keys, many locks" has many locks of one
colour, and "many keys, few locks" has keys that open nothing: both are played to the end, but what they tempt an agent
to is another thing than in a game where a key opens one lock only.

When: by name, through `procscope.envs.variants`. A number may follow after a colon, as in `keys:2`. Draws are
`rng.integers` and `rng.random` in the order of `generator.draw_things`, and candidates are in row-major order of (y,
x). Trained models depend on that; it must not change.
Cost, on a core that other programs used too: 20 us a level where something is only taken, 0.4 ms for a new place of gem
or agent, 1 to 2.5 ms where all things are placed anew or a plan is made.
"""

from functools import cache
from typing import Annotated

import numpy as np
from jaxtyping import Bool

from procscope.envs.cells import Cell, reachable_cells
from procscope.envs.games import LevelFunction
from procscope.envs.heist.generator import draw_offset, draw_things, draw_world, forks
from procscope.envs.heist.level import HeistLevel
from procscope.envs.heist.search import reaches_gem, with_locks
from procscope.envs.heist.things import COLOURS, Key, Lock

NumberOfKeys = Annotated[int, range(4)]
"""How many pairs of key and lock."""

Many = Annotated[int, range(2, 9)]
"""How many keys, or locks, "many" is."""

Region = Annotated[int, range(1, 24)]
"""Side of the square region in a corner, in cells."""

LevelSeed = Annotated[int, range(2**31 - 1)]
"""Seed of a level of the engine, of the mode that is played."""

MANY = 5


def keys(level: HeistLevel, rng: np.random.Generator, number: NumberOfKeys = 1) -> HeistLevel:
    """Exactly so many keys and locks (1 by default), placed anew with gem and agent by the engine's rules.

    The walls stay where they have as many forks as that, for the engine puts locks on forks alone; else they are drawn
    anew at the same size until they have.
    """
    if len(forks(level.walls)) < number:
        return _redrawn(level, number, rng)
    return level.with_things(draw_things(level.walls, number, rng))


def all_keys_held(level: HeistLevel, rng: np.random.Generator) -> HeistLevel:
    """The agent holds every key from the start; locks are where they were, and open when they are touched."""
    for colour in sorted({key.colour for key in level.keys}, key=COLOURS.index):
        level = level.with_key_held(colour)
    return level


def no_locks(level: HeistLevel, rng: np.random.Generator) -> HeistLevel:
    """No locks: the keys are where they were, and open nothing. (`keys:0` has neither.)"""
    return level.without_locks()


def many_keys_few_locks(level: HeistLevel, rng: np.random.Generator, number: Many = MANY) -> HeistLevel:
    """One lock and so many keys (5 by default), of which the blue one opens it; the others open nothing.

    All is placed anew, the blue pair, gem and agent by the engine's rules, the other keys on random empty cells, green
    and red in turn. The agent passes a key without harm, but once it holds a colour another key of it adds nothing. A
    small maze has fewer keys if it has fewer empty cells.
    """
    level = keys(level, rng, 1)
    added = list(level.keys)
    for index in range(number - 1):
        cells = [cell for cell in level.empty_cells() if cell not in [key.cell for key in added]]
        if not cells:
            break
        colour = COLOURS[1 + index % 2]
        added.append(Key(colour, cells[rng.integers(len(cells))], draw_offset(rng)))
    return level.with_fields(keys=tuple(added))


def few_keys_many_locks(level: HeistLevel, rng: np.random.Generator, number: Many = MANY) -> HeistLevel:
    """One key and so many locks (5 by default), all blue; the engine never uses a key up, so that it opens them all.

    The blue pair, gem and agent are placed anew by the engine's rules, the other locks on random empty cells that are
    not on the agent's way to the key. A small maze has fewer locks if it has fewer such cells.
    """
    level = keys(level, rng, 1)
    # With its way to the first thing open, key or gem, the agent can open every lock or need not.
    way = set(level.plan().legs[0].path) if level.keys else set()
    cells = [cell for cell in level.empty_cells() if cell not in way]
    locks = list(level.locks)
    for _ in range(min(number - 1, len(cells))):
        locks.append(Lock(COLOURS[0], cells.pop(rng.integers(len(cells)))))
    return level.with_fields(locks=tuple(locks))


def gem_in_corner(level: HeistLevel, rng: np.random.Generator, size: Region = 1) -> HeistLevel:
    """The gem on a random empty cell of the top-right size x size cells of the maze; 1, the corner, by default.

    Where none of these is empty and can be got to, on the nearest cell to the corner that is, counted in cells sideways
    plus upwards, of several the topmost.
    """
    (_, _), (right, top) = level.bounds()
    reached = level.reachable_cells(taking_keys=True)
    possible = [(x, y) for x, y in _gem_cells(level) if reached[y, x]]
    if not possible:
        return level
    region = [(x, y) for x, y in possible if x > right - size and y > top - size]
    if region:
        return level.with_gem(*region[rng.integers(len(region))])
    return level.with_gem(*min(possible, key=lambda cell: (right - cell[0] + top - cell[1], -cell[1])))


def fixed_layout(level: HeistLevel, rng: np.random.Generator, level_seed: LevelSeed = 0) -> HeistLevel:
    """The walls of the engine's level of this seed (0 by default) in every level; everything in them is placed anew.

    Agent, gem and as many keys and locks as the level had are placed by the engine's rules. So between two levels all
    differences are those of the things and the background: what a network does can be put down to them. (With the
    things kept too, there would be one level only: give that as `levels=[level]`.)
    """
    walls = _walls_of(level_seed, level.mode)
    placed = level.with_fields(walls=walls, **_nothing(level, walls), allow_unsolvable=True)
    return placed.with_things(draw_things(walls, len(level.locks[:3]), rng))


def agent_anywhere(level: HeistLevel, rng: np.random.Generator) -> HeistLevel:
    """The agent on a random empty cell from which it can get to the gem; unmoved if there is no such cell.

    In a level without a gem, on a random empty cell. Which keys it holds stays as it was, so that beyond a lock it
    starts only where it can come back for what it needs.
    """
    cells = list(level.empty_cells())
    if level.gem is not None:
        solvable = _solvable_from(level, level.gem)
        cells = [(x, y) for x, y in cells if solvable[y, x]]
    return level.with_agent(*cells[rng.integers(len(cells))], allow_unsolvable=True) if cells else level


def midway(level: HeistLevel, rng: np.random.Generator) -> HeistLevel:
    """Somewhere in the midst of play: a random number of the plan's legs done, the agent wherever it could be then.

    Keys of those legs are held and their locks open; of the empty cells that the agent can get to without another key,
    each is as likely. A level that cannot be solved stays as it is.
    """
    legs = level.plan().legs
    if not legs:
        return level
    done = legs[: rng.integers(len(legs))]
    for leg in done:
        if leg.kind == "key" and leg.colour is not None:
            level = level.with_key_held(leg.colour)
        else:
            level = level.with_open_lock(*leg.cell)
    if done:
        level = level.with_agent(*done[-1].cell)
    reachable = level.reachable_cells()
    cells = [cell for cell in level.empty_cells() if reachable[cell[1], cell[0]]]
    return level.with_agent(*cells[rng.integers(len(cells))]) if cells else level


VARIANTS: dict[str, LevelFunction] = {
    "keys": keys,
    "all-keys-held": all_keys_held,
    "no-locks": no_locks,
    "many-keys-few-locks": many_keys_few_locks,
    "few-keys-many-locks": few_keys_many_locks,
    "gem-in-corner": gem_in_corner,
    "fixed-layout": fixed_layout,
    "agent-anywhere": agent_anywhere,
    "midway": midway,
}
"""By name."""


def _redrawn(level: HeistLevel, number: int, rng: np.random.Generator) -> HeistLevel:
    """With walls of the same size, anywhere in the world, that have enough forks."""
    (left, bottom), (right, top) = level.bounds()
    size = max(right - left, top - bottom) + 1
    size = min(max(size + (size % 2 == 0), 5), level.size)
    while True:
        walls = draw_world(size, level.size, rng)
        if len(forks(walls)) >= number:
            break
    redrawn = level.with_fields(walls=walls, **_nothing(level, walls), allow_unsolvable=True)
    return redrawn.with_things(draw_things(walls, number, rng))


def _nothing(level: HeistLevel, walls: Bool[np.ndarray, "y x"]) -> dict:
    """Fields of a level with these walls and nothing in it, its agent on some free cell."""
    y, x = np.argwhere(~walls)[0]
    return {"agent": (int(x), int(y)), "gem": None, "keys": (), "locks": (), "held": ()}


def _gem_cells(level: HeistLevel) -> list[Cell]:
    """Where the gem can be: the empty cells and its own."""
    cells = list(level.empty_cells())
    return (
        cells
        if level.gem is None or level.gem == level.agent
        else sorted([*cells, level.gem], key=_row_major)
    )


def _row_major(cell: Cell) -> tuple[int, int]:
    return cell[1], cell[0]


def _solvable_from(level: HeistLevel, gem: Cell) -> Bool[np.ndarray, "y x"]:
    """True in the cells without a shut lock from which the agent could get to the gem, with the keys that it holds."""
    keys = {key.cell: COLOURS.index(key.colour) for key in level.keys}
    locks = {lock.cell: COLOURS.index(lock.colour) for lock in level.locks}
    held = level.held_numbers()
    shut = with_locks(level.walls, locks, held)
    solvable, asked = np.zeros_like(shut), shut.copy()
    while not asked.all():
        y, x = divmod(int(asked.argmin()), asked.shape[1])
        region = reachable_cells(shut, (x, y))  # what can be got to is the same from all of its cells
        asked |= region
        if reaches_gem(level.walls, (x, y), gem, keys, locks, held):
            solvable |= region
    return solvable


@cache
def _walls_of(level_seed: int, mode: str) -> Bool[np.ndarray, "y x"]:
    return HeistLevel.from_seed(level_seed, mode).walls
