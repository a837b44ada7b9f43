"""A CoinRun level as text: ASCII art for people, JSON values for files; both ways, without loss.

When: `str(level)`, `CoinRunLevel.from_ascii`, `to_file` and `from_file`.

The drawing has the top row first, as one sees it. Rows that repeat the one below, up to the world's top wall, and
columns that repeat the one to their left are left out; coins are not repeated. Below come a legend, notes, and a line
for each entity that the drawing does not fully tell: its kind, the centre of its box, and the fields that are not as
the engine makes them.

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

import numpy as np

from procscope.envs.cells import Cell
from procscope.envs.coinrun.cells import (
    BARRIER,
    COIN,
    LAVA,
    LAVA_TOP,
    OPEN,
    WALL,
    WALL_TOP,
    WORLD_CELLS,
)
from procscope.envs.coinrun.entities import (
    AGENT_HALF_HEIGHT,
    CRATE,
    ENEMY,
    ENEMY_SPEED,
    SAW,
    agent,
    entity,
    joined,
)
from procscope.envs.coinrun.entity_text import KINDS, entity_line, parse_entity
from procscope.envs.coinrun.value import START, CoinRunValue, Memory
from procscope.envs.drawings import (
    LOOK_EXAMPLE,
    Drawing,
    Fields,
    look_notes,
    read_drawing,
    read_look_note,
    read_notes,
)
from procscope.envs.state.layout import EntityRecords

LEGEND = (
    "= wall top   # wall   . open   | barrier   ~ lava top   % lava   o coin   "
    "A agent   S saw   E enemy   C crate"
)
CELLS = {"=": WALL_TOP, "#": WALL, ".": OPEN, "|": BARRIER, "~": LAVA_TOP, "%": LAVA, "o": COIN}
"""The number of each character that stands for a cell."""

_MARKS = {"A": "agent", "S": "saw", "E": "enemy", "C": "crate"}
_CHARACTER_OF_TYPE = {0: "A", SAW: "S", ENEMY: "E", CRATE: "C"}
_EXAMPLE = f"{LOOK_EXAMPLE}   wall_theme: 0"

Mark = tuple[Cell, str]
"""A cell with something standing in it, and its character."""


def format_coinrun(level: CoinRunValue) -> str:
    """The drawing, the legend, the notes and the entities, as `parse_coinrun` reads them."""
    marked = np.full(level.cells.shape, ".", object)
    for character, cell in CELLS.items():
        marked[level.cells == cell] = character
    drawn: list[Mark] = []
    for record in level.entities:
        x, y, character = int(record["x"]), int(record["y"]), _CHARACTER_OF_TYPE.get(int(record["type"]))
        inside = 0 <= x < WORLD_CELLS and 0 <= y < WORLD_CELLS
        if character is not None and inside and marked[y, x] == ".":
            marked[y, x] = character
            drawn.append(((x, y), character))
    lines = ["".join(row) for row in _trimmed(marked)[::-1]]
    lines += ["", LEGEND, f"{look_notes(level)}   wall_theme: {level.wall_theme}"]
    memory = level.memory
    assert memory is not None
    if memory != Memory(level.agent_xy[1]):
        flags = "   ".join(
            f"{name}: {'yes' if flag else 'no'}"
            for name, flag in zip(Memory._fields[1:], memory[1:], strict=True)
        )
        lines.append(f"last_agent_y: {np.float32(memory.last_agent_y)!s}   {flags}")
    if _entities_of_marks(drawn).tobytes() != level.entities.tobytes():
        lines += [entity_line(record) for record in level.entities]
    return "\n".join(lines)


def parse_coinrun(text: str) -> Fields:
    """The fields of a level, by name, that the text says; what it does not say is left out.

    The drawing stands in the world's bottom-left corner; to the right its last column is repeated, above it the topmost
    row, below the world's top wall, both without their coins. Raises ValueError, naming line and column, for what
    `read_drawing` and `read_notes` refuse, a second agent, a drawing larger than the world, an entity that is not
    understood.
    """
    drawing = read_drawing(text, "a CoinRun level", LEGEND, {*CELLS, *_MARKS})
    height, width = len(drawing.rows), len(drawing.rows[0])
    if max(height, width) > WORLD_CELLS:
        raise ValueError(
            f"{drawing.place((0, height - 1))}: the world has {WORLD_CELLS}x{WORLD_CELLS} cells; the drawing has "
            f"{height} lines of {width}"
        )
    drawing.only("agent", "A")
    cells = np.array(
        [[CELLS.get(character, OPEN) for character in row] for row in reversed(drawing.rows)], "<i4"
    )
    found: Fields = {"cells": _padded(cells)}
    listed: list[EntityRecords] = []
    for number, line in drawing.lines:
        words = line.split()
        if words[0] in KINDS:
            listed.append(parse_entity(words, number))
        else:
            found |= read_notes(number, line, _read_note, _EXAMPLE)
    memory = {name: found.pop(name) for name in Memory._fields if name in found}
    entities = _entities(drawing, listed)
    if memory:
        y = float(entities["y"][entities["type"] == 0][0])
        found["memory"] = Memory(**{"last_agent_y": y, **memory})
    return found | {"entities": entities}


def _entities(drawing: Drawing, listed: list[EntityRecords]) -> EntityRecords:
    """The entities that have lines of their own, then those of marks that no line is about."""
    about = {
        ((int(record["x"][0]), int(record["y"][0])), _CHARACTER_OF_TYPE.get(int(record["type"][0])))
        for record in listed
        if np.isfinite([record["x"][0], record["y"][0]]).all()
    }
    more = [mark for mark in drawing.marks() if mark[1] in _MARKS and mark not in about]
    if any(character == "A" for _, character in about):
        for cell, character in more:
            if character == "A":
                raise ValueError(
                    f"{drawing.place(cell)}: the agent is drawn here, but its line below says another place. Keep "
                    "one of them"
                )
    entities = joined([*listed, _entities_of_marks(more)])
    return entities if (entities["type"] == 0).any() else joined([agent(*START), entities])


def _read_note(name: str, value: str) -> Fields:
    if name == "wall_theme":
        return {name: int(value)}
    if name == "last_agent_y":
        return {name: float(value)}
    if name in Memory._fields:
        if value not in ("yes", "no"):
            raise ValueError("expected yes or no")
        return {name: value == "yes"}
    return read_look_note(name, value)


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
    restored = np.where(before == "o", ".", before)
    return bool((last == restored).all()) and not np.isin(last, list(_MARKS)).any()


def _padded(cells: np.ndarray) -> np.ndarray:
    """The drawing grown to the world's size; of a coin at its edge there is still only one."""
    height, width = cells.shape
    terrain = np.where(cells == COIN, OPEN, cells)
    grown = np.pad(terrain, ((0, WORLD_CELLS - height), (0, WORLD_CELLS - width)), mode="edge")
    grown[:height, :width] = cells
    if height < WORLD_CELLS:
        grown[-1] = WALL
    return grown


def _entities_of_marks(marks: list[Mark]) -> EntityRecords:
    """What marks stand for: the agent first, then column by column from the left, each from the bottom."""
    records = []
    for (x, y), character in sorted(marks, key=lambda mark: (mark[1] != "A", *mark[0])):
        kind = _MARKS[character]
        if kind == "agent":
            records.append(agent(x + 0.5, y + AGENT_HALF_HEIGHT))
        else:
            records.append(entity(kind, x + 0.5, y + 0.5, **({"vx": ENEMY_SPEED} if kind == "enemy" else {})))
    return joined(records)
