"""`MazeLevel`: one maze as a value. Make it, edit it, ask about it, look at it, play it.

When: whenever a level of the maze game is to be chosen or changed by hand or by a variant. A level never
changes: every `with_…` gives a new one, so levels can be shared, compared, hashed and used as keys.

    level = MazeLevel.from_seed(7).with_cheese(x=2, y=8)
    print(level)                      # ASCII; in a notebook, `level` alone is a picture
    state = level.to_state()          # what the engine plays

Cost: `from_state` and `to_state` about 20 microseconds each, so that a variant may run at every reset;
`from_seed` 0.2 ms a level when many seeds are asked for at once (`from_seeds`).

Axes: y = cell row, counted upwards; x = cell column, counted to the right; cell (0, 0) is the bottom-left
cell of the maze itself, the wall round it does not count. Only `maze/geometry.py` knows how that lies in a
picture.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, SupportsIndex

import numpy as np
from jaxtyping import Bool, Int, Integer

from procscope.envs.cells import Cell, cells_where, free_neighbours, read_only
from procscope.envs.level import Codec
from procscope.envs.maze.bytes import CHEESE, read_maze, write_maze
from procscope.envs.maze.generator import draw_maze
from procscope.envs.maze.structure import invariant_violations
from procscope.envs.maze.text import format_maze, maze_from_json, maze_to_json, parse_maze
from procscope.envs.maze.value import N_BACKGROUNDS, MazeValue, check_size, mode_of_world
from procscope.envs.paths import distance_maps, path_down
from procscope.envs.state.rules import FREE, WALL
from procscope.envs.symmetries import Symmetry


@dataclass(frozen=True, eq=False, repr=False)
class MazeLevel(MazeValue):
    """A maze with its mouse, its cheese and its look: the fields are those of `MazeValue`.

    What all levels can do, as `from_seed`, `from_file`, `to_state` and `with_background`, is in `Level`; what all that
    are made of walls can, as `with_wall`, `rotated` and `diff`, in `WalledLevel`.
    """

    codec: ClassVar[Codec] = Codec(read_maze, write_maze, format_maze, maze_to_json, maze_from_json)

    # -- Make --

    @classmethod
    def from_ascii(cls, text: str, *, allow_unsolvable: bool = False, **other_fields: Any) -> "MazeLevel":
        """A level drawn with `#` wall, `.` free, `M` mouse, `C` cheese, `X` mouse on the cheese, top row first.

        Without M the mouse is at (0, 0), without C there is no cheese. The notes that `str(level)` prints
        below the maze are read back; `other_fields` (mode, background, …) win over them. Raises ValueError
        with the line and column of what is wrong.
        """
        return cls(**(parse_maze(text) | other_fields), allow_unsolvable=allow_unsolvable)

    @classmethod
    def from_array(
        cls,
        cells: Bool[np.ndarray, "y x"] | Integer[np.ndarray, "y x"],
        cheese: Cell | None = None,
        *,
        allow_unsolvable: bool = False,
        **other_fields: Any,
    ) -> "MazeLevel":
        """A level from walls (bool) and the cheese's cell, or from the engine's cell numbers (51, 100, 2).

        `cells[0]` is the bottom row. With cell numbers the cheese is where they say, and `cheese` must be
        None.
        """
        cells = np.asarray(cells)
        if cells.dtype != bool:
            walls, marked = cells == WALL, np.argwhere(cells == CHEESE)
            if cheese is not None or len(marked) > 1 or not np.isin(cells, (WALL, FREE, CHEESE)).all():
                raise ValueError(
                    f"cells must be {WALL} (wall), {FREE} (free) and at most one {CHEESE} (cheese), "
                    f"with cheese=None; given: the numbers {np.unique(cells).tolist()} and cheese={cheese}"
                )
            cheese = (int(marked[0][1]), int(marked[0][0])) if len(marked) else None
            cells = walls
        return cls(cells, cheese, allow_unsolvable=allow_unsolvable, **other_fields)

    @classmethod
    def generate(cls, size: int, rng: np.random.Generator, world: int = 15) -> "MazeLevel":
        """A maze of our own, made without the engine but alike: same walls, same cheeses, any odd size up to 31.

        `world` (15, 25 or 31) sets the mode that it is played in. Raises ValueError for any other size or
        world.
        """
        mode = mode_of_world(world)
        check_size(size, mode)
        background, offset = int(rng.integers(N_BACKGROUNDS)), float(np.float32(rng.random()))
        walls, cheese = draw_maze(size, rng)
        return cls(walls, cheese, mode=mode, background=background, background_offset=offset)

    # -- Edit --

    def with_cheese(
        self, x: SupportsIndex, y: SupportsIndex, *, allow_unsolvable: bool = False
    ) -> "MazeLevel":
        """This level with the cheese at (x, y), which must be a free cell."""
        return self._edited(allow_unsolvable, cheese=self.free_cell("cheese", (x, y)))

    def without_cheese(self) -> "MazeLevel":
        """This level without a goal: an episode ends at its timeout."""
        return self._edited(True, cheese=None)

    def with_mouse(
        self, x: SupportsIndex, y: SupportsIndex, *, allow_unsolvable: bool = False
    ) -> "MazeLevel":
        """This level with the mouse at (x, y), which must be a free cell."""
        return self._edited(allow_unsolvable, mouse=self.free_cell("mouse", (x, y)))

    def with_mode(self, mode: str) -> "MazeLevel":
        """This level to be played in another mode, hence in a world of another size."""
        return self._rebuilt(True, mode=mode)

    # -- Ask --

    @property
    def corner(self) -> Cell:
        """The top-right cell of the maze."""
        return (self.size - 1, self.size - 1)

    def dead_ends(self) -> tuple[Cell, ...]:
        """Every free cell with just one free neighbour, the bottom row first."""
        return cells_where(~self.walls & (free_neighbours(self.walls) == 1))

    def distance_map(self, target: Cell | None = None) -> Int[np.ndarray, "y x"]:
        """Steps from every cell to the target (default: the cheese); -1 from walls and where no way leads."""
        target = self._target(target)
        return distance_maps(~self.walls[None], np.array([target]))[0]

    def shortest_path(self, target: Cell | None = None, start: Cell | None = None) -> tuple[Cell, ...]:
        """Cells from the start (default: the mouse) to the target (default: the cheese), both included.

        Empty when no way leads there. Of several shortest paths, the one that goes left, else down, else up
        first.
        """
        start = self.mouse if start is None else self.free_cell("start", start)
        return path_down(self.distance_map(target), start)

    def decision_square(self, target_a: Cell | None = None, target_b: Cell | None = None) -> Cell | None:
        """Last common cell of the mouse's paths to two targets (default: the cheese and the top-right corner).

        There one move leads to the one and another move to the other. None when there is no such choice: a
        target lies on the way to the other, or cannot be reached.
        """
        path_a = self.shortest_path(target_a)
        path_b = self.shortest_path(self.corner if target_b is None else target_b)
        common = 0
        while common < min(len(path_a), len(path_b)) and path_a[common] == path_b[common]:
            common += 1
        if common in (0, len(path_a), len(path_b)):
            return None
        return path_a[common - 1]

    def violations(self) -> tuple[str, ...]:
        """What tells the walls from a maze of the engine (see `invariant_violations`); empty for the engine's own."""
        return invariant_violations(self.walls)

    def holds_invariants(self) -> bool:
        """Whether the engine's generator could have made these walls."""
        return not self.violations()

    # -- Keep --

    def to_array(self) -> Int[np.ndarray, "y x"]:
        """The cells as the engine's numbers: 51 wall, 100 free, 2 cheese; the bottom row first."""
        cells = np.where(self.walls, WALL, FREE)
        if self.cheese is not None:
            cells[self.cheese[1], self.cheese[0]] = CHEESE
        return cells

    # -- Inside --

    def _transformed(self, symmetry: Symmetry) -> "MazeLevel":
        cheese = None if self.cheese is None else symmetry.cell(self.cheese)
        return self._edited(
            True, walls=read_only(symmetry.walls), mouse=symmetry.cell(self.mouse), cheese=cheese
        )

    def _target(self, target: Cell | None) -> Cell:
        if target is not None:
            return self.free_cell("target", target)
        if self.cheese is None:
            raise ValueError("this maze has no cheese: give the target, an (x, y), to go to")
        return self.cheese
