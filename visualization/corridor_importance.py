"""How much each channel matters on two kinds of cells: a point a channel, a panel a network.

When to use: with `procscope.interventions.corridor_circuits`. Nothing is computed here.

Axes: `channel`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from procscope.workbench.figures import COLOURS, panel_grid, styled

_NAMED = 5
"""Channels with their number beside the point: those that matter most on either kind."""


class ImportancePanel(NamedTuple):
    """One network."""

    title: str
    vertical: Float[np.ndarray, " channel"]
    horizontal: Float[np.ndarray, " channel"]


@styled()
def plot_corridor_importance(panels: Sequence[ImportancePanel]) -> Figure:
    """The panels side by side, each on its own scale, equal along both axes. Raises ValueError: no panels."""
    figure, axes = panel_grid(len(panels), max(1, len(panels)), panel_inches=(3.1, 3.3))
    for panel, axis in zip(panels, axes, strict=True):
        largest = 1.1 * float(max(panel.vertical.max(), panel.horizontal.max())) or 1.0
        axis.plot([0, largest], [0, largest], color=COLOURS["grey"], linestyle="--", linewidth=0.9, zorder=0)
        axis.scatter(panel.vertical, panel.horizontal, s=14, color=COLOURS["blue"])
        for channel in np.argsort(-np.maximum(panel.vertical, panel.horizontal))[:_NAMED].tolist():
            axis.annotate(
                str(channel),
                (panel.vertical[channel], panel.horizontal[channel]),
                xytext=(4, 3),
                textcoords="offset points",
                fontsize=8,
            )
        axis.set(
            title=panel.title,
            xlabel="corridors up and down (nats)",
            ylabel="corridors left and right (nats)",
            xlim=(-0.02 * largest, largest),
            ylim=(-0.02 * largest, largest),
            aspect="equal",
        )
    return figure
