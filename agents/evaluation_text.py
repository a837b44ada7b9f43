"""An evaluation as text for a person and as data for a file."""

from typing import Any

from procscope.agents.evaluate import Evaluation
from procscope.workbench.statistics import Interval


def as_text(title: str, found: Evaluation) -> str:
    """A few lines: success in all and by the game's property, steps, where failures ended."""
    lines = [title, f"  success        {_percent(found.success)}"]
    if found.mean_steps is not None:
        lines.append(f"  steps to goal  {found.mean_steps:.1f} on average")
    if found.mean_detour is not None:
        lines[-1] += f", {100 * found.mean_detour:.0f}% longer than the shortest path"
    lines.append(f"  failures end   {', '.join(f'{count} {name}' for name, count in found.ends.items())}")
    lines += [f"  {f'{found.property} {row.value}':<15}{_percent(row.success)}" for row in found.by_property]
    return "\n".join(lines) + "\n"


def as_data(found: Evaluation) -> dict[str, Any]:
    """The same as JSON data; episodes are left out."""
    return {
        "success": found.success._asdict(),
        f"by_{found.property}": {str(row.value): row.success._asdict() for row in found.by_property},
        "mean_steps": found.mean_steps,
        "mean_detour": found.mean_detour,
        "failures_end": found.ends,
    }


def _percent(found: Interval) -> str:
    return f"{100 * found.value:5.1f}%  [{100 * found.low:.1f}, {100 * found.high:.1f}]  n = {found.n}"
