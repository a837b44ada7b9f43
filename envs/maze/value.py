"""What a maze level consists of: the fields of `MazeLevel`, what is allowed in them, and when two levels are the same.

When: use `MazeLevel` (`level.py`), which adds making, editing and asking. The codecs of levels
(`bytes.py`, `text.py`, `envs/level_files.py`) take the fields from here.

Axes: y = cell row, counted upwards; x = cell column, counted to the right; cell (0, 0) is the bottom-left
cell of the maze itself, the wall round it does not count.
"""

from dataclasses import InitVar, dataclass
from operator import index
from typing import Any, ClassVar, SupportsIndex, TypeVar

import numpy as np
from jaxtyping import Bool

from procscope.envs.maze.structure import Cell, reachable_cells

WORLD_CELLS: dict[str, int] = {"easy": 15, "hard": 25, "memory": 31}
"""Width of the engine's world in each mode, and so the largest maze."""

THEMES = ("textured", "monochrome")
SMALLEST_MAZE = 3
N_BACKGROUNDS = 9

FIELDS = ("walls", "cheese", "mouse", "mode", "level_seed", "background", "background_offset", "theme")
"""The fields of a level, in order."""

_Level = TypeVar("_Level")


@dataclass(frozen=True, eq=False, repr=False)
class MazeValue:
    """The fields of a maze level.

    Two are equal when all of them are but `level_seed`: where a level came from does not count.

    ValueError for anything that the engine could not take, and for a maze in which the mouse cannot get to
    the cheese, unless made with `allow_unsolvable=True`.
    """

    game: ClassVar[str] = "maze"
    """The engine's name of the game."""

    walls: Bool[np.ndarray, "y x"]
    """True where there is wall; square, of odd size from 3 to the world's; read-only."""
    cheese: Cell | None
    """(x, y) of the goal, on a free cell, or None for a maze without goal."""
    mouse: Cell = (0, 0)
    """(x, y) of the agent, on a free cell; the engine starts every maze at (0, 0)."""
    mode: str = "easy"
    """Mode of the engine, which sets the size of the world: easy 15, hard 25, memory 31 cells."""
    level_seed: int | None = None
    """Seed of the engine's level that this one was made from, edited or not; None for a maze not of the engine."""
    background: int | None = 0
    """Number of the picture behind the maze, 0 to 8, or None for black."""
    background_offset: float = 0.5
    """How far the background is shifted, 0 to 1; 0 without background. The engine draws it with each level,
    but as the maze's nine backgrounds are square it changes nothing that is seen."""
    theme: str = "textured"
    """`textured` draws sprites, `monochrome` one-coloured squares."""
    allow_unsolvable: InitVar[bool] = False

    def __post_init__(self, allow_unsolvable: bool) -> None:
        check_mode(self.mode)
        if self.theme not in THEMES:
            raise ValueError(f"theme must be one of {', '.join(THEMES)}; given: {self.theme!r}")
        if self.level_seed is not None:
            self._set(level_seed=whole_number("level_seed", self.level_seed, range(2**31)))
        self._set(walls=frozen_walls(self.walls, self.mode))
        self._set(mouse=self.free_cell("mouse", self.mouse))
        if self.cheese is not None:
            self._set(cheese=self.free_cell("cheese", self.cheese))
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
        """Width and height of the maze in cells."""
        return len(self.walls)

    @property
    def world(self) -> int:
        """Width and height in cells of the engine's world, in which the maze lies centred."""
        return WORLD_CELLS[self.mode]

    @property
    def margin(self) -> int:
        """Cells of wall between the world's edge and the maze, on each side."""
        return (self.world - self.size) // 2

    def free_cell(self, what: str, cell: tuple[SupportsIndex, SupportsIndex]) -> Cell:
        """`cell` as two Python ints; ValueError naming `what` unless it is a free cell of this maze."""
        try:
            x, y = map(index, cell)
        except (TypeError, ValueError):
            raise ValueError(f"{what} must be a cell (x, y) in whole numbers; given: {cell}") from None
        inside = 0 <= x < self.size and 0 <= y < self.size
        if not inside or self.walls[y, x]:
            raise ValueError(
                f"{what} must be on a free cell of the {self.size}x{self.size} maze; ({x}, {y}) is "
                f"{'a wall' if inside else 'outside'}. Free cells: level.free_cells()"
            )
        return (x, y)

    def is_solvable(self) -> bool:
        """Whether there is a cheese and a way from the mouse to it."""
        return self.cheese is not None and bool(
            reachable_cells(self.walls, self.mouse)[self.cheese[1], self.cheese[0]]
        )

    def require_solvable(self) -> None:
        """ValueError if there is a cheese, but no way to it."""
        if self.cheese is not None and not self.is_solvable():
            raise ValueError(
                f"the mouse at {self.mouse} must have a way to the cheese at {self.cheese}; there is none. "
                "Open a wall, move one of them, or ask for such a level with allow_unsolvable=True"
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
        return self._key() == other._key() if isinstance(other, MazeValue) else NotImplemented

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
        return (
            self.walls.tobytes(),
            self.cheese,
            self.mouse,
            self.mode,
            self.background,
            self.background_offset,
            self.theme,
        )


def frozen_walls(walls: Bool[np.ndarray, "y x"], mode: str) -> Bool[np.ndarray, "y x"]:
    """A copy of the walls that cannot be written to; ValueError unless they are a square of allowed size."""
    walls = np.asarray(walls)
    if walls.dtype != bool or walls.ndim != 2 or walls.shape[0] != walls.shape[1]:
        raise ValueError(
            f"walls must be a square array of bool [y, x]; given: {walls.dtype} of shape {walls.shape}"
        )
    check_size(len(walls), mode)
    return read_only(walls)


def whole_number(what: str, value: SupportsIndex, allowed: range) -> int:
    """The value as a Python int; ValueError naming `what` unless it is a whole number in the range."""
    try:
        number = index(value)
    except TypeError:
        number = -1
    if number not in allowed:
        raise ValueError(
            f"{what} must be a whole number from {allowed.start} to {allowed.stop - 1}, or None; given: "
            f"{value!r}"
        )
    return number


def check_mode(mode: str) -> None:
    """ValueError unless the maze has this mode."""
    if mode not in WORLD_CELLS:
        raise ValueError(f"mode must be one of {', '.join(WORLD_CELLS)}; given: {mode!r}")


def mode_of_world(world: int) -> str:
    """The mode whose world is so many cells wide; ValueError if there is none."""
    for mode, cells in WORLD_CELLS.items():
        if cells == world:
            return mode
    raise ValueError(f"world must be one of {', '.join(map(str, WORLD_CELLS.values()))}; given: {world}")


def check_size(size: int, mode: str) -> None:
    """ValueError unless mazes of this size exist in this mode."""
    largest = WORLD_CELLS[mode]
    if not SMALLEST_MAZE <= size <= largest or size % 2 == 0:
        raise ValueError(
            f"the size of a maze must be odd, from {SMALLEST_MAZE} to {largest} in mode {mode!r}; given: "
            f"{size}. Largest sizes by mode: {WORLD_CELLS}"
        )


def read_only(walls: Bool[np.ndarray, "y x"]) -> Bool[np.ndarray, "y x"]:
    """A copy of the walls on immutable memory."""
    return np.frombuffer(walls.tobytes(), dtype=bool).reshape(walls.shape)
