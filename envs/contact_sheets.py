"""Contact sheets: the pictures of many levels in one, to look at what a variant or a pack holds.

When: `procscope level random` and `level show --grid`; `contact_sheet(states)` in a notebook.
How: the engine draws each state at 512 x 512 pixels, which is made smaller by taking means of squares of pixels.
Cost: about 1 ms a state.

Axes: `row col rgb` from the top left; states go from left to right, then down.
"""

from collections.abc import Sequence
from math import ceil, sqrt
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from procscope.envs.frames import LARGE_FRAME_SIZE
from procscope.envs.pictures import level_pictures, png_bytes
from procscope.workbench.atomic import write_bytes_atomically

SIDES = tuple(LARGE_FRAME_SIZE // factor for factor in (2, 4, 8, 16))
"""Sides that pictures are made smaller to, in pixels: parts of the engine's 512."""

GAP = 4
"""Pixels of white between two pictures."""


def contact_sheet(
    states: Sequence[bytes], columns: int | None = None, side: int = 128
) -> UInt8[np.ndarray, "row col 3"]:
    """The pictures of the states of one game, `side` pixels wide each, in so many columns (default: a square).

    Raises ValueError for no states, a number of columns below 1, or a side that is not one of `SIDES`.
    """
    if not states:
        raise ValueError("expected at least one level to draw; given: none")
    if side not in SIDES:
        raise ValueError(
            f"a picture's side must be one of {', '.join(map(str, SIDES))} pixels; given: {side}"
        )
    columns = ceil(sqrt(len(states))) if columns is None else columns
    if columns < 1:
        raise ValueError(f"expected at least one column; given: {columns}")
    columns = min(columns, len(states))
    rows, step = -(-len(states) // columns), side + GAP
    sheet = np.full((rows * step - GAP, columns * step - GAP, 3), 255, np.uint8)
    factor = LARGE_FRAME_SIZE // side
    for number, state in enumerate(states):
        large = level_pictures([state])[0]
        small = large.reshape(side, factor, side, factor, 3).mean(axis=(1, 3)).round().astype(np.uint8)
        row, column = divmod(number, columns)
        sheet[row * step : row * step + side, column * step : column * step + side] = small
    return sheet


def write_contact_sheet(
    path: str | Path, states: Sequence[bytes], columns: int | None = None, side: int = 128
) -> None:
    """Write a contact sheet to a PNG file, making its folder if need be; ValueError as `contact_sheet`."""
    path = Path(path)
    if path.suffix != ".png":
        raise ValueError(f"a contact sheet is written to a .png file; given: {path}")
    sheet = contact_sheet(states, columns, side)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes_atomically(path, png_bytes(sheet))
