"""What lies in a Heist level: keys and locks in three colours, each in a cell, and points within cells.

The agent takes keys by touching them; a lock (a locked door that fills its cell) blocks the way until the key of its
colour is held, and vanishes when it is then touched. A key is never used up: one key opens every lock of its colour.

Axes: cells are (x, y), x to the right, y upwards.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, SupportsFloat

import numpy as np

from procscope.envs.arguments import numbers_within
from procscope.envs.cells import Cell

COLOURS = ("blue", "green", "red")
"""The engine's three colours of keys and locks, in its numbering."""

Offset = tuple[float, float]
"""A point of a cell: (0, 0) its bottom-left corner, (1, 1) its top-right one."""

MIDDLE: Offset = (0.5, 0.5)


class Key(NamedTuple):
    """A key that lies in the level."""

    colour: str
    cell: Cell
    offset: Offset = MIDDLE
    """Where in its cell; the engine draws it up to 0.125 from the middle, in both directions."""


class Lock(NamedTuple):
    """A locked door, which fills its cell."""

    colour: str
    cell: Cell


def by_cell(thing: Key | Lock) -> Cell:
    """What keys and locks are sorted by: x, then y, as the engine has them."""
    return thing.cell


def named(things: Sequence[Key] | Sequence[Lock]) -> str:
    """Colours and cells of things, for a message."""
    return ", ".join(f"{thing.colour} at {thing.cell}" for thing in things) or "none"


def checked_colour(colour: str) -> str:
    """The colour; ValueError unless keys and locks have it."""
    if colour not in COLOURS:
        raise ValueError(f"colour must be one of {', '.join(COLOURS)}, the engine's; given: {colour!r:.80}")
    return colour


def colour_number(colour: str) -> int:
    """The engine's number of a colour; ValueError as `checked_colour`."""
    return COLOURS.index(checked_colour(colour))


def checked_held(held: Iterable[bool], keys: tuple[Key, ...], locks: tuple[Lock, ...]) -> tuple[bool, ...]:
    """`held`, made as long as the level's colours need; ValueError unless it is up to three bools."""
    try:
        flags = tuple(held)
        good = len(flags) <= len(COLOURS) and all(isinstance(flag, bool | np.bool_) for flag in flags)
    except TypeError:
        flags, good = (), False
    if not good:
        raise ValueError(
            f"held must be up to {len(COLOURS)} bools, one for each of the first colours {', '.join(COLOURS)}; "
            f"given: {held!r:.80}"
        )
    used = [COLOURS.index(thing.colour) + 1 for thing in (*keys, *locks)]
    flags = tuple(bool(flag) for flag in flags)
    return flags + (False,) * (max(used, default=0) - len(flags))


def offset_in(cell: Cell, what: str, offset: Iterable[SupportsFloat]) -> Offset:
    """The offset as the engine's float32 coordinates hold it; ValueError unless it is a point of the cell."""
    expected = "two numbers from 0 to below 1, a point of its cell"
    dx, dy = numbers_within(what, offset, 0, 1, expected)
    exact = (float(np.float32(cell[0] + dx)) - cell[0], float(np.float32(cell[1] + dy)) - cell[1])
    if not max(exact) < 1:
        raise ValueError(f"{what} must be {expected}; given: {(dx, dy)}")
    return exact
