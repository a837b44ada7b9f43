"""What differs between two CoinRun levels.

When: `a.diff(b)`, to see or to test that a minimal pair differs in the one thing that it should.
"""

from dataclasses import dataclass

import numpy as np

from procscope.envs.cells import Cell
from procscope.envs.coinrun.cells import CELL_NAMES
from procscope.envs.coinrun.entities import kind_of
from procscope.envs.coinrun.value import CoinRunValue
from procscope.envs.level_diff import FieldChange
from procscope.envs.state.layout import ENTITY_DTYPE

_CELL_NAME = {number: name for name, number in CELL_NAMES.items()}


@dataclass(frozen=True)
class CoinRunDiff:
    """Everything that changes from one level to another; false when they are equal in all, their seeds included."""

    cells: tuple[tuple[Cell, str, str], ...]
    """((x, y), before, after) of every cell that differs, by the names of `CELL_NAMES`."""
    entities: tuple[FieldChange, ...]
    """Entities that differ, `saw 3` being the fourth saw: the fields that do, or None where it is not there."""
    fields: tuple[FieldChange, ...]
    """The other fields that differ, in their order."""

    def __bool__(self) -> bool:
        return bool(self.cells or self.entities or self.fields)

    def __str__(self) -> str:
        lines = [f"cell {cell}: {before} -> {after}" for cell, before, after in self.cells]
        lines += [str(change) for change in self.entities + self.fields]
        return "\n".join(lines) or "no difference"


def cell_changes(first: CoinRunValue, second: CoinRunValue) -> tuple[tuple[Cell, str, str], ...]:
    """((x, y), before, after) of every cell that differs, by name."""
    return tuple(
        ((x, y), _CELL_NAME[int(first.cells[y, x])], _CELL_NAME[int(second.cells[y, x])])
        for y, x in np.argwhere(first.cells != second.cells).tolist()
    )


def entity_changes(first: CoinRunValue, second: CoinRunValue) -> tuple[FieldChange, ...]:
    """The entities that differ, compared in order, kind by kind."""
    changes = []
    kinds = [[kind_of(number) for number in level.entities["type"].tolist()] for level in (first, second)]
    for kind in dict.fromkeys(kinds[0] + kinds[1]):
        before, after = (
            level.entities[[each == kind for each in own]]
            for level, own in zip((first, second), kinds, strict=True)
        )
        for place in range(max(len(before), len(after))):
            old = before[place].tolist() if place < len(before) else None
            new = after[place].tolist() if place < len(after) else None
            if old == new:
                continue
            names = [
                name
                for column, name in enumerate(ENTITY_DTYPE.names or ())
                if old is None or new is None or old[column] != new[column]
            ]
            if old is None or new is None:
                names = ["x", "y"]
            shown = [
                None if row is None else {name: row[name].item() for name in names}
                for row in (before[place] if old else None, after[place] if new else None)
            ]
            changes.append(FieldChange(f"{kind} {place}", *shown))
    if not changes and first.entities.tobytes() != second.entities.tobytes():
        changes.append(FieldChange("order of entities", kinds[0], kinds[1]))
    return tuple(changes)
