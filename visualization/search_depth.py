"""A number for every channel of every hook point: a line a hook point in the order of the forward pass.

When to use: with `procscope.interventions.channel_search`. Nothing is computed here.

Axes: `channel` of one hook point.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.figure import Figure

from procscope.workbench.figures import COLOURS, styled, subplots


class SearchPanel(NamedTuple):
    """One network."""

    title: str
    places: Sequence[str]
    standardised: Sequence[Float[np.ndarray, " channel"]]
    """By place."""
    stands_out: Sequence[Bool[np.ndarray, " channel"]]


@styled()
def plot_search_depth(panels: Sequence[SearchPanel]) -> Figure:
    """The panels side by side; a point a channel, the median as a bar. Raises ValueError: no panels or places."""
    if not panels or any(len(one.places) != len(one.standardised) or not one.places for one in panels):
        raise ValueError(
            f"expected panels with numbers for each place; given {len(panels)} panels with "
            f"{[(len(one.places), len(one.standardised)) for one in panels]} places and arrays"
        )
    most = max(len(panel.places) for panel in panels)
    figure, axes = subplots(
        1,
        len(panels),
        width_inches=1.3 + 2.7 * len(panels),
        height_inches=0.17 * most + 1.0,
        squeeze=False,
        sharey=True,
        sharex=True,
    )
    for axis, panel in zip(axes[0], panels, strict=True):
        for line, (values, out) in enumerate(zip(panel.standardised, panel.stands_out, strict=True)):
            axis.scatter(
                values[~out], np.full((~out).sum(), line), s=5, color=COLOURS["grey"], alpha=0.6, linewidth=0
            )
            axis.scatter(values[out], np.full(out.sum(), line), s=9, color=COLOURS["vermilion"], linewidth=0)
            median = float(np.median(values))
            axis.plot([median, median], [line - 0.4, line + 0.4], color=COLOURS["black"], linewidth=1.2)
        axis.set(
            title=panel.title,
            xlabel="pair effect (standard deviations)",
            ylim=(len(panel.places) - 0.4, -0.6),
        )
        # Nearly silent channels have hardly any spread, and what divides by it lies far out.
        axis.set_xscale("symlog", linthresh=2)
        axis.set_yticks(range(len(panel.places)), panel.places, fontsize=6.5)
        axis.grid(axis="y", visible=False)
    return figure
