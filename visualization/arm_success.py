"""Success by arm of an intervention study: one line an arm, with intervals."""

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from procscope.workbench.figures import COLOURS, styled, subplots
from procscope.workbench.statistics import Interval


class ArmResult(NamedTuple):
    """One arm; several results may share a line, as controls do."""

    line: str
    success: Interval
    colour: str
    """A name in `procscope.workbench.figures.COLOURS`."""


class ArmPanel(NamedTuple):
    """One panel: the arms of one channel of one network."""

    title: str
    arms: Sequence[ArmResult]


@styled()
def plot_arm_success(
    rows: Sequence[Sequence[ArmPanel]], xlabel: str = "cheese found (share of mazes)"
) -> Figure:
    """A grid of panels; points are shares with 95% intervals, the dotted line is the first arm's."""
    columns = max(len(row) for row in rows)
    lines = list(dict.fromkeys(arm.line for row in rows for panel in row for arm in panel.arms))
    figure, axes = subplots(
        len(rows),
        columns,
        width_inches=2.9 * columns + 1.1,
        height_inches=(0.29 * len(lines) + 0.85) * len(rows),
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    for number, row in enumerate(rows):
        for column, panel in enumerate(row):
            _draw(axes[number, column], panel, lines)
            if number == len(rows) - 1:
                axes[number, column].set_xlabel(xlabel)
    return figure


def _draw(axes, panel: ArmPanel, lines: Sequence[str]) -> None:
    seen: dict[str, int] = {}
    total = {line: sum(arm.line == line for arm in panel.arms) for line in lines}
    for arm in panel.arms:
        place = seen.get(arm.line, 0)
        seen[arm.line] = place + 1
        offset = (place - (total[arm.line] - 1) / 2) * 0.22
        value, low, high, _ = arm.success
        axes.errorbar(
            value,
            lines.index(arm.line) + offset,
            xerr=[[value - low], [high - value]],
            fmt="o",
            color=COLOURS[arm.colour],
            markersize=4.5,
            linewidth=1.4,
        )
    if panel.arms:
        axes.axvline(panel.arms[0].success.value, color=COLOURS["black"], linestyle=":", linewidth=1)
    axes.set(title=panel.title, xlim=(-0.02, 1.02), ylim=(len(lines) - 0.5, -0.5))
    axes.set_yticks(range(len(lines)), lines)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.grid(axis="y", visible=False)
