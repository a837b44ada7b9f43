"""Numbers with intervals at places of a network: a line a place, in the order of the forward pass, a mark a series.

When to use: to compare what an intervention and its controls do at several hook points. Nothing is computed here.

Axes: `place` hook points, the first at the top.
"""

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from procscope.workbench.figures import COLOURS, styled, subplots
from procscope.workbench.statistics import Interval

_LINE_INCHES = 0.25


class PlaceSeries(NamedTuple):
    """One mark at each place."""

    name: str
    """For the legend."""
    colour: str
    """A name in `procscope.workbench.figures.COLOURS`."""
    intervals: Sequence[Interval | None]
    """By place; None where there is none."""


class PlacePanel(NamedTuple):
    """One panel."""

    title: str
    places: Sequence[str]
    series: Sequence[PlaceSeries]


@styled()
def plot_place_series(
    rows: Sequence[Sequence[PlacePanel]], *, xlabels: Sequence[str], percent: bool = True
) -> Figure:
    """A grid of panels, one label of the horizontal axis for each row of them; a line marks 0.

    Raises ValueError: no panels, panels without places, or series of another number of intervals than places.
    """
    panels = [panel for row in rows for panel in row]
    wrong = [
        one.title for one in panels if any(len(each.intervals) != len(one.places) for each in one.series)
    ]
    if not panels or len(rows) != len(xlabels) or wrong or not all(panel.places for panel in panels):
        raise ValueError(
            f"expected panels with an interval for each place, and a label for each row; given {len(panels)} panels, "
            f"{len(xlabels)} labels for {len(rows)} rows, and other numbers of intervals in {wrong}"
        )
    columns = max(len(row) for row in rows)
    most = max(len(panel.places) for panel in panels)
    figure, axes = subplots(
        len(rows),
        columns,
        width_inches=3.0 * columns + 1.4,
        height_inches=(_LINE_INCHES * most + 1.0) * len(rows),
        squeeze=False,
        sharex="row",
        sharey=True,
    )
    for line, (row, xlabel) in enumerate(zip(rows, xlabels, strict=True)):
        for column in range(columns):
            axis = axes[line, column]
            if column < len(row):
                _draw(axis, row[column], xlabel, percent)
            else:
                axis.set_axis_off()
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=len(labels))
    return figure


def _draw(axis, panel: PlacePanel, xlabel: str, percent: bool) -> None:
    axis.axvline(0, color=COLOURS["grey"], linewidth=0.9)
    for number, series in enumerate(panel.series):
        shift = (number - (len(panel.series) - 1) / 2) * 0.22
        there = [(y, one) for y, one in enumerate(series.intervals) if one is not None]
        if not there:
            continue
        axis.errorbar(
            [one.value for _, one in there],
            [y + shift for y, _ in there],
            xerr=[
                [max(one.value - one.low, 0) for _, one in there],
                [max(one.high - one.value, 0) for _, one in there],
            ],
            fmt="o",
            color=COLOURS[series.colour],
            markersize=3.6,
            linewidth=1.2,
            capsize=1.5,
            label=series.name,
        )
    axis.set_title(panel.title, fontsize=9.5)
    axis.set(xlabel=xlabel, ylim=(len(panel.places) - 0.4, -0.6))
    axis.set_yticks(range(len(panel.places)), panel.places, fontsize=7.5)
    if percent:
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}".replace("-", "−"))
    axis.grid(axis="y", visible=False)
