"""`HeistLevel`: one level of Heist as a value. Make it, edit it, ask about it, look at it, play it.

When: whenever a level of Heist is to be chosen or changed by hand or by a variant. A level never changes: every
`with_…` gives a new one, so levels can be shared, compared, hashed and used as keys.

    level = HeistLevel.from_seed(7).with_key("green", x=2, y=8).with_key_held("blue")
    print(level)                      # ASCII; in a notebook, `level` alone is a picture
    level.plan()                      # which key, which lock, in what order, in how many steps
    state = level.to_state()          # what the engine plays

Cost: `from_state` and `to_state` about 25 microseconds each, so that a variant may run at every reset; `from_seed`
0.2 ms a level when many seeds are asked for at once (`from_seeds`); `plan` 1 to 3 ms.

Axes: y = cell row, counted upwards; x = cell column, counted to the right; cell (0, 0) is the bottom-left cell of the
engine's world, in which a smaller maze may lie anywhere.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import index
from pathlib import Path
from typing import Any, SupportsIndex

import numpy as np
from jaxtyping import Bool, Int, Integer

from procscope.envs.engine import levels_from_seeds, template_state
from procscope.envs.heist.bytes import FREE, WALL, read_heist, write_heist
from procscope.envs.heist.diff import HeistDiff, diff_heists
from procscope.envs.heist.generator import draw_things, draw_world
from procscope.envs.heist.plans import Leg, Plan, plan_level
from procscope.envs.heist.search import reachable_with_keys, with_locks
from procscope.envs.heist.text import format_heist, heist_from_json, heist_to_json, parse_heist
from procscope.envs.heist.value import (
    COLOURS,
    MIDDLE,
    WORLD_CELLS,
    HeistValue,
    Key,
    Lock,
    Offset,
    check_mode,
    checked_colour,
    checked_held,
    colour_number,
    mode_of_world,
    offset_in,
    read_only,
)
from procscope.envs.level_files import read_level_file, write_level_file
from procscope.envs.maze.structure import Cell
from procscope.envs.maze.value import N_BACKGROUNDS
from procscope.envs.paths import distance_maps
from procscope.envs.pictures import level_png

_BELOW_ONE = 1 - 2.0**-16


@dataclass(frozen=True, eq=False, repr=False)
class HeistLevel(HeistValue):
    """A maze with its agent, gem, keys, locks and its look: the fields are those of `HeistValue`."""

    # -- Make --

    @classmethod
    def from_seed(cls, level_seed: int, mode: str = "easy") -> "HeistLevel":
        """The engine's own level of that seed. Raises ValueError if the seed is not in [0, 2^31 - 1)."""
        return cls.from_seeds([level_seed], mode)[0]

    @classmethod
    def from_seeds(cls, level_seeds: Sequence[int], mode: str = "easy") -> "list[HeistLevel]":
        """The engine's own levels of these seeds, in one call to the engine."""
        check_mode(mode)
        return [cls.from_state(state) for state in levels_from_seeds("heist", level_seeds, mode)]

    @classmethod
    def from_state(cls, state: bytes) -> "HeistLevel":
        """The level that a state of the engine is in, as it stands: keys that are left, agent where it is now, moving.

        A state is a fact, so it is taken even when no way leads to its gem (`is_solvable` tells). Raises ValueError
        where the bytes are no Heist state, or hold what no level can (see `read_heist`).
        """
        return cls.trusted(read_heist(state))

    @classmethod
    def from_ascii(cls, text: str, *, allow_unsolvable: bool = False, **other_fields: Any) -> "HeistLevel":
        """A level drawn with `#` wall, `.` free, `@` agent, `*` gem, keys `b g r`, locks `B G R`, top row first.

        The drawing has the size of a world (9, 13 or 23), which says the mode where no note does. The notes that
        `str(level)` prints below the drawing are read back; `other_fields` win over them. Raises ValueError with the
        line and column of what is wrong.
        """
        fields = parse_heist(text)
        if "mode" not in fields and "mode" not in other_fields:
            fields["mode"] = mode_of_world(len(fields["walls"]))
        return cls(**(fields | other_fields), allow_unsolvable=allow_unsolvable)

    @classmethod
    def from_array(
        cls,
        cells: Bool[np.ndarray, "y x"] | Integer[np.ndarray, "y x"],
        agent: Cell,
        gem: Cell | None = None,
        *,
        allow_unsolvable: bool = False,
        **other_fields: Any,
    ) -> "HeistLevel":
        """A level from walls (bool) or the engine's cell numbers (51 wall, 100 free); `cells[0]` is the bottom row.

        Keys, locks and the rest, which are no cells in the engine, come as fields: `keys=(Key("blue", (3, 4)),)`.
        """
        if cells.dtype != bool:
            if not np.isin(cells, (WALL, FREE)).all():
                raise ValueError(
                    f"cells must be {WALL} (wall) and {FREE} (free); given: the numbers {np.unique(cells).tolist()}"
                )
            cells = cells == WALL
        fields: dict[str, Any] = {"mode": mode_of_world(len(cells))} | other_fields
        return cls(cells, agent, gem, allow_unsolvable=allow_unsolvable, **fields)

    @classmethod
    def from_file(cls, path: str | Path, *, allow_unsolvable: bool = False) -> "HeistLevel":
        """A level from a `.json` file that `to_file` wrote (see `level_files.py`)."""
        return cls.from_json(read_level_file(path, "heist").level, allow_unsolvable=allow_unsolvable)

    @classmethod
    def from_json(cls, values: dict[str, Any], *, allow_unsolvable: bool = False) -> "HeistLevel":
        """A level from the JSON values of `to_json`; ValueError where they are not of that form."""
        return cls(**heist_from_json(values), allow_unsolvable=allow_unsolvable)

    @classmethod
    def generate(cls, size: int, n_keys: int, rng: np.random.Generator, mode: str = "easy") -> "HeistLevel":
        """A level of our own, made without the engine but alike, which can always be solved.

        `size` is the maze's, odd, from 5 to the mode's world. With fewer forks than `n_keys` (0 to 3) the level has as
        many keys as forks, as the engine's. Raises ValueError for any other size, number or mode.
        """
        check_mode(mode)
        background, offset = int(rng.integers(N_BACKGROUNDS)), float(np.float32(rng.random()))
        walls = draw_world(size, WORLD_CELLS[mode], rng)
        things = draw_things(walls, n_keys, rng)
        look = {"background": background, "background_offset": offset}
        return cls(walls, **things._asdict(), held=(False,) * n_keys, mode=mode, **look)

    # -- Edit: gem and agent --

    def with_gem(
        self,
        x: SupportsIndex,
        y: SupportsIndex,
        offset: Offset | None = None,
        *,
        allow_unsolvable: bool = False,
    ) -> "HeistLevel":
        """This level with the gem at (x, y), an empty cell; `offset` is where in it, by default as it was."""
        gem = self._empty_cell("the gem", (x, y), self.gem)
        offset = offset_in(gem, "offset", self.gem_offset if offset is None else offset)
        return self._edited(allow_unsolvable, gem=gem, gem_offset=offset)

    def without_gem(self) -> "HeistLevel":
        """This level without a goal: an episode ends at its timeout."""
        return self._edited(True, gem=None, gem_offset=MIDDLE)

    def with_agent(
        self,
        x: SupportsIndex,
        y: SupportsIndex,
        *,
        offset: Offset = MIDDLE,
        velocity: tuple[float, float] = (0.0, 0.0),
        rotation: float = 0.0,
        allow_unsolvable: bool = False,
    ) -> "HeistLevel":
        """This level with the agent at (x, y), a free cell without lock: in its middle, at rest, facing right.

        On the cell of a key or the gem, the agent takes it in the first step.
        """
        changes = {"agent": (x, y), "agent_offset": offset}
        changes |= {"agent_velocity": velocity, "agent_rotation": rotation}
        return self._rebuilt(allow_unsolvable, **changes)

    # -- Edit: keys and locks --

    def with_key(
        self,
        colour: str,
        x: SupportsIndex,
        y: SupportsIndex,
        offset: Offset | None = None,
        *,
        allow_unsolvable: bool = False,
    ) -> "HeistLevel":
        """This level with its one key of that colour at (x, y), an empty cell: moved there, or added.

        `offset` is where in the cell, by default as it was, or the middle. Raises ValueError when there are several
        such keys (`with_moved` moves one, `with_another_key` adds one), or the key is held (`without_key` first).
        """
        before = [key for key in self.keys if key.colour == checked_colour(colour)]
        if len(before) > 1:
            raise ValueError(
                f"expected at most one {colour} key; the level has {len(before)}. level.with_moved(from, to) moves one "
                "of them, level.with_another_key adds one"
            )
        if self.holds(colour):
            raise ValueError(
                f"the agent holds the {colour} key. level.without_key({colour!r}) takes it away first"
            )
        if offset is None:
            offset = before[0].offset if before else MIDDLE
        cell = self._empty_cell(f"the {colour} key", (x, y), before[0].cell if before else None)
        key = Key(colour, cell, offset_in(cell, "offset", offset))
        others = tuple(key for key in self.keys if key.colour != colour)
        return self._with_things(allow_unsolvable, keys=(*others, key))

    def with_another_key(
        self, colour: str, x: SupportsIndex, y: SupportsIndex, offset: Offset = MIDDLE
    ) -> "HeistLevel":
        """This level with one more key of that colour, at (x, y), an empty cell.

        A second key of a colour opens nothing that the first does not: the ring holds one of each.
        """
        cell = self._empty_cell(f"the {checked_colour(colour)} key", (x, y), None)
        key = Key(colour, cell, offset_in(cell, "offset", offset))
        return self._with_things(True, keys=(*self.keys, key))

    def without_key(self, colour: str, *, allow_unsolvable: bool = False) -> "HeistLevel":
        """This level without any key of that colour: none lies there, none is held. ValueError if there was none."""
        if not self.holds(colour) and all(key.colour != colour for key in self.keys):
            raise ValueError(f"the level has no {colour} key. Its keys: {self._named(self.keys)}")
        keys = tuple(key for key in self.keys if key.colour != colour)
        return self._with_things(allow_unsolvable, keys=keys, held=self._held_with(colour, False))

    def with_key_held(self, colour: str, *, keep_others: bool = False) -> "HeistLevel":
        """This level with the agent holding the key of that colour from the start; what lay there of it is gone.

        With `keep_others`, keys of that colour stay where they lie, and change nothing when they are taken.
        """
        checked_colour(colour)
        keys = self.keys if keep_others else tuple(key for key in self.keys if key.colour != colour)
        return self._with_things(True, keys=keys, held=self._held_with(colour, True))

    def with_lock(
        self, colour: str, x: SupportsIndex, y: SupportsIndex, *, allow_unsolvable: bool = False
    ) -> "HeistLevel":
        """This level with its one lock of that colour at (x, y), an empty cell: moved there, or added.

        Raises ValueError when there are several such locks (`with_moved` moves one, `with_another_lock` adds one).
        """
        before = [lock for lock in self.locks if lock.colour == checked_colour(colour)]
        if len(before) > 1:
            raise ValueError(
                f"expected at most one {colour} lock; the level has {len(before)}. level.with_moved(from, to) moves "
                "one of them, level.with_another_lock adds one"
            )
        cell = self._empty_cell(f"the {colour} lock", (x, y), before[0].cell if before else None)
        others = tuple(lock for lock in self.locks if lock.colour != colour)
        return self._with_things(allow_unsolvable, locks=(*others, Lock(colour, cell)))

    def with_another_lock(
        self, colour: str, x: SupportsIndex, y: SupportsIndex, *, allow_unsolvable: bool = False
    ) -> "HeistLevel":
        """This level with one more lock of that colour, at (x, y), an empty cell. One key opens all of its colour."""
        cell = self._empty_cell(f"the {checked_colour(colour)} lock", (x, y), None)
        return self._with_things(allow_unsolvable, locks=(*self.locks, Lock(colour, cell)))

    def with_open_lock(self, x: SupportsIndex, y: SupportsIndex) -> "HeistLevel":
        """This level with the lock at (x, y) opened, which is to say gone. ValueError if there is none."""
        cell = (index(x), index(y))
        if all(lock.cell != cell for lock in self.locks):
            raise ValueError(f"there is no lock at {cell}. The level's locks: {self._named(self.locks)}")
        return self._with_things(True, locks=tuple(lock for lock in self.locks if lock.cell != cell))

    def without_locks(self, colour: str | None = None) -> "HeistLevel":
        """This level without the locks of that colour, or without any; keys stay."""
        if colour is not None:
            checked_colour(colour)
        kept = tuple(lock for lock in self.locks if colour not in (None, lock.colour))
        return self._with_things(True, locks=kept)

    def with_moved(
        self,
        start: tuple[SupportsIndex, SupportsIndex],
        end: tuple[SupportsIndex, SupportsIndex],
        *,
        allow_unsolvable: bool = False,
    ) -> "HeistLevel":
        """This level with what is at the cell `start` (key, lock or gem) at the empty cell `end`, its offset kept."""
        start = self.free_cell("start", start)
        end = self._empty_cell(f"what is at {start}", end, start)
        if start == self.gem:
            return self.with_gem(*end, allow_unsolvable=allow_unsolvable)
        keys = tuple(
            Key(k.colour, end, offset_in(end, "offset", k.offset)) if k.cell == start else k
            for k in self.keys
        )
        locks = tuple(Lock(lock.colour, end) if lock.cell == start else lock for lock in self.locks)
        if keys == self.keys and locks == self.locks and start != end:
            raise ValueError(f"there is no key, lock or gem at {start} to be moved")
        return self._with_things(allow_unsolvable, keys=keys, locks=locks)

    # -- Edit: walls, place, look --

    def with_wall(
        self, x: SupportsIndex, y: SupportsIndex, *, allow_unsolvable: bool = False
    ) -> "HeistLevel":
        """This level with a wall at (x, y), where neither the agent nor anything else may be."""
        return self._with_cell(x, y, True, allow_unsolvable)

    def without_wall(
        self, x: SupportsIndex, y: SupportsIndex, *, allow_unsolvable: bool = False
    ) -> "HeistLevel":
        """This level with (x, y) free."""
        return self._with_cell(x, y, False, allow_unsolvable)

    def with_grid(self, walls: Bool[np.ndarray, "y x"], *, allow_unsolvable: bool = False) -> "HeistLevel":
        """This level with other walls; everything in it stays and must be on free cells."""
        return self._rebuilt(allow_unsolvable, walls=walls)

    def with_things(self, things: Any, n_colours: int | None = None) -> "HeistLevel":
        """This level with agent, gem, keys and locks of a `Things` (see `generator.py`) in place of its own.

        No key is held; the ring has room for `n_colours` keys, by default for as many as there are.
        """
        n_colours = len(things.keys) if n_colours is None else n_colours
        at_rest = {"agent_offset": MIDDLE, "agent_velocity": (0.0, 0.0), "agent_rotation": 0.0}
        return self._rebuilt(True, **things._asdict(), held=(False,) * n_colours, **at_rest)

    def with_fields(self, *, allow_unsolvable: bool = False, **changes: Any) -> "HeistLevel":
        """This level with other values in the fields named, all of them checked: for several changes at once."""
        return self._rebuilt(allow_unsolvable, **changes)

    def mirrored(self, axis: str = "x") -> "HeistLevel":
        """This level with left and right (`x`) or up and down (`y`) exchanged, all that is in it too.

        The agent is at rest then, and faces right as at a level's start.
        """
        if axis not in ("x", "y"):
            raise ValueError(
                f"axis must be 'x' (left and right change places) or 'y' (up and down); given: {axis!r}"
            )
        world = self.size
        if axis == "x":
            return self._transformed(self.walls[:, ::-1], lambda x, y: (world - x, y))
        return self._transformed(self.walls[::-1], lambda x, y: (x, world - y))

    def rotated(self, quarter_turns: int = 1) -> "HeistLevel":
        """This level turned clockwise by so many quarters, with all that is in it: what was up is right.

        The agent is at rest then, and faces right as at a level's start.
        """
        level, world = self, self.size
        for _ in range(quarter_turns % 4):
            level = level._transformed(level.walls[:, ::-1].T, lambda x, y: (y, world - x))
        return level

    def with_theme(self, theme: str) -> "HeistLevel":
        """This level drawn in another theme."""
        return self._rebuilt(True, theme=theme)

    def with_background(self, background: int | None, offset: float | None = None) -> "HeistLevel":
        """This level before another background (0 to 8, None for black), shifted by `offset` (default: as it was)."""
        offset = self.background_offset if offset is None else offset
        return self._rebuilt(True, background=background, background_offset=offset)

    def with_mode(self, mode: str) -> "HeistLevel":
        """This level in the middle of the world of another mode, with wall all round.

        Raises ValueError when the new world is smaller and something lies outside of it.
        """
        check_mode(mode)
        shift = (WORLD_CELLS[mode] - self.size) // 2
        walls = np.pad(self.walls, max(shift, 0), constant_values=True)
        if shift < 0:
            walls = walls[-shift:shift, -shift:shift]
            if np.count_nonzero(~walls) < np.count_nonzero(~self.walls):
                raise ValueError(
                    f"the level must fit into the middle {WORLD_CELLS[mode]}x{WORLD_CELLS[mode]} cells to be played in "
                    f"mode {mode!r}; it has free cells outside of them"
                )

        def moved(cell: Cell) -> Cell:
            return (cell[0] + shift, cell[1] + shift)

        return self._rebuilt(
            True,
            mode=mode,
            walls=walls,
            agent=moved(self.agent),
            gem=None if self.gem is None else moved(self.gem),
            keys=tuple(key._replace(cell=moved(key.cell)) for key in self.keys),
            locks=tuple(lock._replace(cell=moved(lock.cell)) for lock in self.locks),
        )

    # -- Ask --

    def plan(self) -> Plan:
        """The shortest way to the gem in legs: to a key, through a lock, to the gem, with the cells of each.

        Empty when there is no way or no gem. Of several shortest ways, the one that goes left, else down, else up
        first.
        """
        return plan_level(self)

    def next_target(self) -> Leg | None:
        """The first leg of the plan: the key, lock or gem that the shortest way comes to next; None without a way."""
        legs = self.plan().legs
        return legs[0] if legs else None

    def free_cells(self) -> tuple[Cell, ...]:
        """Every cell without wall as (x, y), locks, keys and gem among them, the bottom row first."""
        return tuple((int(x), int(y)) for y, x in np.argwhere(~self.walls))

    def empty_cells(self) -> tuple[Cell, ...]:
        """Every free cell without key, lock, gem and agent, the bottom row first."""
        taken = {*self.occupied(), self.agent}
        return tuple(cell for cell in self.free_cells() if cell not in taken)

    def occupied(self) -> dict[Cell, str]:
        """What lies where: cell to a name such as `blue key`, `red lock`, `gem`."""
        things = {key.cell: f"{key.colour} key" for key in self.keys}
        things |= {lock.cell: f"{lock.colour} lock" for lock in self.locks}
        return things if self.gem is None else things | {self.gem: "gem"}

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

    def reachable_cells(
        self, held: Iterable[str] | None = None, *, taking_keys: bool = False
    ) -> Bool[np.ndarray, "y x"]:
        """True where the agent gets to with the keys of these colours (default: those it holds).

        With `taking_keys`, also with those that it can take on the way.
        """
        numbers = self._numbers(held)
        keys = {key.cell: COLOURS.index(key.colour) for key in self.keys} if taking_keys else {}
        locks = {lock.cell: COLOURS.index(lock.colour) for lock in self.locks}
        return reachable_with_keys(self.walls, self.agent, keys, locks, numbers)

    def distance_map(
        self, target: Cell | None = None, held: Iterable[str] | None = None
    ) -> Int[np.ndarray, "y x"]:
        """Steps from every cell to the target (default: the gem), -1 from walls and where no way leads.

        Locks are walls unless `held` (default: the keys held) has their colour; keys that lie on the way do not count,
        see `plan` for that.
        """
        if target is None and self.gem is None:
            raise ValueError("this level has no gem: give the target, an (x, y), to go to")
        cell = self.free_cell("target", self.gem if target is None else target)  # pyright: ignore
        locks = {lock.cell: COLOURS.index(lock.colour) for lock in self.locks if lock.cell != cell}
        free = ~with_locks(self.walls, locks, self._numbers(held))
        return distance_maps(free[None], np.array([cell]))[0]

    def diff(self, other: "HeistLevel") -> HeistDiff:
        """What changes from this level to the other; false when nothing does."""
        return diff_heists(self, other)

    # -- See, keep, play --

    def __str__(self) -> str:
        return format_heist(self)

    def _repr_png_(self) -> bytes:
        return level_png(self.to_state())

    def to_array(self) -> Int[np.ndarray, "y x"]:
        """The cells as the engine's numbers: 51 wall, 100 free; the bottom row first. Keys and locks are no cells."""
        return np.where(self.walls, WALL, FREE)

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values, as they stand in files."""
        return heist_to_json(self)

    def to_file(self, path: str | Path) -> None:
        """Write the level to a `.json` file (see `level_files.py`)."""
        write_level_file(path, "heist", heist_to_json(self))

    def to_state(self, template: bytes | None = None) -> bytes:
        """The engine's bytes of this level.

        With a `template`, a live state of the level's mode, all that is not of the level stays as there, the
        generators above all: an env's later levels remain its own. Note that background on or off and the theme are
        options of the engine, which last beyond the level. Raises ValueError if the template is not such a state.
        """
        return write_heist(template_state("heist", self.mode) if template is None else template, self)

    # -- Inside --

    def _rebuilt(self, allow_unsolvable: bool, **changes: Any) -> "HeistLevel":
        """With all fields checked."""
        return HeistLevel(**(self.values() | changes), allow_unsolvable=allow_unsolvable)

    def _edited(self, allow_unsolvable: bool, **changes: Any) -> "HeistLevel":
        """With changes that are known to be right."""
        level = HeistLevel.trusted(self.values() | changes)
        if not allow_unsolvable:
            level.require_solvable()
        return level

    def _with_things(
        self,
        allow_unsolvable: bool,
        keys: tuple[Key, ...] | None = None,
        locks: tuple[Lock, ...] | None = None,
        held: tuple[bool, ...] | None = None,
    ) -> "HeistLevel":
        """With other keys, locks and held keys, known to be on cells of their own."""
        keys = self.keys if keys is None else tuple(sorted(keys, key=lambda key: key.cell))
        locks = self.locks if locks is None else tuple(sorted(locks, key=lambda lock: lock.cell))
        held = checked_held(self.held if held is None else held, keys, locks)
        return self._edited(allow_unsolvable, keys=keys, locks=locks, held=held)

    def _held_with(self, colour: str, holds: bool) -> tuple[bool, ...]:
        number = colour_number(colour)
        held = list(self.held) + [False] * (number + 1 - len(self.held))
        held[number] = holds
        return tuple(held)

    def _empty_cell(self, what: str, cell: tuple[SupportsIndex, SupportsIndex], own: Cell | None) -> Cell:
        """The cell, free and without another key, lock or gem; a lock's must be without agent too."""
        x, y = self.free_cell(what, cell)
        there = self.occupied().get((x, y))
        if there is not None and (x, y) != own:
            raise ValueError(
                f"{what} must be on a cell of its own; at ({x}, {y}) is the {there}. Cells without anything: "
                "level.empty_cells()"
            )
        is_lock = what.endswith("lock") or (own is not None and self.occupied().get(own, "").endswith("lock"))
        if is_lock and (x, y) == self.agent:
            raise ValueError(
                f"{what} cannot be where the agent is, at ({x}, {y}). Cells without anything: level.empty_cells()"
            )
        return (x, y)

    def _with_cell(
        self, x: SupportsIndex, y: SupportsIndex, wall: bool, allow_unsolvable: bool
    ) -> "HeistLevel":
        x, y = index(x), index(y)
        if not (0 <= x < self.size and 0 <= y < self.size):
            raise ValueError(
                f"a wall must be inside the {self.size}x{self.size} level; ({x}, {y}) is outside"
            )
        there = "agent" if (x, y) == self.agent else self.occupied().get((x, y))
        if wall and there is not None:
            raise ValueError(
                f"the {there} is at ({x}, {y}), so no wall can be there. Move or remove it first"
            )
        walls = self.walls.copy()
        walls[y, x] = wall
        return self._edited(allow_unsolvable, walls=read_only(walls))

    def _transformed(
        self, walls: np.ndarray, moved: Callable[[float, float], tuple[float, float]]
    ) -> "HeistLevel":
        """With all points moved; what was in the middle of a cell stays so."""

        def placed(cell: Cell, offset: Offset) -> tuple[Cell, Offset]:
            middle = moved(cell[0] + 0.5, cell[1] + 0.5)
            point = moved(cell[0] + offset[0], cell[1] + offset[1])
            x, y = int(middle[0]), int(middle[1])
            # A point on a cell's left or lower edge would become one of the next cell.
            return (x, y), (min(point[0] - x, _BELOW_ONE), min(point[1] - y, _BELOW_ONE))

        agent, agent_offset = placed(self.agent, self.agent_offset)
        gem, gem_offset = (None, MIDDLE) if self.gem is None else placed(self.gem, self.gem_offset)
        return self._rebuilt(
            True,
            walls=walls,
            agent=agent,
            agent_offset=agent_offset,
            agent_velocity=(0.0, 0.0),
            agent_rotation=0.0,
            gem=gem,
            gem_offset=gem_offset,
            keys=tuple(Key(key.colour, *placed(key.cell, key.offset)) for key in self.keys),
            locks=tuple(Lock(lock.colour, placed(lock.cell, MIDDLE)[0]) for lock in self.locks),
        )

    def _numbers(self, held: Iterable[str] | None) -> frozenset[int]:
        if held is None:
            return frozenset(number for number, holds in enumerate(self.held) if holds)
        return frozenset(colour_number(colour) for colour in held)

    @staticmethod
    def _named(things: Sequence[Key] | Sequence[Lock]) -> str:
        return ", ".join(f"{thing.colour} at {thing.cell}" for thing in things) or "none"
