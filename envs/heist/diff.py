"""What differs between two Heist levels.

When: `a.diff(b)`, to see or to test that a minimal pair differs in the one thing that it should.
"""

from dataclasses import dataclass

import numpy as np

from procscope.envs.heist.value import FIELDS, HeistValue
from procscope.envs.maze.diff import FieldChange
from procscope.envs.maze.structure import Cell


@dataclass(frozen=True)
class HeistDiff:
    """Everything that changes from one level to another; false when they are equal in all, their seeds included."""

    walls_added: tuple[Cell, ...]
    """Cells (x, y) that are free in the first and wall in the second; empty when the modes differ."""
    walls_removed: tuple[Cell, ...]
    """Cells that are wall in the first and free in the second; empty when the modes differ."""
    fields: tuple[FieldChange, ...]
    """The other fields that differ, in the order of `FIELDS`."""

    def __bool__(self) -> bool:
        return bool(self.walls_added or self.walls_removed or self.fields)

    def __str__(self) -> str:
        lines = [f"wall added at {cell}" for cell in self.walls_added]
        lines += [f"wall removed at {cell}" for cell in self.walls_removed]
        lines += [f"{change.field}: {change.before} -> {change.after}" for change in self.fields]
        return "\n".join(lines) or "no difference"


def diff_heists(first: HeistValue, second: HeistValue) -> HeistDiff:
    """What changes from the first level to the second."""
    added: tuple[Cell, ...] = ()
    removed: tuple[Cell, ...] = ()
    if first.size == second.size:
        added = _cells(second.walls & ~first.walls)
        removed = _cells(first.walls & ~second.walls)
    changes = []
    for name in FIELDS[1:]:
        before, after = getattr(first, name), getattr(second, name)
        if before != after:
            changes.append(FieldChange(name, before, after))
    return HeistDiff(added, removed, tuple(changes))


def _cells(where: np.ndarray) -> tuple[Cell, ...]:
    return tuple((int(x), int(y)) for y, x in np.argwhere(where))
