"""Levels drawn in ASCII: what the drawings of all games have in common.

When: `from_ascii` and `str(level)`, through `text.py` of each game.

A drawing has the top row first, as one sees it; it may be indented, and blank lines may come before it. A blank line
ends it. Below come notes of what it cannot show, `name: value` with two blanks or more between, as
`mode: easy   level_seed: 7   background: 4 at 0.25   theme: textured`; a line that repeats the legend is passed over.
Errors name line and column, both from 1.

Axes: y = cell row, counted upwards; x = cell column, counted to the right.
"""

import re
import textwrap
from collections.abc import Callable, Collection, Iterator
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool

from procscope.envs.cells import Cell
from procscope.envs.state.look import Look

Fields = dict[str, Any]
"""Fields of a level, by name."""


class Drawing(NamedTuple):
    """The rows of a drawing, and the lines below it."""

    rows: list[str]
    """The top row first; all of one length."""
    lines: list[tuple[int, str]]
    """Number and text of every line below that says something."""
    first_line: int
    """Number of the line of the top row."""
    indent: int

    def place(self, cell: Cell) -> str:
        """Where in the text a cell is drawn."""
        x, y = cell
        return f"line {self.first_line + len(self.rows) - 1 - y}, column {self.indent + x + 1}"

    def marks(self) -> Iterator[tuple[Cell, str]]:
        """Every cell and its character, row by row from the top."""
        for number, row in enumerate(self.rows):
            for x, character in enumerate(row):
                yield (x, len(self.rows) - 1 - number), character

    def only(self, what: str, characters: str) -> Cell | None:
        """The cell of what is drawn with any of these characters, None if nothing is; ValueError for two of them."""
        cells = [cell for cell, character in self.marks() if character in characters]
        if len(cells) > 1:
            raise ValueError(
                f"{self.place(cells[1])}: a second {what}; the first is in {self.place(cells[0])}. Keep one"
            )
        return cells[0] if cells else None

    def walls(self, character: str = "#") -> Bool[np.ndarray, "y x"]:
        """True where that character stands."""
        return walls_from_rows(self.rows, character)


def read_drawing(text: str, what: str, legend: str, characters: Collection[str]) -> Drawing:
    """The drawing in a text.

    Raises ValueError for a text without one, a character that is not one of the given, and a line longer or shorter
    than the first.
    """
    if not isinstance(text, str):
        raise ValueError(f"expected a drawing of {what} as text ({legend}); given: {text!r:.80}")
    lines = text.expandtabs().splitlines()
    first = next((number for number, line in enumerate(lines) if line.strip()), None)
    if first is None:
        raise ValueError(f"expected a drawing of {what} ({legend}); the text is empty")
    end = next((number for number in range(first, len(lines)) if not lines[number].strip()), len(lines))
    indent = len(lines[first]) - len(textwrap.dedent("\n".join(lines[first:end])).splitlines()[0])
    rows = [line.rstrip()[indent:] for line in lines[first:end]]
    for number, row in enumerate(rows, first + 1):
        wrong = next((column for column, character in enumerate(row) if character not in characters), None)
        if wrong is not None:
            raise ValueError(
                f"line {number}, column {indent + wrong + 1}: {row[wrong]!r} is no part of {what}. Legend: {legend}"
            )
        if len(row) != len(rows[0]):
            raise ValueError(
                f"line {number}, column {indent + min(len(row), len(rows[0])) + 1}: the line has {len(row)} cells "
                f"and the first has {len(rows[0])}; all must be equally long"
            )
    below = [(number, line.strip()) for number, line in enumerate(lines[end:], end + 1)]
    return Drawing(
        rows, [(number, line) for number, line in below if line not in ("", legend)], first + 1, indent
    )


def read_notes(number: int, line: str, read_note: Callable[[str, str], Fields], example: str) -> Fields:
    """The fields that a line of notes says; `read_note` turns the name and the value of one into them.

    Raises ValueError with the place of a note for which `read_note` does, and with the example.
    """
    found: Fields = {}
    for note in re.split(r"\s{2,}", line):
        name, colon, value = (part.strip() for part in note.partition(":"))
        try:
            if not colon:
                raise ValueError("a note is a name, a colon and a value")
            found |= read_note(name, value)
        except (ValueError, OverflowError) as problem:
            raise ValueError(
                f"line {number}, column {line.index(note) + 1}: {note!r:.80} is not understood: {problem}. After the "
                f"drawing come notes like: {example}"
            ) from None
    return found


LOOK_EXAMPLE = "mode: easy   level_seed: 7   background: 4 at 0.25   theme: textured"


def look_notes(level: Look) -> str:
    """The notes of what the levels of all games have, as `read_look_note` reads them."""
    background = "none"
    if level.background is not None:
        background = f"{level.background} at {np.float32(level.background_offset)!s}"
    seed = "none" if level.level_seed is None else level.level_seed
    return f"mode: {level.mode}   level_seed: {seed}   background: {background}   theme: {level.theme}"


def read_look_note(name: str, value: str) -> Fields:
    """The fields that such a note says; ValueError for another one."""
    if name in ("mode", "theme"):
        return {name: value}
    if name == "level_seed":
        return {name: None if value == "none" else int(value)}
    if name == "background":
        number, _, offset = value.partition(" at ")
        shift = {"background_offset": float(offset)} if offset else {}
        return {name: None if value == "none" else int(number)} | shift
    raise ValueError("there is no such note")


def walls_to_rows(walls: Bool[np.ndarray, "y x"]) -> list[str]:
    """One string of `#` and `.` per row of cells, the top row first."""
    return ["".join(row) for row in np.where(walls, "#", ".")[::-1]]


def walls_from_rows(rows: list[str], character: str = "#") -> Bool[np.ndarray, "y x"]:
    """Walls from rows of equal length, the top row first; True where the character stands."""
    return np.array([[each == character for each in row] for row in reversed(rows)], dtype=bool)
