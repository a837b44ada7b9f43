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

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, SupportsIndex

import numpy as np
from jaxtyping import Bool, Int, Integer

from procscope.envs.arguments import whole_number
from procscope.envs.cells import Cell
from procscope.envs.heist import edits
from procscope.envs.heist.bytes import read_heist, write_heist
from procscope.envs.heist.generator import Things, draw_things, draw_world
from procscope.envs.heist.plans import Leg, Plan, plan_level
from procscope.envs.heist.search import reachable_with_keys, with_locks
from procscope.envs.heist.text import format_heist, heist_from_json, heist_to_json, parse_heist
from procscope.envs.heist.things import COLOURS, MIDDLE, Offset, colour_number
from procscope.envs.heist.value import N_BACKGROUNDS, WORLD_CELLS, HeistValue, mode_of_world
from procscope.envs.level import Codec
from procscope.envs.paths import distance_maps
from procscope.envs.state.rules import FREE, WALL
from procscope.envs.symmetries import Symmetry


@dataclass(frozen=True, eq=False, repr=False)
class HeistLevel(HeistValue):
    """A maze with its agent, gem, keys, locks and its look: the fields are those of `HeistValue`.

    What all levels can do, as `from_seed`, `from_file`, `to_state` and `with_background`, is in `Level`; what all that
    are made of walls can, as `with_wall`, `rotated` and `diff`, in `WalledLevel`. Edits are worked out in `edits.py`.
    """

    codec: ClassVar[Codec] = Codec(read_heist, write_heist, format_heist, heist_to_json, heist_from_json)

    # -- Make --

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
        cells = np.asarray(cells)
        if cells.dtype != bool:
            if not np.isin(cells, (WALL, FREE)).all():
                raise ValueError(
                    f"cells must be {WALL} (wall) and {FREE} (free); given: the numbers {np.unique(cells).tolist()}"
                )
            cells = cells == WALL
        fields: dict[str, Any] = {"mode": mode_of_world(cells.shape[0] if cells.ndim else 0)} | other_fields
        return cls(cells, agent, gem, allow_unsolvable=allow_unsolvable, **fields)

    @classmethod
    def generate(cls, size: int, n_keys: int, rng: np.random.Generator, mode: str = "easy") -> "HeistLevel":
        """A level of our own, made without the engine but alike, which can always be solved.

        `size` is the maze's, odd, from 5 to the mode's world. With fewer forks than `n_keys` (0 to 3) the level has as
        many keys as forks, as the engine's. Raises ValueError for any other size, number or mode.
        """
        cls.check_mode(mode)
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
        return self._edited(allow_unsolvable, **edits.gem_placed(self, (x, y), offset))

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
        return self._edited(allow_unsolvable, **edits.key_placed(self, colour, (x, y), offset))

    def with_another_key(
        self, colour: str, x: SupportsIndex, y: SupportsIndex, offset: Offset = MIDDLE
    ) -> "HeistLevel":
        """This level with one more key of that colour, at (x, y), an empty cell.

        A second key of a colour opens nothing that the first does not: the ring holds one of each.
        """
        return self._edited(True, **edits.another_key(self, colour, (x, y), offset))

    def without_key(self, colour: str, *, allow_unsolvable: bool = False) -> "HeistLevel":
        """This level without any key of that colour: none lies there, none is held. ValueError if there was none."""
        return self._edited(allow_unsolvable, **edits.key_removed(self, colour))

    def with_key_held(self, colour: str, *, keep_others: bool = False) -> "HeistLevel":
        """This level with the agent holding the key of that colour from the start; what lay there of it is gone.

        With `keep_others`, keys of that colour stay where they lie, and change nothing when they are taken.
        """
        return self._edited(True, **edits.key_held(self, colour, keep_others))

    def with_lock(
        self, colour: str, x: SupportsIndex, y: SupportsIndex, *, allow_unsolvable: bool = False
    ) -> "HeistLevel":
        """This level with its one lock of that colour at (x, y), an empty cell: moved there, or added.

        Raises ValueError when there are several such locks (`with_moved` moves one, `with_another_lock` adds one).
        """
        return self._edited(allow_unsolvable, **edits.lock_placed(self, colour, (x, y)))

    def with_another_lock(
        self, colour: str, x: SupportsIndex, y: SupportsIndex, *, allow_unsolvable: bool = False
    ) -> "HeistLevel":
        """This level with one more lock of that colour, at (x, y), an empty cell. One key opens all of its colour."""
        return self._edited(allow_unsolvable, **edits.another_lock(self, colour, (x, y)))

    def with_open_lock(self, x: SupportsIndex, y: SupportsIndex) -> "HeistLevel":
        """This level with the lock at (x, y) opened, which is to say gone. ValueError if there is none."""
        return self._edited(True, **edits.lock_opened(self, (x, y)))

    def without_locks(self, colour: str | None = None) -> "HeistLevel":
        """This level without the locks of that colour, or without any; keys stay."""
        return self._edited(True, **edits.locks_removed(self, colour))

    # -- Edit: anything --

    def with_moved(
        self,
        start: tuple[SupportsIndex, SupportsIndex],
        end: tuple[SupportsIndex, SupportsIndex],
        *,
        allow_unsolvable: bool = False,
    ) -> "HeistLevel":
        """This level with what is at the cell `start` (key, lock or gem) at the empty cell `end`, its offset kept."""
        return self._edited(allow_unsolvable, **edits.moved(self, start, end))

    def with_things(self, things: Things, n_colours: int | None = None) -> "HeistLevel":
        """This level with agent, gem, keys and locks of a `Things` (see `generator.py`) in place of its own.

        No key is held; the ring has room for `n_colours` keys, by default for as many as there are.
        """
        n_colours = len(things.keys) if n_colours is None else n_colours
        room = whole_number("n_colours", n_colours, range(len(COLOURS) + 1))
        at_rest = {"agent_offset": MIDDLE, "agent_velocity": (0.0, 0.0), "agent_rotation": 0.0}
        return self._rebuilt(True, **things._asdict(), held=(False,) * room, **at_rest)

    def with_fields(self, *, allow_unsolvable: bool = False, **changes: Any) -> "HeistLevel":
        """This level with other values in the fields named, all of them checked: for several changes at once."""
        unknown = sorted(set(changes) - set(self.field_names()))
        if unknown:
            raise ValueError(
                f"the fields of a level are {', '.join(self.field_names())}; given: {', '.join(unknown)}"
            )
        return self._rebuilt(allow_unsolvable, **changes)

    def with_mode(self, mode: str) -> "HeistLevel":
        """This level in the middle of the world of another mode, with wall all round.

        Raises ValueError when the new world is smaller and something lies outside of it.
        """
        return self._rebuilt(True, **edits.in_mode(self, mode))

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

    def reachable_cells(
        self, held: Iterable[str] | None = None, *, taking_keys: bool = False
    ) -> Bool[np.ndarray, "y x"]:
        """True where the agent gets to with the keys of these colours (default: those it holds).

        With `taking_keys`, also with those that it can take on the way.
        """
        keys = {key.cell: COLOURS.index(key.colour) for key in self.keys} if taking_keys else {}
        locks = {lock.cell: COLOURS.index(lock.colour) for lock in self.locks}
        return reachable_with_keys(self.walls, self.agent, keys, locks, self._numbers(held))

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

    # -- Keep --

    def to_array(self) -> Int[np.ndarray, "y x"]:
        """The cells as the engine's numbers: 51 wall, 100 free; the bottom row first. Keys and locks are no cells."""
        return np.where(self.walls, WALL, FREE)

    # -- Inside --

    def _transformed(self, symmetry: Symmetry) -> "HeistLevel":
        return self._rebuilt(True, **edits.transformed(self, symmetry))

    def _numbers(self, held: Iterable[str] | None) -> frozenset[int]:
        if held is None:
            return self.held_numbers()
        try:
            return frozenset(colour_number(colour) for colour in held)
        except TypeError:
            raise ValueError(f"held must be colours of {', '.join(COLOURS)}; given: {held!r:.80}") from None
