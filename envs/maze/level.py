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

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import index
from pathlib import Path
from typing import Any, SupportsIndex

import numpy as np
from jaxtyping import Bool, Int, Integer

from procscope.envs.engine import levels_from_seeds, template_state
from procscope.envs.level_files import read_level_file, write_level_file
from procscope.envs.maze.bytes import CHEESE, FREE, WALL, read_maze, write_maze
from procscope.envs.maze.diff import MazeDiff, diff_mazes
from procscope.envs.maze.generator import draw_maze
from procscope.envs.maze.structure import Cell, free_neighbours, invariant_violations
from procscope.envs.maze.text import format_maze, maze_from_json, maze_to_json, parse_maze
from procscope.envs.maze.value import (
    N_BACKGROUNDS,
    MazeValue,
    check_mode,
    check_size,
    mode_of_world,
    read_only,
)
from procscope.envs.paths import distance_maps
from procscope.envs.pictures import level_png


@dataclass(frozen=True, eq=False, repr=False)
class MazeLevel(MazeValue):
    """A maze with its mouse, its cheese and its look: the fields are those of `MazeValue`."""

    # -- Make --

    @classmethod
    def from_seed(cls, level_seed: int, mode: str = "easy") -> "MazeLevel":
        """The engine's own level of that seed. Raises ValueError if the seed is not in [0, 2^31 - 1)."""
        return cls.from_seeds([level_seed], mode)[0]

    @classmethod
    def from_seeds(cls, level_seeds: Sequence[int], mode: str = "easy") -> "list[MazeLevel]":
        """The engine's own levels of these seeds, in one call to the engine."""
        check_mode(mode)
        return [cls.from_state(state) for state in levels_from_seeds("maze", level_seeds, mode)]

    @classmethod
    def from_state(cls, state: bytes) -> "MazeLevel":
        """The level that a state of the engine is in, as it stands: cheese and mouse where they are now.

        A state is a fact, so it is taken even when no way leads to its cheese (`is_solvable` tells). Raises
        ValueError where the bytes are no maze state, or hold what no level can (see `read_maze`).
        """
        return cls.trusted(read_maze(state))

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
    def from_file(cls, path: str | Path, *, allow_unsolvable: bool = False) -> "MazeLevel":
        """A level from a `.json` file that `to_file` wrote (see `level_files.py`)."""
        fields = maze_from_json(read_level_file(path, "maze").level)
        return cls(**fields, allow_unsolvable=allow_unsolvable)

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

    def with_wall(self, x: SupportsIndex, y: SupportsIndex, *, allow_unsolvable: bool = False) -> "MazeLevel":
        """This level with a wall at (x, y), where neither mouse nor cheese may be."""
        return self._with_cell(x, y, True, allow_unsolvable)

    def without_wall(
        self, x: SupportsIndex, y: SupportsIndex, *, allow_unsolvable: bool = False
    ) -> "MazeLevel":
        """This level with (x, y) free."""
        return self._with_cell(x, y, False, allow_unsolvable)

    def with_grid(self, walls: Bool[np.ndarray, "y x"], *, allow_unsolvable: bool = False) -> "MazeLevel":
        """This level with other walls, of any allowed size; mouse and cheese stay and must be on free cells."""
        return self._rebuilt(allow_unsolvable, walls=walls)

    def mirrored(self, axis: str = "x") -> "MazeLevel":
        """This level with left and right (`x`) or up and down (`y`) exchanged, mouse and cheese with it."""
        if axis not in ("x", "y"):
            raise ValueError(
                f"axis must be 'x' (left and right change places) or 'y' (up and down); given: {axis!r}"
            )
        last = self.size - 1
        if axis == "x":
            return self._moved(self.walls[:, ::-1], lambda x, y: (last - x, y))
        return self._moved(self.walls[::-1], lambda x, y: (x, last - y))

    def rotated(self, quarter_turns: int = 1) -> "MazeLevel":
        """This level turned clockwise by so many quarters, mouse and cheese with it: what was up is right."""
        level, last = self, self.size - 1
        for _ in range(quarter_turns % 4):
            level = level._moved(level.walls[:, ::-1].T, lambda x, y: (y, last - x))
        return level

    def with_theme(self, theme: str) -> "MazeLevel":
        """This level drawn in another theme."""
        return self._rebuilt(True, theme=theme)

    def with_background(self, background: int | None, offset: float | None = None) -> "MazeLevel":
        """This level before another background (0 to 8, None for black), shifted by `offset` (default: as it was)."""
        offset = self.background_offset if offset is None else offset
        return self._rebuilt(True, background=background, background_offset=offset)

    def with_mode(self, mode: str) -> "MazeLevel":
        """This level to be played in another mode, hence in a world of another size."""
        return self._rebuilt(True, mode=mode)

    # -- Ask --

    @property
    def corner(self) -> Cell:
        """The top-right cell of the maze."""
        return (self.size - 1, self.size - 1)

    def free_cells(self) -> tuple[Cell, ...]:
        """Every free cell as (x, y), the bottom row first."""
        return tuple((int(x), int(y)) for y, x in np.argwhere(~self.walls))

    def dead_ends(self) -> tuple[Cell, ...]:
        """Every free cell with just one free neighbour, the bottom row first."""
        return tuple(
            (int(x), int(y)) for y, x in np.argwhere(~self.walls & (free_neighbours(self.walls) == 1))
        )

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
        distances = np.pad(self.distance_map(target), 1, constant_values=-1)
        x, y = start
        left = int(distances[y + 1, x + 1])
        if left < 0:
            return ()
        path = [start]
        while left > 0:
            left -= 1
            x, y = next(
                (x + dx, y + dy)
                for dx, dy in ((-1, 0), (0, -1), (0, 1), (1, 0))
                if distances[y + dy + 1, x + dx + 1] == left
            )
            path.append((x, y))
        return tuple(path)

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

    def diff(self, other: "MazeLevel") -> MazeDiff:
        """What changes from this level to the other; false when nothing does."""
        return diff_mazes(self, other)

    # -- See, keep, play --

    def __str__(self) -> str:
        return format_maze(self)

    def _repr_png_(self) -> bytes:
        return level_png(self.to_state())

    def to_array(self) -> Int[np.ndarray, "y x"]:
        """The cells as the engine's numbers: 51 wall, 100 free, 2 cheese; the bottom row first."""
        cells = np.where(self.walls, WALL, FREE)
        if self.cheese is not None:
            cells[self.cheese[1], self.cheese[0]] = CHEESE
        return cells

    def to_file(self, path: str | Path) -> None:
        """Write the level to a `.json` file (see `level_files.py`)."""
        write_level_file(path, "maze", maze_to_json(self))

    def to_state(self, template: bytes | None = None) -> bytes:
        """The engine's bytes of this level at its start.

        With a `template`, a live state of the level's mode, all that is not of the level stays as there, the
        generators above all: an env's later levels remain its own. Note that background on or off and the
        theme are options of the engine, which last beyond the level. Raises ValueError if the template is not
        such a state.
        """
        return write_maze(template_state("maze", self.mode) if template is None else template, self)

    # -- Inside --

    def _rebuilt(self, allow_unsolvable: bool, **changes: Any) -> "MazeLevel":
        """With all fields checked."""
        return MazeLevel(**(self.values() | changes), allow_unsolvable=allow_unsolvable)

    def _edited(self, allow_unsolvable: bool, **changes: Any) -> "MazeLevel":
        """With changes that are known to be right."""
        level = MazeLevel.trusted(self.values() | changes)
        if not allow_unsolvable:
            level.require_solvable()
        return level

    def _with_cell(
        self, x: SupportsIndex, y: SupportsIndex, wall: bool, allow_unsolvable: bool
    ) -> "MazeLevel":
        x, y = index(x), index(y)
        if not (0 <= x < self.size and 0 <= y < self.size):
            raise ValueError(f"a wall must be inside the {self.size}x{self.size} maze; ({x}, {y}) is outside")
        if wall and (x, y) in (self.mouse, self.cheese):
            who = "mouse" if (x, y) == self.mouse else "cheese"
            raise ValueError(
                f"the {who} is at ({x}, {y}), so no wall can be there. Move it first: level.with_{who}(…)"
            )
        walls = self.walls.copy()
        walls[y, x] = wall
        return self._edited(allow_unsolvable, walls=read_only(walls))

    def _moved(self, walls: np.ndarray, moved: Callable[[int, int], Cell]) -> "MazeLevel":
        cheese = None if self.cheese is None else moved(*self.cheese)
        return self._edited(True, walls=read_only(walls), mouse=moved(*self.mouse), cheese=cheese)

    def _target(self, target: Cell | None) -> Cell:
        if target is not None:
            return self.free_cell("target", target)
        if self.cheese is None:
            raise ValueError("this maze has no cheese: give the target, an (x, y), to go to")
        return self.cheese
