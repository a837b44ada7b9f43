"""`WalledLevel`: what levels have in common that are a square of walls and free cells, as the maze's and Heist's.

When: as `MazeLevel` or `HeistLevel`.

Axes: y = cell row, counted upwards; x = cell column, counted to the right; cell (0, 0) is the bottom-left cell.
"""

from abc import abstractmethod
from dataclasses import dataclass
from operator import index
from typing import ClassVar, SupportsIndex, TypeVar

import numpy as np
from jaxtyping import Bool

from procscope.envs.arguments import whole_cell
from procscope.envs.cells import Cell, cells_where, read_only
from procscope.envs.level import Level
from procscope.envs.level_diff import FieldChange, WallsDiff
from procscope.envs.symmetries import Symmetry, mirroring, quarter_turn

WalledT = TypeVar("WalledT", bound="WalledLevel")


@dataclass(frozen=True, eq=False, repr=False)
class WalledLevel(Level):
    """A level of walls and free cells, with things in some of the free ones."""

    noun: ClassVar[str] = "level"
    """What messages call the square of walls."""

    walls: Bool[np.ndarray, "y x"]
    """True where there is wall; a square; read-only."""

    # -- Edit --

    def with_wall(
        self: WalledT, x: SupportsIndex, y: SupportsIndex, *, allow_unsolvable: bool = False
    ) -> WalledT:
        """This level with a wall at (x, y), where neither the agent nor anything else may be."""
        return self._with_cell(x, y, True, allow_unsolvable)

    def without_wall(
        self: WalledT, x: SupportsIndex, y: SupportsIndex, *, allow_unsolvable: bool = False
    ) -> WalledT:
        """This level with (x, y) free."""
        return self._with_cell(x, y, False, allow_unsolvable)

    def with_grid(
        self: WalledT, walls: Bool[np.ndarray, "y x"], *, allow_unsolvable: bool = False
    ) -> WalledT:
        """This level with other walls, of a size that its mode has; what is in it stays, and must be on free cells."""
        return self._rebuilt(allow_unsolvable, walls=walls)

    def mirrored(self: WalledT, axis: str = "x") -> WalledT:
        """This level with left and right (`x`) or up and down (`y`) exchanged, all that is in it too.

        An agent is at rest then, and faces right as at a level's start.
        """
        return self._transformed(mirroring(self.walls, axis))

    def rotated(self: WalledT, quarter_turns: SupportsIndex = 1) -> WalledT:
        """This level turned clockwise by so many quarters, with all that is in it: what was up is right.

        An agent is at rest then, and faces right as at a level's start.
        """
        try:
            turns = index(quarter_turns) % 4
        except TypeError:
            raise ValueError(f"quarter_turns must be a whole number; given: {quarter_turns!r:.80}") from None
        level = self
        for _ in range(turns):
            level = level._transformed(quarter_turn(level.walls))
        return level

    # -- Ask --

    @property
    def size(self) -> int:
        """Width and height in cells."""
        return len(self.walls)

    def free_cells(self) -> tuple[Cell, ...]:
        """Every cell without wall as (x, y), whatever is in it, the bottom row first."""
        return cells_where(~self.walls)

    def free_cell(self, what: str, cell: tuple[SupportsIndex, SupportsIndex]) -> Cell:
        """`cell` as two Python ints; ValueError naming `what` unless it is a cell of this level without wall."""
        x, y = whole_cell(what, cell)
        inside = 0 <= x < self.size and 0 <= y < self.size
        if not inside or self.walls[y, x]:
            raise ValueError(
                f"{what} must be on a free cell of the {self.size}x{self.size} {self.noun}; ({x}, {y}) is "
                f"{'a wall' if inside else 'outside'}. Free cells: level.free_cells()"
            )
        return (x, y)

    def diff(self, other: "WalledLevel") -> WallsDiff:
        """What changes from this level to the other; false when nothing does. ValueError for one of another game."""
        self._require_same_game(other)
        added: tuple[Cell, ...] = ()
        removed: tuple[Cell, ...] = ()
        changes = []
        if self.size != other.size:
            changes.append(FieldChange("size", self.size, other.size))
        else:
            added = cells_where(other.walls & ~self.walls)
            removed = cells_where(self.walls & ~other.walls)
        return WallsDiff(added, removed, (*changes, *self._changed_fields(other)))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.values().items() if name != "walls")
        return f"{type(self).__name__}({self.size}x{self.size}, {shown})"

    # -- Inside: what each game fills in --

    @abstractmethod
    def _thing_at(self, cell: Cell) -> str | None:
        """What is in a free cell, by name; None for nothing."""

    @abstractmethod
    def _transformed(self: WalledT, symmetry: Symmetry) -> WalledT:
        """With the walls of the symmetry, and everything where it takes it."""

    # -- Inside --

    def _with_cell(
        self: WalledT, x: SupportsIndex, y: SupportsIndex, wall: bool, allow_unsolvable: bool
    ) -> WalledT:
        x, y = whole_cell("a wall", (x, y))
        if not (0 <= x < self.size and 0 <= y < self.size):
            raise ValueError(
                f"a wall must be inside the {self.size}x{self.size} {self.noun}; ({x}, {y}) is outside"
            )
        there = self._thing_at((x, y))
        if wall and there is not None:
            raise ValueError(
                f"the {there} is at ({x}, {y}), so no wall can be there. Move or remove it first"
            )
        walls = self.walls.copy()
        walls[y, x] = wall
        return self._edited(allow_unsolvable, walls=read_only(walls))
