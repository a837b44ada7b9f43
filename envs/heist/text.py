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

from collections.abc import Callable
from typing import Any

import numpy as np

from procscope.envs.cells import Cell
from procscope.envs.drawings import (
    LOOK_EXAMPLE,
    Fields,
    look_notes,
    read_drawing,
    read_look_note,
    read_notes,
    walls_from_rows,
    walls_to_rows,
)
from procscope.envs.heist.things import COLOURS, MIDDLE, Key, Lock, Offset
from procscope.envs.heist.value import HeistValue
from procscope.envs.level_json import check_values, checked_cell, checked_object, checked_pair, checked_rows

LEGEND = "# wall   . free   @ agent   * gem   b g r blue, green, red key   B G R lock"
_KEYS = dict(zip("bgr", COLOURS, strict=True))
_LOCKS = dict(zip("BGR", COLOURS, strict=True))
_EXAMPLE = (
    f"{LOOK_EXAMPLE}   held: blue yes, green no   agent: 3.25 0.5   velocity: 0.1 0.0   rotation: 1.5   "
    "off-centre: 6.5938 2.4501"
)


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
    held = ", ".join(
        f"{colour} {'yes' if holds else 'no'}" for colour, holds in zip(COLOURS, level.held, strict=False)
    )
    notes = f"{look_notes(level)}   held: {held or 'none'}"
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


def parse_heist(text: str) -> Fields:
    """The fields of a level, by name, that the text says; what it does not say is left out.

    Raises ValueError, naming line and column, for what `read_drawing` and `read_notes` refuse, a second agent or gem, a
    note that does not fit the drawing; and for a drawing without agent.
    """
    drawing = read_drawing(text, "a Heist level", LEGEND, {*"#.@*", *_KEYS, *_LOCKS})
    agent = drawing.only("agent", "@")
    found: Fields = {
        "walls": drawing.walls(),
        "gem": drawing.only("gem", "*"),
        "keys": tuple(Key(_KEYS[mark], cell) for cell, mark in drawing.marks() if mark in _KEYS),
        "locks": tuple(Lock(_LOCKS[mark], cell) for cell, mark in drawing.marks() if mark in _LOCKS),
    }
    if agent is not None:
        found["agent"] = agent
    for number, line in drawing.lines:
        found |= read_notes(number, line, _note_reader(found), _EXAMPLE)
    if "agent" not in found:
        raise ValueError(
            f"{drawing.place((0, len(drawing.rows) - 1))}: the drawing has no agent (@). Legend: {LEGEND}"
        )
    return found


def _note_reader(found: Fields) -> Callable[[str, str], Fields]:
    """What reads a note about the level of which these fields have been found so far."""

    def read_note(name: str, value: str) -> Fields:
        if name == "held":
            return {name: _read_held(value)}
        if name == "agent":
            cell, offset = _read_point(value)
            if found.get("agent", cell) != cell:
                raise ValueError(f"the drawing has the agent at {found['agent']}")
            return {"agent": cell, "agent_offset": offset}
        if name == "velocity":
            vx, vy = map(float, value.split())
            return {"agent_velocity": (vx, vy)}
        if name == "rotation":
            return {"agent_rotation": float(value)}
        if name == "off-centre":
            return _read_off_centre(value, found)
        return read_look_note(name, value)

    return read_note


def _read_held(value: str) -> tuple[bool, ...]:
    entries = [] if value == "none" else [entry.split() for entry in value.split(",")]
    if [entry[:1] for entry in entries] != [[colour] for colour in COLOURS[: len(entries)]] or any(
        entry[1:] not in (["yes"], ["no"]) for entry in entries
    ):
        raise ValueError(f"expected yes or no for the first colours of {', '.join(COLOURS)}, in that order")
    return tuple(entry[1] == "yes" for entry in entries)


def _read_off_centre(value: str, found: Fields) -> Fields:
    """Keys and gem with the offsets of the points listed."""
    changed: Fields = {}
    keys = {key.cell: key for key in found["keys"]}
    for cell, offset in map(_read_point, value.split(",")):
        if cell == found["gem"]:
            changed["gem_offset"] = offset
        elif cell in keys:
            keys[cell] = keys[cell]._replace(offset=offset)
        else:
            raise ValueError(f"there is no key and no gem at {cell}")
    return changed | {"keys": tuple(keys.values())}


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
    lists = ("walls", "agent", "keys", "locks", "held", "agent_offset", "agent_velocity", "gem_offset")
    kinds = dict.fromkeys(lists, list) | {"gem": list | None, "agent_rotation": float | int}
    check_values(values, HeistValue.field_names(), kinds)
    if not all(isinstance(flag, bool) for flag in values["held"]):
        raise ValueError(f"expected held to be true or false for each colour; given: {values['held']!r:.80}")
    keys = [checked_object("keys", key, ("colour", "cell", "offset")) for key in values["keys"]]
    locks = [checked_object("locks", lock, ("colour", "cell")) for lock in values["locks"]]
    return values | {
        "walls": walls_from_rows(checked_rows("walls", values["walls"], "#.")),
        "agent": checked_cell("agent", values["agent"]),
        "gem": None if values["gem"] is None else checked_cell("gem", values["gem"]),
        "keys": tuple(
            Key(k["colour"], checked_cell("a key", k["cell"]), checked_pair("a key's offset", k["offset"]))
            for k in keys
        ),
        "locks": tuple(Lock(lock["colour"], checked_cell("a lock", lock["cell"])) for lock in locks),
        "held": tuple(values["held"]),
        **{
            name: checked_pair(name, values[name])
            for name in ("agent_offset", "agent_velocity", "gem_offset")
        },
    }
