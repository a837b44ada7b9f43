"""Contact sheets: the pictures of many levels in one, to look at what a variant or a pack holds.

When: `procscope level random` and `level show --grid`; `contact_sheet(states)` in a notebook; `write_rows` to set
several kinds of levels or scenes one below the other, each row with its name, as in `docs/`.
How: for a sheet, the engine draws each state at 512 x 512 pixels, which is made smaller by taking means of squares of
pixels; rows take pictures as they are given.
Cost: about 1 ms a state.

Axes: `row col rgb` from the top left; states go from left to right, then down.
"""

import io
from collections.abc import Collection, Mapping, Sequence
from math import ceil, sqrt
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from procscope.envs.frames import LARGE_FRAME_SIZE
from procscope.envs.pictures import level_pictures, png_bytes
from procscope.workbench.atomic import write_bytes_atomically

SIDES = tuple(LARGE_FRAME_SIZE // factor for factor in (2, 4, 8, 16))
"""Sides that pictures are made smaller to, in pixels: parts of the engine's 512."""

MAX_PICTURES = 2500
"""Pictures in a sheet: 50 by 50 of them, at the usual side, take 130 MB."""

GAP = 4
"""Pixels of white between two pictures of a sheet."""
ROW_GAP = 2
"""The same in rows."""
_COLOURS = 200
"""In the palette of rows: a fourth of the bytes, and no colour off by more than a tenth of the range."""


def contact_sheet(
    states: Sequence[bytes], columns: int | None = None, side: int = 128
) -> UInt8[np.ndarray, "row col 3"]:
    """The pictures of the states of one game, `side` pixels wide each, in so many columns (default: a square).

    Raises ValueError for no states or more than `MAX_PICTURES`, a number of columns below 1, or a side that is not one
    of `SIDES`.
    """
    if not states:
        raise ValueError("expected at least one level to draw; given: none")
    if len(states) > MAX_PICTURES:
        raise ValueError(
            f"a sheet shows at most {MAX_PICTURES} levels; given: {len(states)}. Draw them in several sheets"
        )
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


def write_rows(path: str | Path, rows: Mapping[str, Collection[UInt8[np.ndarray, "row col 3"]]]) -> None:
    """Write rows of pictures, each with its name on the left, to a PNG file of few colours, making its folder.

    Raises ValueError for another ending, no rows, and pictures that are not all of one size.
    """
    path = Path(path)
    if path.suffix != ".png":
        raise ValueError(f"rows of pictures are written to a .png file; given: {path}")
    sizes = {picture.shape for pictures in rows.values() for picture in pictures}
    if len(sizes) != 1:
        raise ValueError(f"expected at least one picture, all of one size; given: {sorted(sizes) or 'none'}")
    height, width, _ = sizes.pop()
    draw = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    left = ceil(max(draw.textlength(name) for name in rows)) + 4 * ROW_GAP
    columns = max(len(pictures) for pictures in rows.values())
    size = (left + columns * (width + ROW_GAP), len(rows) * (height + ROW_GAP))
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for row, (name, pictures) in enumerate(rows.items()):
        top = row * (height + ROW_GAP)
        draw.text((2 * ROW_GAP, top + height // 2), name, fill="black", anchor="lm")
        for column, picture in enumerate(pictures):
            sheet.paste(Image.fromarray(picture), (left + column * (width + ROW_GAP), top))
    buffer = io.BytesIO()
    # By coverage, not by how common a colour is: a key has few pixels, and must keep its own.
    few = sheet.quantize(_COLOURS, method=Image.Quantize.MAXCOVERAGE, kmeans=2)
    few.save(buffer, format="PNG", optimize=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes_atomically(path, buffer.getvalue())
