"""What a CoinRun level consists of: the fields of `CoinRunLevel`, what is allowed in them, and when two are the same.

When: use `CoinRunLevel` (`level.py`), which adds making, editing and asking. The codecs of levels
(`bytes.py`, `text.py`, `envs/level_files.py`) take the fields from here.

A level is 64 x 64 cells (walls, lava, barriers, coins) and a list of entities (the agent, saws, enemies, crates).
Heights: the engine stands the agent on y = (top of the ground) + 0.5787, half its height.

Axes: y = cell row, counted upwards; x = cell column, counted to the right; cell (0, 0) is the bottom-left cell of the
world. `entity` an entity, in drawing order.
"""

import math
from collections.abc import Iterable
from dataclasses import InitVar, dataclass, field
from operator import index
from typing import Any, ClassVar, NamedTuple, SupportsIndex, TypeVar

import numpy as np
from jaxtyping import Integer

from procscope.envs.coinrun.entities import (
    AGENT_HALF_HEIGHT,
    AGENT_HALF_WIDTH,
    ENEMY,
    SAW,
    agent,
    check_entities,
    frozen_entities,
)
from procscope.envs.coinrun.paths import Cell, overlapped_cells, steps_to_goals
from procscope.envs.state.layout import EntityRecords
from procscope.envs.state.rules import RULES

WORLD_CELLS = 64
"""Width and height of the world, in both modes."""
COIN, WALL, WALL_TOP, LAVA, LAVA_TOP, BARRIER, OPEN = 1, 15, 16, 17, 18, 19, 100
"""What the engine calls the kinds of cell. Wall and wall top differ in their picture alone, and so do the lavas; a
barrier is an open cell, not drawn, at which enemies turn."""

CELL_NAMES: dict[str, int] = {
    "open": OPEN,
    "wall": WALL,
    "wall-top": WALL_TOP,
    "lava": LAVA,
    "lava-top": LAVA_TOP,
    "barrier": BARRIER,
    "coin": COIN,
}
MODES = ("easy", "hard")
THEMES = ("textured", "monochrome")
WALL_THEMES, N_BACKGROUNDS = RULES["coinrun"].wall_themes, RULES["coinrun"].backgrounds
START = (1 + AGENT_HALF_WIDTH, float(np.float32(1 + AGENT_HALF_HEIGHT)))
"""Where the engine starts the agent."""

FIELDS = (
    "cells",
    "entities",
    "mode",
    "level_seed",
    "background",
    "background_offset",
    "wall_theme",
    "theme",
    "memory",
)
"""The fields of a level, in order."""

IS_WALL = np.zeros(128, bool)
IS_WALL[[WALL, WALL_TOP]] = True
IS_LAVA = np.zeros(128, bool)
IS_LAVA[[LAVA, LAVA_TOP]] = True
IS_KNOWN = np.zeros(128, bool)
IS_KNOWN[list(CELL_NAMES.values())] = True

_CORNER = 0.98
"""The engine stops the agent where a corner at this share of its half size would be in a wall."""
_SLACK = 1e-3

_Level = TypeVar("_Level", bound="CoinRunValue")


class Memory(NamedTuple):
    """What the engine remembers of the agent's last step. It matters in mid-jump and on crates, else hardly."""

    last_agent_y: float
    """Height of its centre; a crate holds the agent only if it comes from above."""
    has_support: bool = False
    """Whether the step began on the ground; with rest, it is drawn standing."""
    facing_right: bool = True
    """Side of the last step to a side."""
    is_on_crate: bool = False
    """Whether a crate held it, so that it can jump."""


@dataclass(frozen=True, eq=False, repr=False)
class CoinRunValue:
    """The fields of a CoinRun level.

    Two are equal when all of them are but `level_seed`: where a level came from does not count.

    ValueError for anything that the engine could not take, for an agent in a wall, and, unless made with
    `allow_unsolvable=True`, where no way through open cells leads from the agent to a coin (gravity and hazards
    are not asked), or where the agent touches what ends the episode at once.
    """

    game: ClassVar[str] = "coinrun"
    """The engine's name of the game."""

    cells: Integer[np.ndarray, "y x"]
    """The engine's numbers of the 64 x 64 cells (`CELL_NAMES`), int32, read-only; coins are cells."""
    entities: EntityRecords = field(default_factory=lambda: agent(*START))
    """Agent, saws, enemies, crates and enemies' trails as the engine's records, in drawing order, read-only."""
    mode: str = "easy"
    """Mode of the engine: `easy`, or `hard`, whose levels have enemies on the ground and other themes."""
    level_seed: int | None = None
    """Seed of the engine's level that this one was made from, edited or not; None for one not of the engine."""
    background: int | None = 0
    """Number of the picture behind the level, 0 to 61, or None for black. Easy levels of the engine have 0."""
    background_offset: float = 0.5
    """Which part of a background that is wider than high is seen, 0 to 1; 0 without background."""
    wall_theme: int = 0
    """Picture of the walls, 0 to 5: dirt, grass, planet, sand, snow, stone."""
    theme: str = "textured"
    """`textured` draws sprites, `monochrome` one-coloured squares."""
    memory: Memory | None = None
    """What the engine remembers of the last step; None: an agent that has just been put here."""
    allow_unsolvable: InitVar[bool] = False

    def __post_init__(self, allow_unsolvable: bool) -> None:
        if self.mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)}; given: {self.mode!r}")
        if self.theme not in THEMES:
            raise ValueError(f"theme must be one of {', '.join(THEMES)}; given: {self.theme!r}")
        self._set(cells=frozen_cells(self.cells), entities=frozen_entities(self.entities))
        self._check_entities()
        self.require_agent_outside_walls()
        if self.level_seed is not None:
            self._set(level_seed=whole_number("level_seed", self.level_seed, range(2**31)))
        self._set(wall_theme=whole_number("wall_theme", self.wall_theme, range(WALL_THEMES)))
        background, offset = checked_background(self.background, self.background_offset)
        self._set(background=background, background_offset=offset)
        if self.memory is None:
            self._set(memory=Memory(self.agent_xy[1]))
        else:
            last_y, *flags = self.memory
            if not math.isfinite(last_y) or abs(last_y) > 1e9:
                raise ValueError(f"memory.last_agent_y must be a height in cells; given: {last_y}")
            self._set(memory=Memory(float(np.float32(last_y)), *map(bool, flags)))
        if not allow_unsolvable:
            self.require_solvable()

    @property
    def agent_xy(self) -> tuple[float, float]:
        """Centre of the agent, in cells of the world."""
        player = self.entities[self._agent_place()]
        return (float(player["x"]), float(player["y"]))

    @property
    def agent_velocity(self) -> tuple[float, float]:
        """(vx, vy) of the agent, cells a step."""
        player = self.entities[self._agent_place()]
        return (float(player["vx"]), float(player["vy"]))

    @property
    def agent_cell(self) -> Cell:
        """(x, y) of the cell that the agent's centre is in."""
        x, y = self.agent_xy
        return (int(x), int(y))

    @property
    def coins(self) -> tuple[Cell, ...]:
        """(x, y) of every coin, the bottom row first."""
        return tuple(
            (int(place) % WORLD_CELLS, int(place) // WORLD_CELLS)
            for place in np.flatnonzero(self.cells == COIN)
        )

    @property
    def coin(self) -> Cell | None:
        """(x, y) of the coin, of several the one nearest to the agent, or None."""
        x, y = self.agent_xy
        return min(self.coins, key=lambda c: (c[0] + 0.5 - x) ** 2 + (c[1] + 0.5 - y) ** 2, default=None)

    def is_solvable(self) -> bool:
        """Whether a coin can be reached through open cells, and the agent does not lose at the first step.

        Gravity and hazards on the way are not asked: the engine's own levels can all be won, an edited one may need
        a jump that nobody can make.
        """
        return self._trouble() is None and bool(self.coins)

    def require_solvable(self) -> None:
        """ValueError if there is a coin, but no way to it, or if the agent touches what ends the episode at once."""
        trouble = self._trouble()
        if trouble is not None:
            raise ValueError(
                f"{trouble}. Move one of them, or ask for such a level with allow_unsolvable=True"
            )

    def require_agent_outside_walls(self) -> None:
        """ValueError unless the agent's box is clear of walls and inside the world, as the engine keeps it."""
        player = self.entities[self._agent_place()]
        x, y, rx, ry = (float(player[name]) for name in ("x", "y", "rx", "ry"))
        dx, dy = _CORNER * rx - _SLACK, _CORNER * ry - _SLACK
        for corner_x in (x - dx, x + dx):
            for corner_y in (y - dy, y + dy):
                column, row = math.floor(corner_x), math.floor(corner_y)
                inside = 0 <= column < WORLD_CELLS and 0 <= row < WORLD_CELLS
                if not inside or IS_WALL[self.cells[row, column]]:
                    raise ValueError(
                        f"the agent's box, {2 * rx:.4g} cells wide and {2 * ry:.4g} high, must be clear of walls; at "
                        f"({x:.6g}, {y:.6g}) it is {'in the wall at' if inside else 'outside of the world at'} "
                        f"({column}, {row}). Cells where it can stand: level.standing_cells()"
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
        return self._key() == other._key() if isinstance(other, CoinRunValue) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    def __getstate__(self) -> dict[str, Any]:
        return self.values()

    def __setstate__(self, values: dict[str, Any]) -> None:
        self._set(**values)
        self._set(cells=read_only(self.cells), entities=frozen_entities(self.entities))

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{n}={v!r}" for n, v in self.values().items() if n not in ("cells", "entities", "memory")
        )
        x, y = self.agent_xy
        return (
            f"{type(self).__name__}(agent=({x:.4g}, {y:.4g}), coins={list(self.coins)!r:.60}, "
            f"{len(self.entities) - 1} other entities, {shown})"
        )

    def _set(self, **values: Any) -> None:
        self.__dict__.update(values)

    def _agent_place(self) -> int:
        place = self.__dict__.get("agent_index")
        if place is None:
            place = int(np.flatnonzero(self.entities["type"] == 0)[-1])
            self._set(agent_index=place)
        return place

    def _check_entities(self) -> None:
        self._set(agent_index=check_entities(self.entities))

    def _trouble(self) -> str | None:
        """What keeps the level from being won, or None."""
        x, y = self.agent_xy
        player = self.entities[self._agent_place()]
        columns, rows = overlapped_cells(x, float(player["rx"])), overlapped_cells(y, float(player["ry"]))
        touched = self.cells[rows[0] : rows[1] + 1, columns[0] : columns[1] + 1]
        if IS_LAVA[touched].any():
            return f"the agent at ({x:.6g}, {y:.6g}) must not touch lava"
        others = self.entities[(self.entities["type"] == SAW) | (self.entities["type"] == ENEMY)]
        reach_x = others["rx"] + player["rx"] + others["collision_margin"]
        reach_y = others["ry"] + player["ry"] + others["collision_margin"]
        hit = (np.abs(others["x"] - player["x"]) < reach_x) & (np.abs(others["y"] - player["y"]) < reach_y)
        if hit.any():
            first = others[int(np.argmax(hit))]
            kind = "saw" if first["type"] == SAW else "enemy"
            return f"the agent at ({x:.6g}, {y:.6g}) must not touch the {kind} at ({first['x']:.6g}, {first['y']:.6g})"
        if not (self.cells == COIN).any():
            return None
        steps = steps_to_goals(self.cells[None]).steps[0]
        column, row = self.agent_cell
        if steps[row, column] < 0:
            return (
                f"the agent in cell {self.agent_cell} must have a way to a coin ({list(self.coins)!r:.60}); "
                "there is none"
            )
        return None

    def _key(self) -> tuple:
        return (
            self.cells.tobytes(),
            self.entities.tobytes(),
            self.mode,
            self.background,
            self.background_offset,
            self.wall_theme,
            self.theme,
            self.memory,
        )


def frozen_cells(cells: Integer[np.ndarray, "y x"]) -> Integer[np.ndarray, "y x"]:
    """A copy of the cells as int32 on immutable memory; ValueError unless they are 64 x 64 known numbers."""
    cells = np.asarray(cells)
    if cells.dtype.kind not in "iu" or cells.shape != (WORLD_CELLS, WORLD_CELLS):
        raise ValueError(
            f"cells must be a {WORLD_CELLS}x{WORLD_CELLS} array of integers [y, x]; given: {cells.dtype} of shape "
            f"{cells.shape}"
        )
    known = np.isin(cells, list(CELL_NAMES.values()))
    if not known.all():
        y, x = (int(place) for place in np.argwhere(~known)[0])
        raise ValueError(f"cells must be numbers of CoinRun ({CELL_NAMES}); ({x}, {y}) is {cells[y, x]}")
    return read_only(cells.astype("<i4"))


def read_only(cells: Integer[np.ndarray, "y x"]) -> Integer[np.ndarray, "y x"]:
    """A copy of int32 cells on immutable memory."""
    return np.frombuffer(cells.tobytes(), "<i4").reshape(cells.shape)


def whole_number(what: str, value: SupportsIndex, allowed: range) -> int:
    """The value as a Python int; ValueError naming `what` unless it is a whole number in the range."""
    try:
        number = -1 if isinstance(value, bool) else index(value)
    except TypeError:
        number = -1
    if number not in allowed:
        raise ValueError(
            f"{what} must be a whole number from {allowed.start} to {allowed.stop - 1}; given: {value!r}"
        )
    return number


def checked_background(background: SupportsIndex | None, offset: float | int) -> tuple[int | None, float]:
    """Number and offset as a level holds them; ValueError unless both are in range."""
    if background is None:
        return None, 0.0
    number = whole_number("background", background, range(N_BACKGROUNDS))
    if not 0 <= offset <= 1:
        raise ValueError(f"background_offset must be from 0 to 1; given: {offset}")
    return number, float(np.float32(offset))  # as the engine holds it


def cell_in_world(what: str, x: SupportsIndex, y: SupportsIndex) -> Cell:
    """(x, y) as two Python ints; ValueError naming `what` unless it is a cell of the world."""
    try:
        cell = (index(x), index(y))
    except TypeError:
        raise ValueError(f"{what} must be a cell (x, y) in whole numbers; given: ({x!r}, {y!r})") from None
    if not (0 <= cell[0] < WORLD_CELLS and 0 <= cell[1] < WORLD_CELLS):
        raise ValueError(f"{what} must be inside the {WORLD_CELLS}x{WORLD_CELLS} world; {cell} is outside")
    return cell


def coins_of(cells: np.ndarray, coins: Iterable[Cell]) -> np.ndarray:
    """The cells with coins at just these places; where one was and is no more, the cell is open."""
    changed = np.where(cells == COIN, OPEN, cells)
    for x, y in coins:
        changed[y, x] = COIN
    return changed
