"""A Heist level as text: ASCII art for people, JSON values for files; both ways, without loss.

When: `str(level)`, `HeistLevel.from_ascii`, `to_file` and `from_file`.

The ASCII drawing has the top row first, as one sees it, then a blank line, a legend and the notes that a drawing
cannot hold (rows of wall left out here):

    ###...b##
    ###.###.#
    ###@#*B.#

    # wall   . free   @ agent   * gem   b g r blue, green, red key   B G R lock
    mode: easy   level_seed: 7   background: 4 at 0.25   theme: textured   held: blue no
    agent: 3.25 0.5   velocity: 0.1 0.0   rotation: 1.5   off-centre: 6.5938 2.4501

`held` has an entry for each colour that the agent may hold. `agent` is its exact centre in cells, given when that is
not the middle of a cell, or when the agent stands on a key or the gem, which is then what the drawing shows;
`off-centre` are the exact centres of keys and gem that are not in the middle of their cell.

Axes: y = cell row, counted upwards; x = cell column, counted to the right.
"""

import re
import textwrap
from typing import Any

import numpy as np

from procscope.envs.heist.value import COLOURS, FIELDS, MIDDLE, HeistValue, Key, Lock, Offset
from procscope.envs.maze.structure import Cell
from procscope.envs.maze.text import walls_from_rows, walls_to_rows

LEGEND = "# wall   . free   @ agent   * gem   b g r blue, green, red key   B G R lock"
_KEYS = dict(zip("bgr", COLOURS, strict=True))
_LOCKS = dict(zip("BGR", COLOURS, strict=True))
_NOTES = "mode level_seed background theme held agent velocity rotation off-centre".split()


def format_heist(level: HeistValue) -> str:
    """The drawing, the legend and the notes, as `parse_heist` reads them."""
    drawing = np.where(level.walls, "#", ".")
    drawing[level.agent[1], level.agent[0]] = "@"
    points = []
    for colour, (x, y), offset in level.keys:
        drawing[y, x] = colour[0]
        points.append(((x, y), offset))
    for colour, (x, y) in level.locks:
        drawing[y, x] = colour[0].upper()
    if level.gem is not None:
        drawing[level.gem[1], level.gem[0]] = "*"
        points.append((level.gem, level.gem_offset))
    hidden = drawing[level.agent[1], level.agent[0]] != "@"
    background = "none"
    if level.background is not None:
        background = f"{level.background} at {np.float32(level.background_offset)!s}"
    seed = "none" if level.level_seed is None else level.level_seed
    held = ", ".join(
        f"{colour} {'yes' if holds else 'no'}" for colour, holds in zip(COLOURS, level.held, strict=False)
    )
    notes = f"mode: {level.mode}   level_seed: {seed}   background: {background}   theme: {level.theme}"
    notes += f"   held: {held or 'none'}"
    more = []
    if hidden or level.agent_offset != MIDDLE:
        more.append(f"agent: {_point(level.agent, level.agent_offset)}")
    if level.agent_velocity != (0, 0):
        more.append(f"velocity: {_numbers(level.agent_velocity)}")
    if level.agent_rotation != 0:
        more.append(f"rotation: {_numbers((level.agent_rotation,))}")
    off = [_point(cell, offset) for cell, offset in points if offset != MIDDLE]
    if off:
        more.append(f"off-centre: {', '.join(off)}")
    lines = ["".join(row) for row in drawing[::-1]] + ["", LEGEND, notes]
    return "\n".join([*lines, "   ".join(more)] if more else lines)


def parse_heist(text: str) -> dict[str, Any]:
    """The fields of a level, by name, that the text says; what it does not say is left out.

    The drawing may be indented, and blank lines may come before it. Raises ValueError naming line and column (both
    from 1) of a character that is not in the legend, a line longer or shorter than the first, a second agent or gem, a
    note that is not known or does not fit the drawing; and for a drawing without agent.
    """
    lines = text.expandtabs().splitlines()
    first = next((number for number, line in enumerate(lines) if line.strip()), None)
    if first is None:
        raise ValueError(f"expected a drawing of a Heist level ({LEGEND}); the text is empty")
    end = next((number for number in range(first, len(lines)) if not lines[number].strip()), len(lines))
    indent = len(lines[first]) - len(textwrap.dedent("\n".join(lines[first:end])).splitlines()[0])
    rows = [line.rstrip()[indent:] for line in lines[first:end]]
    marks: dict[str, Cell] = {}
    keys: list[Key] = []
    locks: list[Lock] = []
    for number, row in enumerate(rows):
        for column, character in enumerate(row):
            where = f"line {first + number + 1}, column {indent + column + 1}"
            cell = (column, len(rows) - 1 - number)
            if character in _KEYS:
                keys.append(Key(_KEYS[character], cell))
            elif character in _LOCKS:
                locks.append(Lock(_LOCKS[character], cell))
            elif character in "@*":
                what = {"@": "agent", "*": "gem"}[character]
                if what in marks:
                    x, y = marks[what]
                    before = f"line {first + len(rows) - y}, column {indent + x + 1}"
                    raise ValueError(f"{where}: a second {what}; the first is in {before}. Keep one")
                marks[what] = cell
            elif character not in "#.":
                raise ValueError(f"{where}: {character!r} is no part of a Heist level. Legend: {LEGEND}")
        if len(row) != len(rows[0]):
            raise ValueError(
                f"line {first + number + 1}, column {indent + min(len(row), len(rows[0])) + 1}: the line has "
                f"{len(row)} cells and the first has {len(rows[0])}; all must be equally long"
            )
    found: dict[str, Any] = {"walls": walls_from_rows(rows), "gem": marks.get("gem")}
    found |= {"keys": tuple(keys), "locks": tuple(locks)}
    if "agent" in marks:
        found["agent"] = marks["agent"]
    for number, line in enumerate(lines[end:], end + 1):
        if line.strip() and line.strip() != LEGEND:
            _parse_notes(line.strip(), number, found)
    if "agent" not in found:
        raise ValueError(
            f"line {first + 1}, column {indent + 1}: the drawing has no agent (@). Legend: {LEGEND}"
        )
    return found


def _parse_notes(line: str, number: int, found: dict[str, Any]) -> None:
    """Add what a line of notes says to the fields found so far."""
    for note in re.split(r"\s{2,}", line):
        name, colon, value = (part.strip() for part in note.partition(":"))
        try:
            if not colon or name not in _NOTES:
                raise ValueError("there is no such note")
            _parse_note(name, value, found)
        except ValueError as problem:
            raise ValueError(
                f"line {number}, column {line.index(note) + 1}: {note!r} is not understood: {problem}. After the "
                "drawing come notes like: mode: easy   level_seed: 7   background: 4 at 0.25   theme: textured   "
                "held: blue yes, green no   agent: 3.25 0.5   velocity: 0.1 0.0   rotation: 1.5   "
                "off-centre: 6.5938 2.4501"
            ) from None


def _parse_note(name: str, value: str, found: dict[str, Any]) -> None:
    if name == "level_seed":
        found[name] = None if value == "none" else int(value)
    elif name == "background":
        index_text, _, offset = value.partition(" at ")
        found[name] = None if value == "none" else int(index_text)
        if offset:
            found["background_offset"] = float(offset)
    elif name == "held":
        entries = [] if value == "none" else [entry.split() for entry in value.split(",")]
        if [entry[:1] for entry in entries] != [[colour] for colour in COLOURS[: len(entries)]] or any(
            entry[1:] not in (["yes"], ["no"]) for entry in entries
        ):
            raise ValueError(
                f"expected yes or no for the first colours of {', '.join(COLOURS)}, in that order"
            )
        found[name] = tuple(entry[1] == "yes" for entry in entries)
    elif name == "agent":
        cell, found["agent_offset"] = _read_point(value)
        if found.setdefault("agent", cell) != cell:
            raise ValueError(f"the drawing has the agent at {found['agent']}")
    elif name == "velocity":
        vx, vy = map(float, value.split())
        found["agent_velocity"] = (vx, vy)
    elif name == "rotation":
        found["agent_rotation"] = float(value)
    elif name == "off-centre":
        for cell, offset in map(_read_point, value.split(",")):
            if cell == found["gem"]:
                found["gem_offset"] = offset
                continue
            if cell not in [key.cell for key in found["keys"]]:
                raise ValueError(f"there is no key and no gem at {cell}")
            found["keys"] = tuple(
                key._replace(offset=offset) if key.cell == cell else key for key in found["keys"]
            )
    else:
        found[name] = value


def _point(cell: Cell, offset: Offset) -> str:
    return _numbers((cell[0] + offset[0], cell[1] + offset[1]))


def _numbers(numbers: tuple[float, ...]) -> str:
    """Numbers in the fewest digits that give the same float32."""
    return " ".join(str(np.float32(number)) for number in numbers)


def _read_point(text: str) -> tuple[Cell, Offset]:
    """The cell of a point in cells, and where in it the point is."""
    x, y = (float(np.float32(number)) for number in text.split())
    if not (0 <= x < 1000 and 0 <= y < 1000):
        raise ValueError("expected a point of the level")
    return (int(x), int(y)), (x - int(x), y - int(y))


def heist_to_json(level: HeistValue) -> dict[str, Any]:
    """The fields of the level as JSON values."""
    values = level.values()
    return values | {
        "walls": walls_to_rows(level.walls),
        "agent": list(level.agent),
        "gem": None if level.gem is None else list(level.gem),
        "keys": [{"colour": c, "cell": list(cell), "offset": list(offset)} for c, cell, offset in level.keys],
        "locks": [{"colour": c, "cell": list(cell)} for c, cell in level.locks],
        **{name: list(values[name]) for name in ("held", "agent_offset", "agent_velocity", "gem_offset")},
    }


def heist_from_json(values: dict[str, Any]) -> dict[str, Any]:
    """The fields of a level from the JSON values of `heist_to_json`; ValueError where they are not of that form."""
    if set(values) != set(FIELDS):
        raise ValueError(f"expected the fields {', '.join(FIELDS)}; given: {', '.join(sorted(values))}")
    kinds: dict[str, Any] = {
        **dict.fromkeys(("walls", "agent", "keys", "locks", "held"), list),
        **dict.fromkeys(("agent_offset", "agent_velocity", "gem_offset"), list),
        **dict.fromkeys(("mode", "theme"), str),
        **dict.fromkeys(("level_seed", "background"), int | None),
        **dict.fromkeys(("background_offset", "agent_rotation"), float | int),
        "gem": list | None,
    }
    for name, kind in kinds.items():
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
    if not all(isinstance(flag, bool) for flag in values["held"]):
        raise ValueError(f"expected held to be true or false for each colour; given: {values['held']!r}")
    keys = [_thing("keys", key, ("colour", "cell", "offset")) for key in values["keys"]]
    locks = [_thing("locks", lock, ("colour", "cell")) for lock in values["locks"]]
    return values | {
        "walls": walls_from_rows(rows),
        "agent": _cell("agent", values["agent"]),
        "gem": None if values["gem"] is None else _cell("gem", values["gem"]),
        "keys": tuple(
            Key(k["colour"], _cell("a key", k["cell"]), _pair("a key's offset", k["offset"])) for k in keys
        ),
        "locks": tuple(Lock(lock["colour"], _cell("a lock", lock["cell"])) for lock in locks),
        "held": tuple(values["held"]),
        **{name: _pair(name, values[name]) for name in ("agent_offset", "agent_velocity", "gem_offset")},
        **{name: float(values[name]) for name in ("background_offset", "agent_rotation")},
    }


def _thing(name: str, value: Any, parts: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict) or set(value) != set(parts):
        raise ValueError(f"expected {name} to be objects with {', '.join(parts)}; given: {value!r}")
    return value


def _cell(name: str, value: Any) -> Cell:
    if not isinstance(value, list) or len(value) != 2 or not all(type(place) is int for place in value):
        raise ValueError(f"expected {name} to be at a cell [x, y] in whole numbers; given: {value!r}")
    return (value[0], value[1])


def _pair(name: str, value: Any) -> tuple[float, float]:
    good = isinstance(value, list) and len(value) == 2 and all(type(part) in (int, float) for part in value)
    if not good:
        raise ValueError(f"expected {name} to be two numbers; given: {value!r}")
    return (float(value[0]), float(value[1]))
