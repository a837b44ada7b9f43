"""Minimal pairs of mazes as pictures, with what channels sum to beneath each: the channel-121 study's first figure.

When to use: to see at one glance what a direction channel does. The mazes are cut out of the engine's large
pictures; the numbers are a table below, each row shaded from its own lowest to its own highest.
Cost: a millisecond a picture.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from procscope.envs.maze import MazeLevel
from procscope.envs.pictures import level_pictures
from procscope.workbench.figures import COLOURS, SEQUENTIAL, styled, subplots

_SIDE_INCHES = 1.12
_ROW_INCHES = 0.27


class NumberRow(NamedTuple):
    """Numbers beneath the mazes: one for each."""

    label: str
    numbers: Sequence[float]


def maze_pictures(levels: Sequence[MazeLevel], pixels: int = 160) -> list[UInt8[np.ndarray, "row col 3"]]:
    """Each maze without the wall round it, some `pixels` wide, as the engine draws it for people."""
    pictures = level_pictures([level.to_state() for level in levels])
    cut = []
    for level, picture in zip(levels, pictures, strict=True):
        start, stop = (
            round(edge * len(picture) / level.world) for edge in (level.margin, level.margin + level.size)
        )
        inner = picture[start:stop, start:stop]
        step = max(1, len(inner) // pixels)
        cut.append(inner[::step, ::step])
    return cut


@styled()
def plot_pairs(
    pairs: Sequence[tuple[MazeLevel, MazeLevel]],
    titles: Sequence[tuple[str, str]],
    rows: Sequence[NumberRow],
) -> Figure:
    """The pairs side by side, each maze with its title above and a column of numbers beneath.

    Raises ValueError: a row without one number for each maze.
    """
    levels = [level for pair in pairs for level in pair]
    names = [title for pair in titles for title in pair]
    if len(names) != len(levels) or any(len(row.numbers) != len(levels) for row in rows):
        raise ValueError(
            f"expected a title and a number in each row for each of {len(levels)} mazes, given {len(names)} "
            f"titles and rows of {[len(row.numbers) for row in rows]}"
        )
    label_inches = 0.085 * max((len(row.label) for row in rows), default=0) + 0.2
    width = label_inches + _SIDE_INCHES * len(levels)
    height = _SIDE_INCHES + 0.3 + _ROW_INCHES * len(rows)
    figure, axes = subplots(width_inches=width, height_inches=height)
    axes.set(
        xlim=(-label_inches / _SIDE_INCHES, len(levels)), ylim=(-_ROW_INCHES * len(rows), _SIDE_INCHES + 0.25)
    )
    axes.set_axis_off()
    for column, (picture, name) in enumerate(zip(maze_pictures(levels), names, strict=True)):
        left = column + (0.02 if column % 2 == 0 else 0.0)
        axes.imshow(
            picture, extent=(left + 0.03, left + 0.95, 0.06, _SIDE_INCHES - 0.02), aspect="auto", zorder=2
        )
        axes.text(column + 0.5, _SIDE_INCHES + 0.05, name, ha="center", fontsize=9, fontweight="bold")
    for number, row in enumerate(rows):
        _draw_row(axes, row, -_ROW_INCHES * (number + 1))
    for pair in range(1, len(pairs)):
        axes.plot([2 * pair] * 2, axes.get_ylim(), color=COLOURS["grey"], linewidth=0.8)
    return figure


def _draw_row(axes, row: NumberRow, bottom: float) -> None:
    from matplotlib import colormaps

    low, high = min(row.numbers), max(row.numbers)
    axes.text(-0.08, bottom + _ROW_INCHES / 2, row.label, ha="right", va="center", fontsize=9)
    for column, number in enumerate(row.numbers):
        shade = (number - low) / (high - low) if high > low else 0.0
        axes.add_patch(
            Rectangle(
                (column + 0.04, bottom + 0.015),
                0.92,
                _ROW_INCHES - 0.03,
                color=colormaps[SEQUENTIAL](0.12 + 0.88 * shade),
                linewidth=0,
            )
        )
        ink = "white" if shade < 0.6 else COLOURS["black"]
        axes.text(
            column + 0.5, bottom + _ROW_INCHES / 2, f"{number:.1f}", ha="center", va="center", color=ink
        )
