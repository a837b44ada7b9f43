"""An evaluation as text for a person and as data for a file."""

from typing import Any

from procscope.agents.compare import Comparison
from procscope.agents.evaluate import Evaluation
from procscope.workbench.statistics import Interval


def as_text(title: str, found: Evaluation) -> str:
    """A few lines: success in all and by what levels are told apart by, steps, where failures ended."""
    lines = [title, _row("success", f"{_percent(found.success)}, mean return {found.mean_return:.2f}")]
    if found.mean_steps is not None:
        lines.append(_row("steps to goal", f"{found.mean_steps:.1f} on average"))
    if found.mean_detour is not None:
        lines[-1] += f", {100 * found.mean_detour:.0f}% longer than the shortest path"
    lines.append(_row("failures end", ", ".join(f"{count} {name}" for name, count in found.ends.items())))
    for name, groups in found.by.items():
        lines += [_row(f"{name} {group.name}", _percent(group.success)) for group in groups]
    return "\n".join(lines) + "\n"


def as_data(found: Evaluation) -> dict[str, Any]:
    """The same as JSON data; episodes are left out."""
    return {
        "success": found.success._asdict(),
        "mean_return": found.mean_return,
        **{
            f"by_{name.replace(' ', '_')}": {group.name: group.success._asdict() for group in groups}
            for name, groups in found.by.items()
        },
        "mean_steps": found.mean_steps,
        "mean_detour": found.mean_detour,
        "failures_end": found.ends,
    }


def comparison_text(first: str, second: str, found: Comparison) -> str:
    """A few lines: both success rates, their difference, the levels that one alone solved, and the test."""
    difference = found.difference
    lines = [
        _row(first, _percent(found.first)),
        _row(second, _percent(found.second)),
        _row(
            "difference",
            f"{100 * difference.value:+5.1f}%  [{100 * difference.low:+.1f}, {100 * difference.high:+.1f}]",
        ),
        _row("solved by one alone", f"{found.only_first} by {first}, {found.only_second} by {second}"),
        _row("McNemar's exact p", f"{found.mcnemar_p:.3g}"),
    ]
    if found.steps_difference is not None:
        lines.append(_row("steps where both did", f"{found.steps_difference:+.1f} for {second}"))
    return "\n".join(lines) + "\n"


def _row(name: str, text: str) -> str:
    return f"  {name:<24}{text}"


def _percent(found: Interval) -> str:
    return f"{100 * found.value:5.1f}%  [{100 * found.low:.1f}, {100 * found.high:.1f}]  n = {found.n}"
