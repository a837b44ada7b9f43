"""What a maze level consists of: the fields of `MazeLevel`, and what is allowed in them.

When: use `MazeLevel` (`level.py`), which adds making, editing and asking. The codecs of levels
(`bytes.py`, `text.py`) take the fields from here.

Axes: y = cell row, counted upwards; x = cell column, counted to the right; cell (0, 0) is the bottom-left
cell of the maze itself, the wall round it does not count.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Bool

from procscope.envs.arguments import whole_number
from procscope.envs.cells import Cell, reachable_cells, read_only
from procscope.envs.state.rules import RULES
from procscope.envs.walled_level import WalledLevel

WORLD_CELLS: dict[str, int] = {"easy": 15, "hard": 25, "memory": 31}
"""Width of the engine's world in each mode, and so the largest maze."""

SMALLEST_MAZE = 3
N_BACKGROUNDS = RULES["maze"].backgrounds


@dataclass(frozen=True, eq=False, repr=False)
class MazeValue(WalledLevel):
    """The fields of a maze level: walls, of odd size from 3 to the world's, cheese, mouse, and those of `Level`."""

    game: ClassVar[str] = "maze"
    noun: ClassVar[str] = "maze"

    cheese: Cell | None
    """(x, y) of the goal, on a free cell, or None for a maze without goal."""
    mouse: Cell = (0, 0)
    """(x, y) of the agent, on a free cell; the engine starts every maze at (0, 0)."""

    @property
    def world(self) -> int:
        """Width and height in cells of the engine's world, in which the maze lies centred."""
        return WORLD_CELLS[self.mode]

    @property
    def margin(self) -> int:
        """Cells of wall between the world's edge and the maze, on each side."""
        return (self.world - self.size) // 2

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

    def _check_fields(self) -> None:
        self._set(walls=_frozen_walls(self.walls, self.mode))
        self._set(mouse=self.free_cell("mouse", self.mouse))
        if self.cheese is not None:
            self._set(cheese=self.free_cell("cheese", self.cheese))

    def _thing_at(self, cell: Cell) -> str | None:
        return "mouse" if cell == self.mouse else "cheese" if cell == self.cheese else None


def check_size(size: int, mode: str) -> None:
    """ValueError unless mazes of this size exist in this mode."""
    largest = WORLD_CELLS[mode]
    whole = whole_number("the size of a maze", size, range(2**31))
    if not SMALLEST_MAZE <= whole <= largest or whole % 2 == 0:
        raise ValueError(
            f"the size of a maze must be odd, from {SMALLEST_MAZE} to {largest} in mode {mode!r}; given: "
            f"{size}. Largest sizes by mode: {WORLD_CELLS}"
        )


def mode_of_world(world: int) -> str:
    """The mode whose world is so many cells wide; ValueError if there is none."""
    for mode, cells in WORLD_CELLS.items():
        if cells == world:
            return mode
    raise ValueError(
        f"world must be one of {', '.join(map(str, WORLD_CELLS.values()))}; given: {world!r:.80}"
    )


def _frozen_walls(walls: Any, mode: str) -> Bool[np.ndarray, "y x"]:
    """A copy of the walls that cannot be written to; ValueError unless they are a square of allowed size."""
    walls = np.asarray(walls)
    if walls.dtype != bool or walls.ndim != 2 or walls.shape[0] != walls.shape[1]:
        raise ValueError(
            f"walls must be a square array of bool [y, x]; given: {walls.dtype} of shape {walls.shape}"
        )
    check_size(len(walls), mode)
    return read_only(walls)
