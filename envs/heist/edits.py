"""Edits of Heist levels: what changes in the fields when a key, a lock, the gem or all of it is moved.

When: through the methods of `HeistLevel`, which have the same names and say what each does. A function takes a level
and gives the fields that change, all of them checked; whether the level can still be solved is for the caller to ask.

Axes: y = cell row, counted upwards; x = cell column, counted to the right.
"""

from collections.abc import Iterable
from typing import Any, SupportsFloat, SupportsIndex

import numpy as np

from procscope.envs.arguments import whole_cell
from procscope.envs.cells import Cell
from procscope.envs.heist.things import (
    MIDDLE,
    Key,
    Lock,
    Offset,
    by_cell,
    checked_colour,
    checked_held,
    colour_number,
    named,
    offset_in,
)
from procscope.envs.heist.value import WORLD_CELLS, HeistValue
from procscope.envs.symmetries import Symmetry

Fields = dict[str, Any]
Place = tuple[SupportsIndex, SupportsIndex]
Point = Iterable[SupportsFloat]

_BELOW_ONE = 1 - 2.0**-16


def gem_placed(level: HeistValue, place: Place, offset: Point | None) -> Fields:
    """The gem on an empty cell; its offset by default as it was."""
    cell = _empty_cell(level, "the gem", place, level.gem)
    offset = level.gem_offset if offset is None else offset
    return {"gem": cell, "gem_offset": offset_in(cell, "offset", offset)}


def key_placed(level: HeistValue, colour: str, place: Place, offset: Point | None) -> Fields:
    """The one key of that colour on an empty cell, moved there or added."""
    before = [key for key in level.keys if key.colour == checked_colour(colour)]
    if len(before) > 1:
        raise ValueError(
            f"expected at most one {colour} key; the level has {len(before)}. level.with_moved(from, to) moves one "
            "of them, level.with_another_key adds one"
        )
    if level.holds(colour):
        raise ValueError(
            f"the agent holds the {colour} key. level.without_key({colour!r}) takes it away first"
        )
    if offset is None:
        offset = before[0].offset if before else MIDDLE
    cell = _empty_cell(level, f"the {colour} key", place, before[0].cell if before else None)
    others = [key for key in level.keys if key.colour != colour]
    return _things(level, keys=[*others, Key(colour, cell, offset_in(cell, "offset", offset))])


def another_key(level: HeistValue, colour: str, place: Place, offset: Point) -> Fields:
    """One more key of that colour on an empty cell."""
    cell = _empty_cell(level, f"the {checked_colour(colour)} key", place, None)
    return _things(level, keys=[*level.keys, Key(colour, cell, offset_in(cell, "offset", offset))])


def key_removed(level: HeistValue, colour: str) -> Fields:
    """No key of that colour, neither lying nor held; ValueError if there was none."""
    if not level.holds(colour) and all(key.colour != colour for key in level.keys):
        raise ValueError(f"the level has no {colour} key. Its keys: {named(level.keys)}")
    keys = [key for key in level.keys if key.colour != colour]
    return _things(level, keys=keys, held=_held_with(level, colour, False))


def key_held(level: HeistValue, colour: str, keep_others: bool) -> Fields:
    """The key of that colour in the agent's hand; those that lie go, unless they are kept."""
    checked_colour(colour)
    keys = [key for key in level.keys if keep_others or key.colour != colour]
    return _things(level, keys=keys, held=_held_with(level, colour, True))


def lock_placed(level: HeistValue, colour: str, place: Place) -> Fields:
    """The one lock of that colour on an empty cell, moved there or added."""
    before = [lock for lock in level.locks if lock.colour == checked_colour(colour)]
    if len(before) > 1:
        raise ValueError(
            f"expected at most one {colour} lock; the level has {len(before)}. level.with_moved(from, to) moves "
            "one of them, level.with_another_lock adds one"
        )
    cell = _empty_cell(level, f"the {colour} lock", place, before[0].cell if before else None)
    others = [lock for lock in level.locks if lock.colour != colour]
    return _things(level, locks=[*others, Lock(colour, cell)])


def another_lock(level: HeistValue, colour: str, place: Place) -> Fields:
    """One more lock of that colour on an empty cell."""
    cell = _empty_cell(level, f"the {checked_colour(colour)} lock", place, None)
    return _things(level, locks=[*level.locks, Lock(colour, cell)])


def lock_opened(level: HeistValue, place: Place) -> Fields:
    """The lock in a cell gone; ValueError if there is none."""
    cell = whole_cell("the lock", place)
    if all(lock.cell != cell for lock in level.locks):
        raise ValueError(f"there is no lock at {cell}. The level's locks: {named(level.locks)}")
    return _things(level, locks=[lock for lock in level.locks if lock.cell != cell])


def locks_removed(level: HeistValue, colour: str | None) -> Fields:
    """No locks of that colour, or none at all."""
    if colour is not None:
        checked_colour(colour)
    return _things(level, locks=[lock for lock in level.locks if colour not in (None, lock.colour)])


def moved(level: HeistValue, start: Place, end: Place) -> Fields:
    """What is in one cell in another, its offset kept; ValueError if there is nothing."""
    here = level.free_cell("start", start)
    if here not in level.occupied():
        raise ValueError(f"there is no key, lock or gem at {here} to be moved")
    there = _empty_cell(level, f"what is at {here}", end, here)
    if here == level.gem:
        return gem_placed(level, there, None)
    keys = [
        Key(key.colour, there, offset_in(there, "offset", key.offset)) if key.cell == here else key
        for key in level.keys
    ]
    locks = [Lock(lock.colour, there) if lock.cell == here else lock for lock in level.locks]
    return _things(level, keys=keys, locks=locks)


def transformed(level: HeistValue, symmetry: Symmetry) -> Fields:
    """All that is in the level where the symmetry takes it; what was in the middle of a cell stays so."""

    def placed(cell: Cell, offset: Offset) -> tuple[Cell, Offset]:
        x, y = symmetry.cell(cell)
        point = symmetry.point(cell[0] + offset[0], cell[1] + offset[1])
        # A point on a cell's left or lower edge would become one of the next cell.
        return (x, y), (min(point[0] - x, _BELOW_ONE), min(point[1] - y, _BELOW_ONE))

    agent, agent_offset = placed(level.agent, level.agent_offset)
    gem, gem_offset = (None, MIDDLE) if level.gem is None else placed(level.gem, level.gem_offset)
    return {
        "walls": symmetry.walls,
        "agent": agent,
        "agent_offset": agent_offset,
        "agent_velocity": (0.0, 0.0),
        "agent_rotation": 0.0,
        "gem": gem,
        "gem_offset": gem_offset,
        "keys": tuple(Key(key.colour, *placed(key.cell, key.offset)) for key in level.keys),
        "locks": tuple(Lock(lock.colour, symmetry.cell(lock.cell)) for lock in level.locks),
    }


def in_mode(level: HeistValue, mode: str) -> Fields:
    """The level in the middle of another mode's world; ValueError when something lies outside of a smaller one."""
    level.check_mode(mode)
    shift = (WORLD_CELLS[mode] - level.size) // 2
    walls = np.pad(level.walls, max(shift, 0), constant_values=True)
    if shift < 0:
        walls = walls[-shift:shift, -shift:shift]
        if np.count_nonzero(~walls) < np.count_nonzero(~level.walls):
            raise ValueError(
                f"the level must fit into the middle {WORLD_CELLS[mode]}x{WORLD_CELLS[mode]} cells to be played in "
                f"mode {mode!r}; it has free cells outside of them"
            )

    def shifted(cell: Cell) -> Cell:
        return (cell[0] + shift, cell[1] + shift)

    return {
        "mode": mode,
        "walls": walls,
        "agent": shifted(level.agent),
        "gem": None if level.gem is None else shifted(level.gem),
        "keys": tuple(key._replace(cell=shifted(key.cell)) for key in level.keys),
        "locks": tuple(lock._replace(cell=shifted(lock.cell)) for lock in level.locks),
    }


def _things(
    level: HeistValue,
    keys: Iterable[Key] | None = None,
    locks: Iterable[Lock] | None = None,
    held: tuple[bool, ...] | None = None,
) -> Fields:
    """Other keys, locks and held keys, known to be on cells of their own, in the form of the fields."""
    keys = level.keys if keys is None else tuple(sorted(keys, key=by_cell))
    locks = level.locks if locks is None else tuple(sorted(locks, key=by_cell))
    return {
        "keys": keys,
        "locks": locks,
        "held": checked_held(level.held if held is None else held, keys, locks),
    }


def _held_with(level: HeistValue, colour: str, holds: bool) -> tuple[bool, ...]:
    number = colour_number(colour)
    held = list(level.held) + [False] * (number + 1 - len(level.held))
    held[number] = holds
    return tuple(held)


def _empty_cell(level: HeistValue, what: str, place: Place, own: Cell | None) -> Cell:
    """The cell, free and without another key, lock or gem; a lock's must be without agent too."""
    cell = level.free_cell(what, place)
    things = level.occupied()
    if cell in things and cell != own:
        raise ValueError(
            f"{what} must be on a cell of its own; at {cell} is the {things[cell]}. Cells without anything: "
            "level.empty_cells()"
        )
    is_lock = what.endswith("lock") or (own is not None and things.get(own, "").endswith("lock"))
    if is_lock and cell == level.agent:
        raise ValueError(
            f"{what} cannot be where the agent is, at {cell}. Cells without anything: level.empty_cells()"
        )
    return cell
