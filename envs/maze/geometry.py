"""Where the cells of a maze lie in pictures and in feature maps, and back: the one place where anything is flipped.

What: people and data count cells from the bottom left, y upwards; pictures and maps count rows from the top.
A `MazeGeometry` maps maze cells to world cells, to positions of a picture of any size, and to positions of
any feature map, such as the 8 x 8 of `conv_out`; all ways back too. One object serves one maze, or a batch of
frames of different mazes.
When: to draw a map over a level, to read a map at the mouse's cell, to ask what a position of a map looks at.
Source: the engine's drawing, which tests compare with, at 64 and at 512 pixels in every mode.

A map is square and has `positions` rows. Position i looks at the share of the picture from i to i + 1 in
units of picture / positions, so that pixels and maps are one thing; `center` says where in its unit the
middle of what it looks at lies, 0.5 by default. A convolutional network need not be centred so: in IMPALA,
whose pools take 3 pixels at stride 2 with 1 pixel of padding, position i of the 8 x 8 map has its receptive
field centred on pixel 8 i, which is `center=1/16`.

Axes: `xy` a cell (x to the right, y upwards), `rowcol` a position (row from the top, column from the left),
`edges` top, left, bottom, right. Continuous positions count in positions of the map: row 0.0 is the upper
edge of the first row.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from procscope.envs.maze.value import MazeValue

MIDDLE = 0.5
IMPALA_CENTER = 1 / 16
"""`center` of the 8 x 8 maps of IMPALA: its three pools shift what a position looks at to the upper left."""

_EDGE = 1e-9
_MEMORY_SPAN = 8
"""Cells that the engine shows in memory mode, round the mouse."""


@dataclass(frozen=True, eq=False)
class MazeGeometry:
    """Where the cells of one maze, or of a batch of frames, lie in the picture. Made by `of_…`."""

    margin: Int[np.ndarray, "*frame"]
    """Cells of wall between the world's edge and the maze."""
    left: Float[np.ndarray, "*frame"]
    """x of the picture's left edge, in maze cells: negative where the wall round the maze is in view."""
    bottom: Float[np.ndarray, "*frame"]
    """y of the picture's lower edge, in maze cells."""
    span: int
    """Width and height of the picture in cells."""

    @classmethod
    def of_level(cls, level: MazeValue) -> "MazeGeometry":
        """Of one level as the engine draws it: the whole world, in memory mode the 8 cells round the mouse."""
        return cls.of_frames(
            level.size, level.world, np.array(level.mouse) if level.mode == "memory" else None
        )

    @classmethod
    def of_frames(
        cls,
        sizes: int | Int[np.ndarray, "*frame"],
        world: int,
        centered_on: Int[np.ndarray, "*frame xy"] | None = None,
    ) -> "MazeGeometry":
        """Of frames of mazes of these sizes (the label `maze_size`) in a world of so many cells.

        `centered_on` are the mice's cells where the engine centres the view on them (memory mode).
        """
        sizes = np.asarray(sizes)
        if (sizes > world).any() or (sizes % 2 == 0).any() or (sizes < 1).any():
            raise ValueError(
                f"sizes of mazes must be odd and at most the world's {world}; given: {np.unique(sizes)}"
            )
        margin = np.asarray((world - sizes) // 2)
        edge = np.asarray(-margin.astype(float))
        if centered_on is None:
            return cls(margin, edge, edge, world)
        corner = np.asarray(centered_on) + 0.5 - _MEMORY_SPAN / 2
        return cls(margin, np.asarray(corner[..., 0]), np.asarray(corner[..., 1]), _MEMORY_SPAN)

    def maze_to_world(self, cells: Int[np.ndarray, "*cell xy"]) -> Int[np.ndarray, "*cell xy"]:
        """Cells counted from the maze's corner, as the engine counts them: from the world's."""
        return np.asarray(cells) + _fit(self.margin, cells)[..., None]

    def world_to_maze(self, cells: Int[np.ndarray, "*cell xy"]) -> Int[np.ndarray, "*cell xy"]:
        """Cells counted from the world's corner, counted from the maze's: negative in the wall round it."""
        return np.asarray(cells) - _fit(self.margin, cells)[..., None]

    def cell_centers(
        self, cells: Int[np.ndarray, "*cell xy"], positions: int, center: float = MIDDLE
    ) -> Float[np.ndarray, "*cell rowcol"]:
        """Where the middles of cells lie in a map, as continuous positions.

        The cells' leading axes are the geometry's, then any others; the same holds below.
        """
        return self._to_map(np.asarray(cells) + 0.5, positions, center)

    def cell_edges(
        self, cells: Int[np.ndarray, "*cell xy"], positions: int, center: float = MIDDLE
    ) -> Float[np.ndarray, "*cell edges"]:
        """The (top, left, bottom, right) of cells in a map, as continuous positions."""
        cells = np.asarray(cells)
        upper_left = self._to_map(cells + np.array([0.0, 1.0]), positions, center)
        lower_right = self._to_map(cells + np.array([1.0, 0.0]), positions, center)
        return np.concatenate([upper_left, lower_right], axis=-1)

    def cell_to_position(
        self, cells: Int[np.ndarray, "*cell xy"], positions: int, center: float = MIDDLE
    ) -> Int[np.ndarray, "*cell rowcol"]:
        """The position of a map that looks at the middle of each cell: the one whose middle is nearest to it.

        Below 0 or from `positions` on where the cell is out of view.
        """
        return np.floor(self.cell_centers(cells, positions, center)).astype(np.int64)

    def position_to_cell(
        self, rowcol: Int[np.ndarray, "*position rowcol"], positions: int, center: float = MIDDLE
    ) -> Int[np.ndarray, "*position xy"]:
        """The cell under the middle of what each position looks at; outside of the maze where there is none."""
        unit = self.span / positions
        middle = np.asarray(rowcol) + center
        x = _fit(self.left, middle) + middle[..., 1] * unit
        y = _fit(self.bottom, middle) + self.span - middle[..., 0] * unit
        # A middle on the very edge between two cells belongs to the right and the lower one, whatever rounding says.
        cells = np.stack([np.floor(x + _EDGE), np.ceil(y - _EDGE) - 1], axis=-1)
        return cells.astype(np.int64)

    def cells_of_map(self, positions: int, center: float = MIDDLE) -> Int[np.ndarray, "row col xy"]:
        """`position_to_cell` of every position of a map; of one maze only."""
        self._require_single()
        rows, columns = np.indices((positions, positions))
        return self.position_to_cell(np.stack([rows, columns], axis=-1), positions, center)

    def overlaps(self, size: int, positions: int, center: float = MIDDLE) -> Float[np.ndarray, "row col y x"]:
        """The share of each position's area that each cell of the maze, `size` wide, fills; of one maze only.

        `einsum("rcyx,rc->yx", overlaps, map)` carries a map's mass over to cells; the sum over y and x is
        below 1 where a position looks at the wall round the maze.
        """
        self._require_single()
        cells = np.stack([np.arange(size)] * 2, axis=-1)
        top, left, bottom, right = self.cell_edges(cells, positions, center).T
        index = np.arange(positions)[:, None]
        rows = np.clip(np.minimum(index + 1, bottom) - np.maximum(index, top), 0, 1)
        columns = np.clip(np.minimum(index + 1, right) - np.maximum(index, left), 0, 1)
        return np.einsum("ry,cx->rcyx", rows, columns)

    def _to_map(self, points: np.ndarray, positions: int, center: float) -> np.ndarray:
        """Points (x, y) in maze cells as continuous (row, column) of a map."""
        per_cell, shift = positions / self.span, MIDDLE - center
        row = (_fit(self.bottom, points) + self.span - points[..., 1]) * per_cell + shift
        column = (points[..., 0] - _fit(self.left, points)) * per_cell + shift
        return np.stack([row, column], axis=-1)

    def _require_single(self) -> None:
        if self.margin.ndim:
            raise ValueError(f"expected the geometry of one maze; this one is of {self.margin.shape} frames")


def _fit(per_frame: np.ndarray, points: np.ndarray) -> np.ndarray:
    """One value per frame, shaped so that it goes with points whose leading axes are the frames."""
    return per_frame.reshape(per_frame.shape + (1,) * (np.ndim(points) - 1 - per_frame.ndim))
