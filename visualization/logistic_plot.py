"""A yes-or-no outcome against a quantity: the fitted logistic curve with its band, over shares in bins."""

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from procscope.workbench.figures import COLOURS, styled, subplots
from procscope.workbench.logistic_curve import BinnedShare, LogisticCurve


class LogisticPanel(NamedTuple):
    """One panel."""

    title: str
    curve: LogisticCurve | None
    """None where no curve can be fitted."""
    bins: Sequence[BinnedShare]
    note: str
    """Numbers to write into the panel, or why there is no curve."""


@styled()
def plot_logistic(rows: Sequence[Sequence[LogisticPanel]], xlabel: str, ylabel: str) -> Figure:
    """A grid of panels with common axes; bands and bars are 95% intervals."""
    columns = max(len(row) for row in rows)
    figure, axes = subplots(
        len(rows),
        columns,
        width_inches=3.2 * columns + 0.4,
        height_inches=2.2 * len(rows) + 0.3,
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    for line, row in enumerate(rows):
        for column, panel in enumerate(row):
            _draw(axes[line, column], panel)
            if column == 0:
                axes[line, column].set_ylabel(ylabel)
            if line == len(rows) - 1:
                axes[line, column].set_xlabel(xlabel)
    return figure


def _draw(axes, panel: LogisticPanel) -> None:
    if panel.curve is not None:
        curve = panel.curve
        axes.fill_between(curve.x, curve.low, curve.high, color=COLOURS["blue"], alpha=0.18, linewidth=0)
        axes.plot(curve.x, curve.value, color=COLOURS["blue"])
    for each in panel.bins:
        value, low, high, _ = each.share
        axes.errorbar(
            each.center,
            value,
            yerr=[[value - low], [high - value]],
            fmt="o",
            color=COLOURS["black"],
            markersize=4,
            linewidth=1.1,
        )
    axes.set(title=panel.title, ylim=(-0.04, 1.04))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    is_high = (
        panel.curve is not None and panel.curve.value[-1] > 0.5
    )  # the note goes where the curve does not end
    axes.text(
        0.97,
        0.06 if is_high else 0.95,
        panel.note,
        transform=axes.transAxes,
        ha="right",
        va="bottom" if is_high else "top",
        fontsize=8.5,
    )
