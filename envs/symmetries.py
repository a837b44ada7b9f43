"""Mirroring and turning a square of walls, and with it every point in it.

When: through `mirrored` and `rotated` of the levels.

Axes: y = cell row, counted upwards; x = cell column, counted to the right. Points are in cells: the middle of cell
(0, 0) is (0.5, 0.5).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from procscope.envs.cells import Cell


class Symmetry(NamedTuple):
    """The walls after a mirroring or a turn, and where it takes the points."""

    walls: Bool[np.ndarray, "y x"]
    point: Callable[[float, float], tuple[float, float]]

    def cell(self, cell: Cell) -> Cell:
        """Where it takes a cell."""
        x, y = self.point(cell[0] + 0.5, cell[1] + 0.5)
        return (int(x), int(y))


def mirroring(walls: Bool[np.ndarray, "y x"], axis: str) -> Symmetry:
    """Left and right exchanged (`x`), or up and down (`y`); ValueError for another axis."""
    size = len(walls)
    if axis == "x":
        return Symmetry(walls[:, ::-1], lambda x, y: (size - x, y))
    if axis == "y":
        return Symmetry(walls[::-1], lambda x, y: (x, size - y))
    raise ValueError(
        f"axis must be 'x' (left and right change places) or 'y' (up and down); given: {axis!r:.80}"
    )


def quarter_turn(walls: Bool[np.ndarray, "y x"]) -> Symmetry:
    """A quarter clockwise: what was up is right."""
    size = len(walls)
    return Symmetry(walls[:, ::-1].T, lambda x, y: (y, size - x))
