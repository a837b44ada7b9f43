"""A CoinRun level as JSON values, as they stand in files; both ways, without loss.

When: `to_file` and `from_file` of the level, and level packs.

`cells` are rows of the characters of `text.py`, the top row first; an entity is an object with `kind`, `x`, `y` and
those of its fields that are not as the engine makes them.
"""

from typing import Any

import numpy as np

from procscope.envs.coinrun.cells import WORLD_CELLS
from procscope.envs.coinrun.entities import entity, joined
from procscope.envs.coinrun.entity_text import told
from procscope.envs.coinrun.text import CELLS
from procscope.envs.coinrun.value import CoinRunValue, Memory
from procscope.envs.level_json import check_values, checked_object
from procscope.envs.state.layout import EntityRecords

_CHARACTERS = {number: character for character, number in CELLS.items()}


def coinrun_to_json(level: CoinRunValue) -> dict[str, Any]:
    """The fields of the level as JSON values."""
    rows = ["".join(_CHARACTERS[cell] for cell in row) for row in level.cells[::-1].tolist()]
    entities = []
    for record in level.entities:
        kind, x, y, fields = told(record)
        entities.append({"kind": kind, "x": x, "y": y, **fields})
    memory = level.memory
    assert memory is not None
    return level.values() | {"cells": rows, "entities": entities, "memory": memory._asdict()}


def coinrun_from_json(values: dict[str, Any]) -> dict[str, Any]:
    """The fields of a level from the JSON values of `coinrun_to_json`; ValueError where they are not of that form."""
    kinds = {"wall_theme": int, "cells": list, "entities": list, "memory": dict}
    check_values(values, CoinRunValue.field_names(), kinds)
    rows = values["cells"]
    if len(rows) != WORLD_CELLS or any(
        not isinstance(row, str) or len(row) != WORLD_CELLS or set(row) - set(CELLS) for row in rows
    ):
        raise ValueError(
            f"expected cells to be {WORLD_CELLS} rows of {WORLD_CELLS} characters of {''.join(CELLS)}, the top row "
            f"first; given: {rows!r:.80}"
        )
    memory = checked_object("memory", values["memory"], Memory._fields)
    if not all(isinstance(value, int | float) for value in memory.values()):
        raise ValueError(f"expected numbers and flags in memory; given: {memory!r:.200}")
    records = [_entity(number, fields) for number, fields in enumerate(values["entities"])]
    cells = np.array([[CELLS[character] for character in row] for row in reversed(rows)], "<i4")
    return values | {"cells": cells, "entities": joined(records), "memory": Memory(**memory)}


def _entity(number: int, fields: Any) -> EntityRecords:
    if not isinstance(fields, dict) or not {"kind", "x", "y"} <= set(fields):
        raise ValueError(f"expected entity {number} to have kind, x and y; given: {fields!r:.80}")
    numbers = [value for name, value in fields.items() if name != "kind"]
    if not isinstance(fields["kind"], str) or not all(type(value) in (int, float) for value in numbers):
        raise ValueError(
            f"expected a word for the kind, and numbers for the fields, of entity {number}; given: {fields!r:.80}"
        )
    return entity(**fields)
