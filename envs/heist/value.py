"""What a Heist level consists of: the fields of `HeistLevel`, and what is allowed in them.

When: use `HeistLevel` (`level.py`), which adds making, editing and asking. The codecs (`bytes.py`, `text.py`)
take the fields from here.

The game: the agent goes through a maze to a gem, past locks whose keys lie in the maze (see `things.py`). Touching the
gem pays 10 and ends the episode; nothing else pays.

Coordinates: the level is the engine's whole square world (9, 13 or 23 cells wide in the modes easy, hard and
memory). A maze smaller than the world lies anywhere in it, and a state does not say where it ends, so the world's
own corner is cell (0, 0). Keys, gem and agent are points within their cell: an offset (0.5, 0.5) is the middle.

Axes: y = cell row, counted upwards; x = cell column, counted to the right.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Bool

from procscope.envs.arguments import number_within, numbers_within
from procscope.envs.cells import Cell, read_only
from procscope.envs.heist.search import reaches_gem
from procscope.envs.heist.things import (
    COLOURS,
    MIDDLE,
    Key,
    Lock,
    Offset,
    by_cell,
    checked_colour,
    checked_held,
    colour_number,
    offset_in,
)
from procscope.envs.state.rules import RULES
from procscope.envs.walled_level import WalledLevel

WORLD_CELLS: dict[str, int] = {"easy": 9, "hard": 13, "memory": 23}
"""Width of the engine's world in each mode."""

N_BACKGROUNDS = RULES["heist"].backgrounds
MAX_SPEED = 1.0
"""Cells a step in each direction; the engine's own agents reach 0.62."""
MAX_ROTATION = float(np.float32(4 * np.pi))
"""Radians, either way; the engine itself turns the agent by quarters."""


@dataclass(frozen=True, eq=False, repr=False)
class HeistValue(WalledLevel):
    """The fields of a Heist level: the walls of the engine's whole world, those below, and those of `Level`.

    ValueError also for two things (key, lock, gem) in one cell, and for the agent inside a lock.
    """

    game: ClassVar[str] = "heist"

    agent: Cell
    """(x, y) of the cell that the agent's centre is in, a free one."""
    gem: Cell | None
    """(x, y) of the goal, or None for a level without one."""
    keys: tuple[Key, ...] = ()
    """Keys that lie in the level, in the engine's order: by x, then by y."""
    locks: tuple[Lock, ...] = ()
    """Locked doors, in the same order."""
    held: tuple[bool, ...] = ()
    """Which colours' keys the agent holds, for the first colours of `COLOURS`; as long as the level needs, or longer.
    A level of the engine has one entry per key that it meant to place, which may be more than there are."""
    agent_offset: Offset = MIDDLE
    """Where in its cell the agent's centre is; the engine starts it in the middle."""
    agent_velocity: tuple[float, float] = (0.0, 0.0)
    """(vx, vy) in cells a step."""
    agent_rotation: float = 0.0
    """Turn of the agent's picture in radians, clockwise: 0 after moving right, and at a level's start."""
    gem_offset: Offset = MIDDLE
    """Where in its cell the gem is; the engine draws it up to 0.125 from the middle. (0.5, 0.5) without a gem."""

    def holds(self, colour: str) -> bool:
        """Whether the agent holds the key of that colour."""
        number = colour_number(colour)
        return number < len(self.held) and self.held[number]

    def held_numbers(self) -> frozenset[int]:
        """The numbers of the colours that are held."""
        return frozenset(number for number, holds in enumerate(self.held) if holds)

    def occupied(self) -> dict[Cell, str]:
        """What lies where: cell to a name such as `blue key`, `red lock`, `gem`."""
        things = {key.cell: f"{key.colour} key" for key in self.keys}
        things |= {lock.cell: f"{lock.colour} lock" for lock in self.locks}
        return things if self.gem is None else things | {self.gem: "gem"}

    def empty_cells(self) -> tuple[Cell, ...]:
        """Every free cell without key, lock, gem and agent, the bottom row first."""
        taken = {*self.occupied(), self.agent}
        return tuple(cell for cell in self.free_cells() if cell not in taken)

    def keys_of(self, colour: str) -> tuple[Key, ...]:
        """The keys of that colour that lie in the level."""
        return tuple(key for key in self.keys if key.colour == checked_colour(colour))

    def locks_of(self, colour: str) -> tuple[Lock, ...]:
        """The locks of that colour."""
        return tuple(lock for lock in self.locks if lock.colour == checked_colour(colour))

    def bounds(self) -> tuple[Cell, Cell]:
        """The bottom-left and the top-right free cell's coordinates: of the maze, if it is one of the engine's."""
        rows, columns = np.nonzero(~self.walls)
        return (int(columns.min()), int(rows.min())), (int(columns.max()), int(rows.max()))

    def is_solvable(self) -> bool:
        """Whether there is a gem and the agent can get to it, taking keys and opening locks."""
        if self.gem is None:
            return False
        keys = {key.cell: COLOURS.index(key.colour) for key in self.keys}
        locks = {lock.cell: COLOURS.index(lock.colour) for lock in self.locks}
        return reaches_gem(self.walls, self.agent, self.gem, keys, locks, self.held_numbers())

    def require_solvable(self) -> None:
        """ValueError if there is a gem, but no way to it."""
        if self.gem is not None and not self.is_solvable():
            raise ValueError(
                f"the agent at {self.agent} must have a way to the gem at {self.gem}, with the keys that it can "
                "get to; there is none. Open a wall or a lock, move a key, or ask for such a level with "
                "allow_unsolvable=True"
            )

    def _check_fields(self) -> None:
        self._set(walls=_frozen_walls(self.walls, self.mode))
        self._set(agent=self.free_cell("agent", self.agent))
        self._set(agent_offset=offset_in(self.agent, "agent_offset", self.agent_offset))
        self._set(agent_velocity=_velocity(self.agent_velocity))
        self._set(agent_rotation=_rotation(self.agent_rotation))
        if self.gem is None:
            self._set(gem_offset=MIDDLE)
        else:
            self._set(gem=self.free_cell("gem", self.gem))
            self._set(gem_offset=offset_in(self.gem, "gem_offset", self.gem_offset))
        self._set(keys=self._checked_keys(self.keys), locks=self._checked_locks(self.locks))
        self._check_one_a_cell()
        self._set(held=checked_held(self.held, self.keys, self.locks))

    def _thing_at(self, cell: Cell) -> str | None:
        return "agent" if cell == self.agent else self.occupied().get(cell)

    def _checked_keys(self, keys: Iterable[Any]) -> tuple[Key, ...]:
        checked = []
        for colour, cell, offset in _unpacked(Key, keys):
            cell = self.free_cell(f"the {checked_colour(colour)} key", cell)
            checked.append(Key(colour, cell, offset_in(cell, "a key's offset", offset)))
        return tuple(sorted(checked, key=by_cell))

    def _checked_locks(self, locks: Iterable[Any]) -> tuple[Lock, ...]:
        checked = []
        for colour, cell in _unpacked(Lock, locks):
            checked.append(Lock(colour, self.free_cell(f"the {checked_colour(colour)} lock", cell)))
        return tuple(sorted(checked, key=by_cell))

    def _check_one_a_cell(self) -> None:
        taken: dict[Cell, str] = {} if self.gem is None else {self.gem: "gem"}
        things = [(key.cell, f"{key.colour} key") for key in self.keys]
        things += [(lock.cell, f"{lock.colour} lock") for lock in self.locks]
        for cell, what in things:
            if cell in taken:
                raise ValueError(
                    f"a cell holds one thing: {cell} has the {taken[cell]}, so the {what} cannot be there too. "
                    "Move or remove one of them first"
                )
            taken[cell] = what
        if taken.get(self.agent, "").endswith("lock"):
            raise ValueError(
                f"the agent cannot be inside the {taken[self.agent]} at {self.agent}. Put it elsewhere, or remove "
                "the lock: an opened lock is gone"
            )


def mode_of_world(world: int) -> str:
    """The mode whose world is so many cells wide; ValueError if there is none."""
    for mode, cells in WORLD_CELLS.items():
        if cells == world:
            return mode
    raise ValueError(
        f"a Heist level is as large as a world of the engine, {', '.join(map(str, WORLD_CELLS.values()))} cells "
        f"wide; given: {world!r:.80}"
    )


def _unpacked(kind: type, things: Iterable[Any]) -> list[Any]:
    try:
        return [kind(*thing) for thing in things]
    except TypeError:
        raise ValueError(
            f"expected {kind.__name__.lower()}s such as {kind('blue', (3, 4))}; given: {things!r:.80}"
        ) from None


def _velocity(velocity: Any) -> tuple[float, float]:
    expected = f"from -{MAX_SPEED} to {MAX_SPEED} cells a step in both directions (vx, vy)"
    vx, vy = numbers_within("agent_velocity", velocity, -MAX_SPEED, MAX_SPEED, expected)
    return (float(np.float32(vx)), float(np.float32(vy)))


def _rotation(rotation: Any) -> float:
    expected = "radians from -4 pi to 4 pi"
    return float(np.float32(number_within("agent_rotation", rotation, -MAX_ROTATION, MAX_ROTATION, expected)))


def _frozen_walls(walls: Any, mode: str) -> Bool[np.ndarray, "y x"]:
    """A copy of the walls that cannot be written to; ValueError unless they are those of the mode's world."""
    walls = np.asarray(walls)
    world = WORLD_CELLS[mode]
    if walls.dtype != bool or walls.shape != (world, world):
        raise ValueError(
            f"walls must be an array of bool [y, x] of the {world}x{world} cells of mode {mode!r}; given: "
            f"{walls.dtype} of shape {walls.shape}. Surround a smaller maze with wall. Worlds: {WORLD_CELLS}"
        )
    return read_only(walls)
