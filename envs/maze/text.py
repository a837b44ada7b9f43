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

import re
import textwrap
from typing import Any

import numpy as np
from jaxtyping import Bool

from procscope.envs.maze.structure import Cell
from procscope.envs.maze.value import FIELDS, MazeValue

LEGEND = "# wall   . free   M mouse   C cheese   X mouse on the cheese"
_CHARACTERS = "#.MCX"
_NOTES = ("mode", "level_seed", "background", "theme")


def format_maze(level: MazeValue) -> str:
    """The drawing, the legend and the notes, as `parse_maze` reads them."""
    drawing = np.where(level.walls, "#", ".")
    if level.cheese is not None:
        drawing[level.cheese[1], level.cheese[0]] = "C"
    drawing[level.mouse[1], level.mouse[0]] = "X" if level.mouse == level.cheese else "M"
    background = "none"
    if level.background is not None:
        background = f"{level.background} at {np.float32(level.background_offset)!s}"
    seed = "none" if level.level_seed is None else level.level_seed
    notes = f"mode: {level.mode}   level_seed: {seed}   background: {background}   theme: {level.theme}"
    return "\n".join(["".join(row) for row in drawing[::-1]] + ["", LEGEND, notes])


def parse_maze(text: str) -> dict[str, Any]:
    """The fields of a level, by name, that the text says; what it does not say is left out.

    The drawing may be indented, and blank lines may come before it. Raises ValueError naming line and column
    (both from 1) of a character that is not in the legend, a line longer or shorter than the first, a second
    mouse or cheese, a drawing that is not square, a note that is not known.
    """
    lines = text.expandtabs().splitlines()
    first = next((number for number, line in enumerate(lines) if line.strip()), None)
    if first is None:
        raise ValueError(f"expected a drawing of a maze ({LEGEND}); the text is empty")
    end = next((number for number in range(first, len(lines)) if not lines[number].strip()), len(lines))
    indent = len(lines[first]) - len(textwrap.dedent("\n".join(lines[first:end])).splitlines()[0])
    rows = [line.rstrip()[indent:] for line in lines[first:end]]
    marks: dict[str, Cell] = {}
    for number, row in enumerate(rows):
        for column, character in enumerate(row):
            where = f"line {first + number + 1}, column {indent + column + 1}"
            if character not in _CHARACTERS:
                raise ValueError(f"{where}: {character!r} is no part of a maze. Legend: {LEGEND}")
            for what in {"M": ("mouse",), "C": ("cheese",), "X": ("mouse", "cheese")}.get(character, ()):
                if what in marks:
                    x, y = marks[what]
                    before = f"line {first + len(rows) - y}, column {indent + x + 1}"
                    raise ValueError(f"{where}: a second {what}; the first is in {before}. Keep one")
                marks[what] = (column, len(rows) - 1 - number)
        if len(row) != len(rows[0]):
            raise ValueError(
                f"line {first + number + 1}, column {indent + min(len(row), len(rows[0])) + 1}: the line has "
                f"{len(row)} cells and the first has {len(rows[0])}; all must be equally long"
            )
    size = len(rows[0])
    if len(rows) != size or size % 2 == 0:
        raise ValueError(
            f"line {first + len(rows)}, column {indent + size}: the drawing ends after {len(rows)} lines of "
            f"{size} cells; a maze is square, of odd size"
        )
    found: dict[str, Any] = {"walls": walls_from_rows(rows), "cheese": marks.get("cheese")}
    if "mouse" in marks:
        found["mouse"] = marks["mouse"]
    for number, line in enumerate(lines[end:], end + 1):
        if line.strip() and line.strip() != LEGEND:
            found |= _parse_notes(line.strip(), number)
    return found


def _parse_notes(line: str, number: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for note in re.split(r"\s{2,}", line):
        name, colon, value = (part.strip() for part in note.partition(":"))
        try:
            if not colon or name not in _NOTES:
                raise ValueError
            if name == "level_seed":
                found[name] = None if value == "none" else int(value)
            elif name == "background":
                index_text, _, offset = value.partition(" at ")
                found[name] = None if value == "none" else int(index_text)
                if offset:
                    found["background_offset"] = float(offset)
            else:
                found[name] = value
        except ValueError:
            raise ValueError(
                f"line {number}, column {line.index(note) + 1}: {note!r} is not understood. After the "
                "drawing come notes like: mode: easy   level_seed: 7   background: 4 at 0.25   theme: textured"
            ) from None
    return found


def walls_to_rows(walls: Bool[np.ndarray, "y x"]) -> list[str]:
    """One string of `#` and `.` per row of cells, the top row first."""
    return ["".join(row) for row in np.where(walls, "#", ".")[::-1]]


def walls_from_rows(rows: list[str]) -> Bool[np.ndarray, "y x"]:
    """Walls from rows of equal length, the top row first; True where there is a `#`."""
    return np.array([[character == "#" for character in row] for row in reversed(rows)], dtype=bool)


def maze_to_json(level: MazeValue) -> dict[str, Any]:
    """The fields of the level as JSON values."""
    cheese = None if level.cheese is None else list(level.cheese)
    rows = walls_to_rows(level.walls)
    return level.values() | {"walls": rows, "cheese": cheese, "mouse": list(level.mouse)}


def maze_from_json(values: dict[str, Any]) -> dict[str, Any]:
    """The fields of a level from the JSON values of `maze_to_json`; ValueError where they are not of that form."""
    if set(values) != set(FIELDS):
        raise ValueError(f"expected the fields {', '.join(FIELDS)}; given: {', '.join(sorted(values))}")
    kinds = {
        "mode": str,
        "level_seed": int | None,
        "background": int | None,
        "background_offset": float | int,
    }
    for name, kind in (kinds | {"walls": list, "mouse": list, "cheese": list | None, "theme": str}).items():
        if not isinstance(values[name], kind) or isinstance(values[name], bool):
            raise ValueError(
                f"expected {name} to be {getattr(kind, '__name__', kind)}; given: {values[name]!r}"
            )
    rows = values["walls"]
    if not rows or any(
        not isinstance(row, str) or len(row) != len(rows[0]) or set(row) - {"#", "."} for row in rows
    ):
        raise ValueError(
            f"expected walls to be rows of # and . of equal length, the top row first; given: {rows}"
        )
    return values | {
        "walls": walls_from_rows(rows),
        "mouse": _cell_from_json("mouse", values["mouse"]),
        "cheese": None if values["cheese"] is None else _cell_from_json("cheese", values["cheese"]),
        "background_offset": float(values["background_offset"]),
    }


def _cell_from_json(name: str, value: list[Any]) -> Cell:
    if len(value) != 2 or not all(type(place) is int for place in value):
        raise ValueError(f"expected {name} to be a cell [x, y] in whole numbers; given: {value}")
    return (value[0], value[1])
