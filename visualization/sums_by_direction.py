"""Sums of a channel where its direction is the right step, against where it is not.

When to use: to see whether a threshold parts the two, and whether it does so in and out of distribution.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from procscope.workbench.figures import COLOURS, styled, subplots

_BINS = 28
_PAPER = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.5}


class SumsPanel(NamedTuple):
    """One panel: one channel of one network on one distribution."""

    title: str
    sums: Float[np.ndarray, " frame"]
    is_right: Bool[np.ndarray, " frame"]
    direction: str
    """The direction in words, such as "UP"."""
    threshold: float | None
    largest: float
    """Right end of the x axis, so that panels of one channel can have the same."""
    note: str
    """Numbers to write into the panel, such as the AUROC with its interval."""


@styled()
def plot_sums_by_direction(rows: Sequence[Sequence[SumsPanel]]) -> Figure:
    """Mirrored histograms: squares where the direction is right above the line, the others below it.

    A panel's bars are shares of its own squares of each kind; the dashed line is the threshold, the marks are
    the means with 95% intervals.
    """
    columns = max(len(row) for row in rows)
    figure, axes = subplots(
        len(rows),
        columns,
        width_inches=3.5 * columns + 0.4,
        height_inches=1.75 * len(rows) + 0.3,
        squeeze=False,
    )
    for row, panels in enumerate(rows):
        for column, panel in enumerate(panels):
            _draw(axes[row, column], panel, bottom=row == len(rows) - 1, left=column == 0)
    return figure


def _draw(axes: Axes, panel: SumsPanel, *, bottom: bool, left: bool) -> None:
    top = max(panel.largest, 1e-6)
    edges = np.linspace(0, top, _BINS + 1)
    kinds = (
        (panel.is_right, 1, COLOURS["blue"], f"next step is {panel.direction}"),
        (~panel.is_right, -1, COLOURS["vermilion"], f"next step is not {panel.direction}"),
    )
    tallest = 0.0
    for chosen, side, colour, label in kinds:
        sums = panel.sums[chosen]
        if not len(sums):
            continue
        shares = np.histogram(sums, edges)[0] / len(sums)
        tallest = max(tallest, float(shares.max()))
        axes.bar(
            edges[:-1], side * shares, np.diff(edges), align="edge", color=colour, alpha=0.8, label=label
        )
        half = 1.96 * sums.std() / np.sqrt(len(sums))
        axes.errorbar(
            sums.mean(), side * 0.06 * tallest, xerr=half, fmt="o", color=COLOURS["black"], markersize=3.5
        )
    axes.axhline(0, color=COLOURS["black"], linewidth=0.8)
    if panel.threshold is not None:
        axes.axvline(panel.threshold, color=COLOURS["black"], linestyle=(0, (4, 3)), linewidth=1.1)
    axes.set(title=panel.title, ylim=(-1.3 * tallest, 1.3 * tallest), xlim=(0, top))
    axes.yaxis.set_major_formatter(lambda value, _: f"{abs(value):.0%}")
    axes.text(
        0.985, 0.96, panel.note, transform=axes.transAxes, ha="right", va="top", fontsize=8.5, bbox=_PAPER
    )
    if left:
        axes.set_ylabel(f"share of squares\nnot {panel.direction}  |  {panel.direction}")
    if bottom:
        axes.set_xlabel("sum of the channel (activation)")
