"""What differs between two levels of a game.

When: `a.diff(b)`, to see or to test that a minimal pair differs in the one thing that it should.
"""

from dataclasses import dataclass
from typing import Any

from procscope.envs.cells import Cell


@dataclass(frozen=True)
class FieldChange:
    """One field that differs, and its value in the first and in the second level."""

    field: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.field}: {self.before} -> {self.after}"


@dataclass(frozen=True)
class WallsDiff:
    """Everything that changes between levels made of walls; false when they are equal in all, their seeds included."""

    walls_added: tuple[Cell, ...]
    """Cells (x, y) that are free in the first and wall in the second; empty when the sizes differ."""
    walls_removed: tuple[Cell, ...]
    """Cells that are wall in the first and free in the second; empty when the sizes differ."""
    fields: tuple[FieldChange, ...]
    """The other fields that differ, in their order; `size` stands for walls of different sizes."""

    def __bool__(self) -> bool:
        return bool(self.walls_added or self.walls_removed or self.fields)

    def __str__(self) -> str:
        lines = [f"wall added at {cell}" for cell in self.walls_added]
        lines += [f"wall removed at {cell}" for cell in self.walls_removed]
        lines += [str(change) for change in self.fields]
        return "\n".join(lines) or "no difference"
