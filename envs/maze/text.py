"""A maze level as text: ASCII art for people, JSON values for files; both ways, without loss.

When: `str(level)`, `MazeLevel.from_ascii`, `to_file` and `from_file`.

The ASCII drawing has the top row first, as one sees it, then a blank line, a legend and the notes that a
drawing cannot hold:

    ....C
    .###.
    .#...
    .#.##
    M#...

    # wall   . free   M mouse   C cheese   X mouse on the cheese
    mode: easy   level_seed: 7   background: 4 at 0.25   theme: textured

Axes: y = cell row, counted upwards; x = cell column, counted to the right.
"""

from typing import Any

import numpy as np

from procscope.envs.drawings import (
    LOOK_EXAMPLE,
    Drawing,
    look_notes,
    read_drawing,
    read_look_note,
    read_notes,
    walls_from_rows,
    walls_to_rows,
)
from procscope.envs.level_json import check_values, checked_cell, checked_rows
from procscope.envs.maze.value import MazeValue

LEGEND = "# wall   . free   M mouse   C cheese   X mouse on the cheese"


def format_maze(level: MazeValue) -> str:
    """The drawing, the legend and the notes, as `parse_maze` reads them."""
    drawing = np.where(level.walls, "#", ".")
    if level.cheese is not None:
        drawing[level.cheese[1], level.cheese[0]] = "C"
    drawing[level.mouse[1], level.mouse[0]] = "X" if level.mouse == level.cheese else "M"
    return "\n".join(["".join(row) for row in drawing[::-1]] + ["", LEGEND, look_notes(level)])


def parse_maze(text: str) -> dict[str, Any]:
    """The fields of a level, by name, that the text says; what it does not say is left out.

    Raises ValueError, naming line and column, for what `read_drawing` and `read_notes` refuse, a second mouse or
    cheese, and a drawing that is not square or not of odd size.
    """
    drawing = read_drawing(text, "a maze", LEGEND, "#.MCX")
    _require_odd_square(drawing)
    cheese, mouse = drawing.only("cheese", "CX"), drawing.only("mouse", "MX")
    found: dict[str, Any] = {"walls": drawing.walls(), "cheese": cheese}
    if mouse is not None:
        found["mouse"] = mouse
    for number, line in drawing.lines:
        found |= read_notes(number, line, read_look_note, LOOK_EXAMPLE)
    return found


def _require_odd_square(drawing: Drawing) -> None:
    height, width = len(drawing.rows), len(drawing.rows[0])
    if height != width or width % 2 == 0:
        raise ValueError(
            f"{drawing.place((width - 1, 0))}: the drawing ends after {height} lines of {width} cells; a maze is "
            "square, of odd size"
        )


def maze_to_json(level: MazeValue) -> dict[str, Any]:
    """The fields of the level as JSON values."""
    cheese = None if level.cheese is None else list(level.cheese)
    rows = walls_to_rows(level.walls)
    return level.values() | {"walls": rows, "cheese": cheese, "mouse": list(level.mouse)}


def maze_from_json(values: dict[str, Any]) -> dict[str, Any]:
    """The fields of a level from the JSON values of `maze_to_json`; ValueError where they are not of that form."""
    check_values(values, MazeValue.field_names(), {"walls": list, "mouse": list, "cheese": list | None})
    cheese = values["cheese"]
    return values | {
        "walls": walls_from_rows(checked_rows("walls", values["walls"], "#.")),
        "mouse": checked_cell("mouse", values["mouse"]),
        "cheese": None if cheese is None else checked_cell("cheese", cheese),
    }
