"""Shares by distance, with intervals: a panel a network, a curve an arm.

When to use: for anything that is measured in bins of a distance. Nothing is computed here.

Axes: `bin` of the distance.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from procscope.workbench.figures import COLOURS, styled, subplots
from procscope.workbench.statistics import Interval


class DistanceCurve(NamedTuple):
    """One arm."""

    name: str
    """For the legend."""
    colour: str
    """A name in `procscope.workbench.figures.COLOURS`."""
    middles: Float[np.ndarray, " bin"]
    """Of the bins."""
    shares: Sequence[Interval]


class DistancePanel(NamedTuple):
    """One panel."""

    title: str
    curves: Sequence[DistanceCurve]


@styled()
def plot_distance_curves(panels: Sequence[DistancePanel], *, xlabel: str, ylabel: str) -> Figure:
    """The panels side by side on one scale of shares.

    Raises ValueError: no panels, or curves with other numbers of bins and shares.
    """
    wrong = [c.name for panel in panels for c in panel.curves if len(c.middles) != len(c.shares)]
    if not panels or wrong:
        raise ValueError(
            f"expected at least one panel, and a share for each bin; given {len(panels)} panels, other numbers in "
            f"{wrong}"
        )
    figure, axes = subplots(
        1,
        len(panels),
        width_inches=max(5.8, 3.1 * len(panels) + 0.6),  # the legend has three columns
        height_inches=3.5,
        squeeze=False,
        sharey=True,
    )
    for axis, panel in zip(axes[0], panels, strict=True):
        for number, curve in enumerate(panel.curves):
            value, low, high = (np.array([one[i] for one in curve.shares]) for i in range(3))
            axis.errorbar(
                curve.middles + 0.12 * (number - len(panel.curves) / 2),
                value,
                np.maximum([value - low, high - value], 0),
                fmt="o-",
                color=COLOURS[curve.colour],
                linewidth=1.3,
                markersize=3.5,
                label=curve.name,
            )
        axis.set(title=panel.title, xlabel=xlabel, ylim=(-0.03, 1.03))
        axis.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes[0, 0].set_ylabel(ylabel)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3)
    return figure
