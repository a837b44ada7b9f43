"""A CoinRun level as text: ASCII art for people, JSON values for files; both ways, without loss.

When: `str(level)`, `CoinRunLevel.from_ascii`, `to_file` and `from_file`.

The drawing has the top row first, as one sees it. Rows that repeat the one below, up to the world's top wall, and
columns that repeat the one to their left are left out. Below come a legend, notes, and a line for each entity that the
drawing does not fully tell: its kind, the centre of its box, and the fields that are not as the engine makes them.

    ................#
    ...............o#
    .A...S....======#
    ==========######

    = wall top   # wall   . open   | barrier   ~ lava top   % lava   o coin   A agent   S saw   E enemy   C crate
    mode: easy   level_seed: 7   background: 0 at 0.25   theme: textured   wall_theme: 0
    enemy 20.35 4.5 vx -0.15 image_theme 3

In a drawing made by hand no line is needed: a mark is the thing itself, in the middle of its cell (the agent standing
on its bottom). Where there are lines, they count; a mark that no line is about is one thing more.

Axes: y = cell row, counted upwards; x = cell column, counted to the right.
"""

import re
import textwrap
from functools import cache
from typing import Any

import numpy as np

from procscope.envs.coinrun.entities import (
    AGENT_HALF_HEIGHT,
    CRATE,
    ENEMY,
    ENEMY_SPEED,
    SAW,
    agent,
    entity,
    joined,
    kind_of,
)
from procscope.envs.coinrun.value import (
    BARRIER,
    COIN,
    FIELDS,
    LAVA,
    LAVA_TOP,
    OPEN,
    START,
    WALL,
    WALL_TOP,
    WORLD_CELLS,
    CoinRunValue,
    Memory,
)
from procscope.envs.state.layout import ENTITY_DTYPE, EntityRecords

LEGEND = (
    "= wall top   # wall   . open   | barrier   ~ lava top   % lava   o coin   "
    "A agent   S saw   E enemy   C crate"
)
_CELLS = {"=": WALL_TOP, "#": WALL, ".": OPEN, "|": BARRIER, "~": LAVA_TOP, "%": LAVA, "o": COIN}
_MARKS = {"A": "agent", "S": "saw", "E": "enemy", "C": "crate"}
_CHARACTER_OF_CELL = {number: character for character, number in _CELLS.items()}
_CHARACTER_OF_TYPE = {0: "A", SAW: "S", ENEMY: "E", CRATE: "C"}
_NOTES = ("mode", "level_seed", "background", "theme", "wall_theme", *Memory._fields)
_KINDS = ("agent", "saw", "enemy", "crate", "trail", "decoration")
_NAMES = ENTITY_DTYPE.names or ()


def format_coinrun(level: CoinRunValue) -> str:
    """The drawing, the legend, the notes and the entities, as `parse_coinrun` reads them."""
    marked = level.cells.astype(object)
    for cell, character in _CHARACTER_OF_CELL.items():
        marked[level.cells == cell] = character
    drawn = []
    for record in level.entities:
        x, y, character = int(record["x"]), int(record["y"]), _CHARACTER_OF_TYPE.get(int(record["type"]))
        inside = 0 <= x < WORLD_CELLS and 0 <= y < WORLD_CELLS
        if character is not None and inside and marked[y, x] == ".":
            marked[y, x] = character
            drawn.append((x, y, character))
    rows = _trimmed(marked)
    lines = ["".join(row) for row in rows[::-1]]
    seed = "none" if level.level_seed is None else level.level_seed
    background = "none"
    if level.background is not None:
        background = f"{level.background} at {np.float32(level.background_offset)!s}"
    notes = (
        f"mode: {level.mode}   level_seed: {seed}   background: {background}   theme: {level.theme}   "
        f"wall_theme: {level.wall_theme}"
    )
    lines += ["", LEGEND, notes]
    memory = level.memory
    assert memory is not None
    if memory != Memory(level.agent_xy[1]):
        flags = "   ".join(
            f"{name}: {'yes' if flag else 'no'}"
            for name, flag in zip(Memory._fields[1:], memory[1:], strict=True)
        )
        lines.append(f"last_agent_y: {np.float32(memory.last_agent_y)!s}   {flags}")
    implied = _entities_of_marks(sorted(drawn, key=_reading_order))
    if implied.tobytes() != level.entities.tobytes():
        lines += [_entity_line(record) for record in level.entities]
    return "\n".join(lines)


def parse_coinrun(text: str) -> dict[str, Any]:
    """The fields of a level, by name, that the text says; what it does not say is left out.

    The drawing may be indented, and blank lines may come before it. It stands in the world's bottom-left corner; to the
    right its last column is repeated, above it the topmost row, below the world's top wall. Raises ValueError naming
    line and column (both from 1) of a character that is not in the legend, a line of another length than the first, a
    second agent, a drawing larger than the world, a note that is not known.
    """
    lines = text.expandtabs().splitlines()
    first = next((number for number, line in enumerate(lines) if line.strip()), None)
    if first is None:
        raise ValueError(f"expected a drawing of a CoinRun level ({LEGEND}); the text is empty")
    end = next((number for number in range(first, len(lines)) if not lines[number].strip()), len(lines))
    indent = len(lines[first]) - len(textwrap.dedent("\n".join(lines[first:end])).splitlines()[0])
    rows = [line.rstrip()[indent:] for line in lines[first:end]]
    if len(rows) > WORLD_CELLS or len(rows[0]) > WORLD_CELLS:
        raise ValueError(
            f"line {first + 1}, column {indent + 1}: the world has {WORLD_CELLS}x{WORLD_CELLS} cells; the drawing has "
            f"{len(rows)} lines of {len(rows[0])}"
        )
    cells = np.full((len(rows), len(rows[0])), OPEN, "<i4")
    marks: list[tuple[int, int, str]] = []
    for number, row in enumerate(rows):
        y = len(rows) - 1 - number
        for x, character in enumerate(row):
            where = f"line {first + number + 1}, column {indent + x + 1}"
            if character not in _CELLS and character not in _MARKS:
                raise ValueError(f"{where}: {character!r} is no part of a level. Legend: {LEGEND}")
            if character == "A" and any(mark == "A" for _, _, mark in marks):
                raise ValueError(f"{where}: a second agent. Keep one")
            if len(row) == len(rows[0]):
                cells[y, x] = _CELLS.get(character, OPEN)
            if character in _MARKS:
                marks.append((x, y, character))
        if len(row) != len(rows[0]):
            raise ValueError(
                f"line {first + number + 1}, column {indent + min(len(row), len(rows[0])) + 1}: the line has "
                f"{len(row)} cells and the first has {len(rows[0])}; all must be equally long"
            )
    found: dict[str, Any] = {"cells": _padded(cells)}
    listed, memory = [], {}
    for number, line in enumerate(lines[end:], end + 1):
        words = line.split()
        if not words or line.strip() == LEGEND:
            continue
        if words[0] in _KINDS:
            listed.append(_parse_entity(words, number))
        else:
            notes = _parse_notes(line.strip(), number)
            memory |= {name: notes.pop(name) for name in Memory._fields if name in notes}
            found |= notes
    about = {
        (int(record["x"][0]), int(record["y"][0]), _CHARACTER_OF_TYPE.get(int(record["type"][0])))
        for record in listed
    }
    if any(character == "A" for _, _, character in about):
        extra_agent = next((mark for mark in marks if mark[2] == "A" and mark not in about), None)
        if extra_agent is not None:
            x, y, _ = extra_agent
            raise ValueError(
                f"line {first + len(rows) - y}, column {indent + x + 1}: the agent is drawn here, but its line below "
                "says another place. Keep one of them"
            )
    more = sorted((mark for mark in marks if mark not in about), key=_reading_order)
    found["entities"] = joined([*listed, _entities_of_marks(more)])
    if not (found["entities"]["type"] == 0).any():
        found["entities"] = joined([agent(*START), found["entities"]])
    if memory:
        y = float(found["entities"]["y"][found["entities"]["type"] == 0][0])
        found["memory"] = Memory(**{"last_agent_y": y, **memory})
    return found


def coinrun_to_json(level: CoinRunValue) -> dict[str, Any]:
    """The fields of the level as JSON values."""
    rows = ["".join(_CHARACTER_OF_CELL[cell] for cell in row) for row in level.cells[::-1].tolist()]
    entities = []
    for record in level.entities:
        kind, x, y, fields = _told(record)
        entities.append({"kind": kind, "x": x, "y": y, **fields})
    memory = level.memory
    assert memory is not None
    return level.values() | {"cells": rows, "entities": entities, "memory": memory._asdict()}


def coinrun_from_json(values: dict[str, Any]) -> dict[str, Any]:
    """The fields of a level from the JSON values of `coinrun_to_json`; ValueError where they are not of that form."""
    if set(values) != set(FIELDS):
        raise ValueError(f"expected the fields {', '.join(FIELDS)}; given: {', '.join(sorted(values))}")
    kinds = {
        "mode": str,
        "theme": str,
        "level_seed": int | None,
        "background": int | None,
        "background_offset": float | int,
        "wall_theme": int,
        "cells": list,
        "entities": list,
        "memory": dict,
    }
    for name, kind in kinds.items():
        if not isinstance(values[name], kind) or isinstance(values[name], bool):
            raise ValueError(
                f"expected {name} to be {getattr(kind, '__name__', kind)}; given: {values[name]!r:.80}"
            )
    rows = values["cells"]
    if len(rows) != WORLD_CELLS or any(
        not isinstance(row, str) or len(row) != WORLD_CELLS or set(row) - set(_CELLS) for row in rows
    ):
        raise ValueError(
            f"expected cells to be {WORLD_CELLS} rows of {WORLD_CELLS} characters of {''.join(_CELLS)}, the top row "
            f"first; given: {rows!r:.80}"
        )
    memory = values["memory"]
    if set(memory) != set(Memory._fields) or not all(
        isinstance(value, int | float) for value in memory.values()
    ):
        raise ValueError(f"expected memory to have {', '.join(Memory._fields)}; given: {memory}")
    records = []
    for number, fields in enumerate(values["entities"]):
        if not isinstance(fields, dict) or not {"kind", "x", "y"} <= set(fields):
            raise ValueError(f"expected entity {number} to have kind, x and y; given: {fields!r:.80}")
        if not all(type(value) in (int, float) for name, value in fields.items() if name != "kind"):
            raise ValueError(f"expected numbers for the fields of entity {number}; given: {fields!r:.80}")
        records.append(entity(**fields))
    cells = np.array([[_CELLS[character] for character in row] for row in reversed(rows)], "<i4")
    return values | {
        "cells": cells,
        "entities": joined(records),
        "memory": Memory(**memory),
        "background_offset": float(values["background_offset"]),
    }


def _trimmed(marked: np.ndarray) -> np.ndarray:
    """The part of the world that parsing does not restore by itself."""
    height = width = WORLD_CELLS
    if (marked[-1] == "#").all():
        height -= 1
        while height > 2 and _repeats(marked[height - 1], marked[height - 2]):
            height -= 1
    while width > 1 and _repeats(marked[:height, width - 1], marked[:height, width - 2]):
        width -= 1
    return marked[:height, :width]


def _repeats(last: np.ndarray, before: np.ndarray) -> bool:
    return bool((last == before).all()) and not np.isin(last, list(_MARKS)).any()


def _padded(cells: np.ndarray) -> np.ndarray:
    """The drawing grown to the world's size."""
    height, width = cells.shape
    grown = np.pad(cells, ((0, WORLD_CELLS - height), (0, WORLD_CELLS - width)), mode="edge")
    if height < WORLD_CELLS:
        grown[-1] = WALL
    return grown


def _reading_order(mark: tuple[int, int, str]) -> tuple[bool, int, int]:
    """The agent first, then column by column from the left, each from the bottom."""
    x, y, character = mark
    return (character != "A", x, y)


def _entities_of_marks(marks: list[tuple[int, int, str]]) -> EntityRecords:
    """What marks stand for."""
    records = []
    for x, y, character in marks:
        kind = _MARKS[character]
        if kind == "agent":
            records.append(agent(x + 0.5, y + AGENT_HALF_HEIGHT))
        else:
            records.append(entity(kind, x + 0.5, y + 0.5, **({"vx": ENEMY_SPEED} if kind == "enemy" else {})))
    return joined(records)


def _told(record: np.void) -> tuple[str, float, float, dict[str, float | int]]:
    """Kind, x, y and the fields that are not as `entity` makes them, floats as short as float32 allows."""
    kind = kind_of(int(record["type"]))
    plain = _plain(kind)
    fields = {
        name: _shortest(record[name])
        for name in _NAMES
        if name not in ("x", "y") and record[name].tobytes() != plain[name].tobytes()
    }
    return kind, _shortest(record["x"]), _shortest(record["y"]), fields


@cache
def _plain(kind: str) -> np.void:
    """An entity of a kind as the engine makes it."""
    return entity(kind, 0.0, 0.0)[0]


def _shortest(value: Any) -> float | int:
    return float(str(value)) if value.dtype.kind == "f" else int(value)


def _entity_line(record: np.void) -> str:
    kind, x, y, fields = _told(record)
    return " ".join([kind, f"{x!r}", f"{y!r}", *(f"{name} {value!r}" for name, value in fields.items())])


def _parse_entity(words: list[str], number: int) -> EntityRecords:
    kind, *rest = words
    try:
        if len(rest) < 2 or len(rest) % 2:
            raise ValueError("give the centre x y, then a name and a number for each other field")
        x, y = float(rest[0]), float(rest[1])
        fields = {name: float(value) for name, value in zip(rest[2::2], rest[3::2], strict=True)}
        whole = {
            name: int(value) if ENTITY_DTYPE[name].kind == "i" else value
            for name, value in fields.items()
            if name in _NAMES
        }
        return entity(kind, x, y, **(fields | whole))
    except (ValueError, OverflowError) as problem:
        raise ValueError(
            f"line {number}, column 1: {' '.join(words)!r:.80} is not understood as an entity ({problem}). "
            "One looks like: enemy 20.35 4.5 vx -0.15 image_theme 3"
        ) from None


def _parse_notes(line: str, number: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for note in re.split(r"\s{2,}", line):
        name, colon, value = (part.strip() for part in note.partition(":"))
        try:
            if not colon or name not in _NOTES:
                raise ValueError
            if name in ("level_seed", "wall_theme"):
                found[name] = None if value == "none" else int(value)
            elif name == "background":
                index_text, _, offset = value.partition(" at ")
                found[name] = None if value == "none" else int(index_text)
                if offset:
                    found["background_offset"] = float(offset)
            elif name == "last_agent_y":
                found[name] = float(value)
            elif name in Memory._fields:
                found[name] = {"yes": True, "no": False}[value]
            else:
                found[name] = value
        except (ValueError, KeyError):
            raise ValueError(
                f"line {number}, column {line.index(note) + 1}: {note!r} is not understood. After the drawing "
                "come notes like: mode: easy   level_seed: 7   background: 0 at 0.25   theme: textured   wall_theme: 0"
            ) from None
    return found
