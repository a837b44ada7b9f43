"""One entity of CoinRun in few words: its kind, its place, and what of it is not as the engine makes it.

When: in the drawings (`text.py`), where an entity may have a line of its own, and in files (`json_values.py`).

    enemy 20.35 4.5 vx -0.15 image_theme 3
"""

from functools import cache
from typing import Any

import numpy as np

from procscope.envs.coinrun.entities import entity, kind_of
from procscope.envs.state.layout import ENTITY_DTYPE, EntityRecords

KINDS = ("agent", "saw", "enemy", "crate", "trail", "decoration")
"""The words that such a line begins with."""

_NAMES = ENTITY_DTYPE.names or ()


def told(record: np.void) -> tuple[str, float, float, dict[str, float | int]]:
    """Kind, x, y and the fields that are not as `entity` makes them, floats as short as float32 allows."""
    kind = kind_of(int(record["type"]))
    plain = _as_made(kind)
    fields = {
        name: _shortest(record[name])
        for name in _NAMES
        if name not in ("x", "y") and record[name].tobytes() != plain[name].tobytes()
    }
    return kind, _shortest(record["x"]), _shortest(record["y"]), fields


@cache
def _as_made(kind: str) -> np.void:
    """An entity of a kind as the engine makes it."""
    return entity(kind, 0.0, 0.0)[0]


def _shortest(value: Any) -> float | int:
    return float(str(value)) if value.dtype.kind == "f" else int(value)


def entity_line(record: np.void) -> str:
    """The line of an entity, as `parse_entity` reads it."""
    kind, x, y, fields = told(record)
    return " ".join([kind, f"{x!r}", f"{y!r}", *(f"{name} {value!r}" for name, value in fields.items())])


def parse_entity(words: list[str], number: int) -> EntityRecords:
    """The entity that the words of line `number` say; ValueError naming the line for others."""
    kind, *rest = words
    try:
        if len(rest) < 2 or len(rest) % 2:
            raise ValueError("give the centre x y, then a name and a number for each other field")
        fields = {
            name: _number(name, text)
            for name, text in zip(("x", "y", *rest[2::2]), (*rest[:2], *rest[3::2]), strict=True)
        }
        if len(fields) != len(rest) // 2 + 1:
            raise ValueError("give each field once")
        return entity(kind, **fields)  # pyright: ignore[reportArgumentType]
    except ValueError as problem:
        raise ValueError(
            f"line {number}, column 1: {' '.join(words)!r:.80} is not understood as an entity ({problem}). "
            "One looks like: enemy 20.35 4.5 vx -0.15 image_theme 3"
        ) from None


def _number(name: str, text: str) -> float | int:
    if name not in _NAMES:
        raise ValueError(f"the fields of an entity are {', '.join(_NAMES)}; given: {name!r:.80}")
    return int(text) if ENTITY_DTYPE[name].kind == "i" else float(text)
