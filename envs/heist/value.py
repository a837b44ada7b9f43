"""What a Heist level consists of: the fields of `HeistLevel`, what is allowed in them, and when two are the same.

When: use `HeistLevel` (`level.py`), which adds making, editing and asking. The codecs (`bytes.py`, `text.py`)
take the fields from here.

The game: the agent takes keys by touching them; a lock (a locked door that fills its cell) blocks the way until
the key of its colour is held, and vanishes when it is then touched. A key is never used up: one key opens every
lock of its colour. Touching the gem pays 10 and ends the episode; nothing else pays. There are three colours.

Coordinates: the level is the engine's whole square world (9, 13 or 23 cells wide in the modes easy, hard and
memory). A maze smaller than the world lies anywhere in it, and a state does not say where it ends, so the world's
own corner is cell (0, 0). Keys, gem and agent are points within their cell: an offset (0.5, 0.5) is the middle.

Axes: y = cell row, counted upwards; x = cell column, counted to the right.
"""

from collections.abc import Iterable, Sequence
from dataclasses import InitVar, dataclass
from math import isfinite
from operator import index
from typing import Any, ClassVar, NamedTuple, SupportsIndex, TypeVar

import numpy as np
from jaxtyping import Bool

from procscope.envs.heist.search import reaches_gem
from procscope.envs.maze.structure import Cell
from procscope.envs.maze.value import N_BACKGROUNDS, THEMES, read_only, whole_number

WORLD_CELLS: dict[str, int] = {"easy": 9, "hard": 13, "memory": 23}
"""Width of the engine's world in each mode."""

COLOURS = ("blue", "green", "red")
"""The engine's three colours of keys and locks, in its numbering."""

Offset = tuple[float, float]
"""A point of a cell: (0, 0) its bottom-left corner, (1, 1) its top-right one."""

MIDDLE: Offset = (0.5, 0.5)
MAX_SPEED = 1.0
"""Cells a step in each direction; the engine's own agents reach 0.62."""

FIELDS = (
    "walls",
    "agent",
    "gem",
    "keys",
    "locks",
    "held",
    "mode",
    "level_seed",
    "background",
    "background_offset",
    "theme",
    "agent_offset",
    "agent_velocity",
    "agent_rotation",
    "gem_offset",
)
"""The fields of a level, in order."""

_Level = TypeVar("_Level")


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


@dataclass(frozen=True, eq=False, repr=False)
class HeistValue:
    """The fields of a Heist level.

    Two are equal when all of them are but `level_seed`: where a level came from does not count.

    ValueError for anything that the engine could not take, for two things (key, lock, gem) in one cell, for the
    agent inside a lock, and for a level in which the agent cannot get to the gem, unless made with
    `allow_unsolvable=True`.
    """

    game: ClassVar[str] = "heist"
    """The engine's name of the game."""

    walls: Bool[np.ndarray, "y x"]
    """True where there is wall; the engine's whole world; read-only."""
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
    mode: str = "easy"
    """Mode of the engine, which sets the size of the world: easy 9, hard 13, memory 23 cells."""
    level_seed: int | None = None
    """Seed of the engine's level that this one was made from, edited or not; None for a level not of the engine."""
    background: int | None = 0
    """Number of the picture behind the level, 0 to 8, or None for black."""
    background_offset: float = 0.5
    """How far the background is shifted, 0 to 1; 0 without background. The pictures are square, so it is not seen."""
    theme: str = "textured"
    """`textured` draws sprites, `monochrome` one-coloured squares."""
    agent_offset: Offset = MIDDLE
    """Where in its cell the agent's centre is; the engine starts it in the middle."""
    agent_velocity: tuple[float, float] = (0.0, 0.0)
    """(vx, vy) in cells a step."""
    agent_rotation: float = 0.0
    """Turn of the agent's picture in radians, clockwise: 0 after moving right, and at a level's start."""
    gem_offset: Offset = MIDDLE
    """Where in its cell the gem is; the engine draws it up to 0.125 from the middle. (0.5, 0.5) without a gem."""
    allow_unsolvable: InitVar[bool] = False

    def __post_init__(self, allow_unsolvable: bool) -> None:
        check_mode(self.mode)
        if self.theme not in THEMES:
            raise ValueError(f"theme must be one of {', '.join(THEMES)}; given: {self.theme!r}")
        if self.level_seed is not None:
            self._set(level_seed=whole_number("level_seed", self.level_seed, range(2**31)))
        self._set(walls=frozen_walls(self.walls, self.mode))
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
        if self.background is None:
            self._set(background_offset=0.0)
        else:
            self._set(background=whole_number("background", self.background, range(N_BACKGROUNDS)))
            if not 0 <= self.background_offset <= 1:
                raise ValueError(f"background_offset must be from 0 to 1; given: {self.background_offset}")
            self._set(background_offset=float(np.float32(self.background_offset)))  # as the engine holds it
        if not allow_unsolvable:
            self.require_solvable()

    @property
    def size(self) -> int:
        """Width and height of the level in cells: of the engine's world."""
        return len(self.walls)

    def free_cell(self, what: str, cell: tuple[SupportsIndex, SupportsIndex]) -> Cell:
        """`cell` as two Python ints; ValueError naming `what` unless it is a cell of this level without wall."""
        try:
            x, y = map(index, cell)
        except (TypeError, ValueError):
            raise ValueError(f"{what} must be a cell (x, y) in whole numbers; given: {cell}") from None
        inside = 0 <= x < self.size and 0 <= y < self.size
        if not inside or self.walls[y, x]:
            raise ValueError(
                f"{what} must be on a free cell of the {self.size}x{self.size} level; ({x}, {y}) is "
                f"{'a wall' if inside else 'outside'}. Free cells: level.free_cells()"
            )
        return (x, y)

    def holds(self, colour: str) -> bool:
        """Whether the agent holds the key of that colour."""
        number = colour_number(colour)
        return number < len(self.held) and self.held[number]

    def is_solvable(self) -> bool:
        """Whether there is a gem and the agent can get to it, taking keys and opening locks."""
        if self.gem is None:
            return False
        keys = {key.cell: COLOURS.index(key.colour) for key in self.keys}
        locks = {lock.cell: COLOURS.index(lock.colour) for lock in self.locks}
        held = frozenset(number for number, holds in enumerate(self.held) if holds)
        return reaches_gem(self.walls, self.agent, self.gem, keys, locks, held)

    def require_solvable(self) -> None:
        """ValueError if there is a gem, but no way to it."""
        if self.gem is not None and not self.is_solvable():
            raise ValueError(
                f"the agent at {self.agent} must have a way to the gem at {self.gem}, with the keys that it can "
                "get to; there is none. Open a wall or a lock, move a key, or ask for such a level with "
                "allow_unsolvable=True"
            )

    def values(self) -> dict[str, Any]:
        """The fields by name, as the constructor takes them."""
        own = self.__dict__
        return {name: own[name] for name in FIELDS}

    @classmethod
    def trusted(cls: type[_Level], values: dict[str, Any]) -> _Level:
        """A level of values that are known to be right: for readers that have checked them already."""
        level = object.__new__(cls)
        level.__dict__.update(values)
        return level

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, HeistValue) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    def __getstate__(self) -> dict[str, Any]:
        return self.values()

    def __setstate__(self, values: dict[str, Any]) -> None:
        self._set(**values)
        self._set(walls=read_only(self.walls))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.values().items() if name != "walls")
        return f"{type(self).__name__}({self.size}x{self.size}, {shown})"

    def _set(self, **values: Any) -> None:
        self.__dict__.update(values)

    def _key(self) -> tuple:
        return (self.walls.tobytes(), *(self.__dict__[name] for name in FIELDS[1:] if name != "level_seed"))

    def _checked_keys(self, keys: Iterable[Sequence[Any]]) -> tuple[Key, ...]:
        checked = []
        for key in keys:
            colour, cell, offset = Key(*key)
            cell = self.free_cell(f"the {colour} key", cell)
            checked.append(Key(checked_colour(colour), cell, offset_in(cell, "a key's offset", offset)))
        return tuple(sorted(checked, key=lambda key: key.cell))

    def _checked_locks(self, locks: Iterable[Sequence[Any]]) -> tuple[Lock, ...]:
        checked = []
        for lock in locks:
            colour, cell = Lock(*lock)
            checked.append(Lock(checked_colour(colour), self.free_cell(f"the {colour} lock", cell)))
        return tuple(sorted(checked, key=lambda lock: lock.cell))

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


def checked_colour(colour: str) -> str:
    """The colour; ValueError unless keys and locks have it."""
    if colour not in COLOURS:
        raise ValueError(f"colour must be one of {', '.join(COLOURS)}, the engine's; given: {colour!r}")
    return colour


def colour_number(colour: str) -> int:
    """The engine's number of a colour; ValueError as `checked_colour`."""
    return COLOURS.index(checked_colour(colour))


def checked_held(held: Iterable[bool], keys: tuple[Key, ...], locks: tuple[Lock, ...]) -> tuple[bool, ...]:
    """`held`, made as long as the level's colours need; ValueError unless it is up to three bools."""
    flags = tuple(held)
    if len(flags) > len(COLOURS) or not all(isinstance(flag, bool | np.bool_) for flag in flags):
        raise ValueError(
            f"held must be up to {len(COLOURS)} bools, one for each of the first colours {', '.join(COLOURS)}; "
            f"given: {flags}"
        )
    used = [COLOURS.index(thing.colour) + 1 for thing in (*keys, *locks)]
    flags = tuple(bool(flag) for flag in flags)
    return flags + (False,) * (max(used, default=0) - len(flags))


def offset_in(cell: Cell, what: str, offset: Sequence[float]) -> Offset:
    """The offset as the engine's float32 coordinates hold it; ValueError unless it is a point of the cell."""
    try:
        first, second = (float(number) for number in offset)
    except (TypeError, ValueError):
        raise ValueError(f"{what} must be two numbers (dx, dy) from 0 to below 1; given: {offset}") from None
    exact = tuple(
        float(np.float32(place + number)) - place if isfinite(number) else number
        for place, number in zip(cell, (first, second), strict=True)
    )
    if not all(0 <= number < 1 for number in exact):
        raise ValueError(
            f"{what} must be from 0 to below 1 in both directions, a point of its cell; given: {(first, second)}"
        )
    return (exact[0], exact[1])


def _velocity(velocity: Sequence[float]) -> tuple[float, float]:
    try:
        vx, vy = (float(np.float32(number)) for number in velocity)
    except (TypeError, ValueError):
        raise ValueError(f"agent_velocity must be two numbers (vx, vy); given: {velocity}") from None
    if not (abs(vx) <= MAX_SPEED and abs(vy) <= MAX_SPEED):
        raise ValueError(
            f"agent_velocity must be from -{MAX_SPEED} to {MAX_SPEED} cells a step in both directions; given: "
            f"{velocity}"
        )
    return (vx, vy)


def _rotation(rotation: float) -> float:
    if not abs(rotation) <= 4 * np.pi:
        raise ValueError(f"agent_rotation must be radians from -4 pi to 4 pi; given: {rotation}")
    return float(np.float32(rotation))


def frozen_walls(walls: Bool[np.ndarray, "y x"], mode: str) -> Bool[np.ndarray, "y x"]:
    """A copy of the walls that cannot be written to; ValueError unless they are those of the mode's world."""
    walls = np.asarray(walls)
    world = WORLD_CELLS[mode]
    if walls.dtype != bool or walls.shape != (world, world):
        raise ValueError(
            f"walls must be an array of bool [y, x] of the {world}x{world} cells of mode {mode!r}; given: "
            f"{walls.dtype} of shape {walls.shape}. Surround a smaller maze with wall. Worlds: {WORLD_CELLS}"
        )
    return read_only(walls)


def check_mode(mode: str) -> None:
    """ValueError unless Heist has this mode."""
    if mode not in WORLD_CELLS:
        raise ValueError(f"mode must be one of {', '.join(WORLD_CELLS)}; given: {mode!r}")


def mode_of_world(world: int) -> str:
    """The mode whose world is so many cells wide; ValueError if there is none."""
    for mode, cells in WORLD_CELLS.items():
        if cells == world:
            return mode
    raise ValueError(
        f"a Heist level is as large as a world of the engine, {', '.join(map(str, WORLD_CELLS.values()))} cells "
        f"wide; given: {world}"
    )
