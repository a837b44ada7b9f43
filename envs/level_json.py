"""JSON values of levels: what is checked alike in all games before a level is made of them.

When: in `from_json` of the levels. JSON says anything, in any nesting: here it is seen to that each field has the form
that its game's codec writes. Whether the level may be so is asked afterwards, by the level itself.
"""

from collections.abc import Collection, Mapping
from types import UnionType
from typing import Any

from procscope.envs.cells import Cell

LOOK_KINDS: Mapping[str, type | UnionType] = {
    "mode": str,
    "level_seed": int | None,
    "background": int | None,
    "background_offset": float | int,
    "theme": str,
}
"""What the fields are that the levels of all games have."""


def check_values(values: dict[str, Any], names: Collection[str], kinds: Mapping[str, Any]) -> None:
    """ValueError unless the values are of these names and kinds, `LOOK_KINDS` among them."""
    if not isinstance(values, dict) or set(values) != set(names):
        given = ", ".join(sorted(map(str, values))) if isinstance(values, dict) else f"{values!r:.80}"
        raise ValueError(f"expected the fields {', '.join(names)}; given: {given}")
    for name, kind in {**kinds, **LOOK_KINDS}.items():
        if not isinstance(values[name], kind) or isinstance(values[name], bool):
            raise ValueError(
                f"expected {name} to be {getattr(kind, '__name__', kind)}; given: {values[name]!r:.80}"
            )


def checked_rows(name: str, rows: list[Any], characters: str) -> list[str]:
    """The rows; ValueError unless they are texts of equal length, of these characters."""
    if not rows or any(
        not isinstance(row, str) or len(row) != len(rows[0]) or set(row) - set(characters) for row in rows
    ):
        raise ValueError(
            f"expected {name} to be rows of {' and '.join(characters)} of equal length, the top row first; given: "
            f"{rows!r:.80}"
        )
    return rows


def checked_cell(name: str, value: Any) -> Cell:
    """The cell that a list says; ValueError unless it is one of two whole numbers."""
    if not isinstance(value, list) or len(value) != 2 or not all(type(place) is int for place in value):
        raise ValueError(f"expected {name} to be a cell [x, y] in whole numbers; given: {value!r:.80}")
    return (value[0], value[1])


def checked_pair(name: str, value: Any) -> tuple[float, float]:
    """The two numbers that a list says; ValueError for anything else."""
    good = isinstance(value, list) and len(value) == 2 and all(type(part) in (int, float) for part in value)
    if not good:
        raise ValueError(f"expected {name} to be two numbers; given: {value!r:.80}")
    return (_as_float(name, value[0]), _as_float(name, value[1]))


def checked_object(name: str, value: Any, parts: Collection[str]) -> dict[str, Any]:
    """The object; ValueError unless it has just these parts."""
    if not isinstance(value, dict) or set(value) != set(parts):
        raise ValueError(f"expected {name} to be objects with {', '.join(parts)}; given: {value!r:.80}")
    return value


def _as_float(name: str, value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"expected {name} to be numbers of usual size; given: {value!r:.80}") from None
