"""What an intervention does at each place of a network and each strength, as shades: red more, blue less.

When to use: for sweeps over hook points and strengths. Nothing is computed here; a dot marks what is told from no
change.

Axes: `place` hook points, the first at the top; `strength` from left to right.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from procscope.workbench.figures import COLOURS, DIVERGING, styled, subplots


class StrengthMap(NamedTuple):
    """One panel."""

    title: str
    places: Sequence[str]
    strengths: Sequence[float]
    change: Float[np.ndarray, "place strength"]
    sure: Bool[np.ndarray, "place strength"]
    """Which are told from no change."""


@styled()
def plot_strength_maps(rows: Sequence[Sequence[StrengthMap]], *, label: str, largest: float = 1.0) -> Figure:
    """A grid of panels on one colour scale from -largest to largest.

    Args:
        label: what colours mean, with its unit.

    Raises ValueError: no panels, or changes of another shape than places and strengths.
    """
    panels = [panel for row in rows for panel in row]
    if not panels or any(
        one.change.shape != (len(one.places), len(one.strengths)) or one.sure.shape != one.change.shape
        for one in panels
    ):
        raise ValueError(
            f"expected at least one panel, with a change and a truth value for each place and strength; given shapes "
            f"{[(one.change.shape, one.sure.shape, (len(one.places), len(one.strengths))) for one in panels]}"
        )
    columns = max(len(row) for row in rows)
    most = max(len(panel.places) for panel in panels)
    figure, axes = subplots(
        len(rows),
        columns,
        width_inches=1.5 + 1.55 * columns,
        height_inches=(0.16 * most + 0.9) * len(rows),
        squeeze=False,
        sharey=True,
    )
    colours = ScalarMappable(Normalize(-largest, largest), DIVERGING)
    for line, row in enumerate(rows):
        for column, panel in enumerate(row):
            axis = axes[line, column]
            axis.imshow(panel.change, norm=colours.norm, cmap=DIVERGING, aspect="auto")
            y, x = np.nonzero(panel.sure)
            axis.scatter(x, y, s=9, color=COLOURS["black"], edgecolor="white", linewidth=0.5)
            axis.set_xticks(
                range(len(panel.strengths)),
                [f"{each:+g}".replace("-", "−") for each in panel.strengths],
                fontsize=8,
            )
            axis.set_yticks(range(len(panel.places)), panel.places, fontsize=6.5)
            axis.set_title(panel.title, fontsize=8.5)
            axis.set_xlabel("strength", fontsize=8)
            axis.tick_params(length=0)
            axis.grid(visible=False)
        for axis in axes[line, len(row) :]:
            axis.set_axis_off()
    figure.colorbar(colours, ax=axes.reshape(-1).tolist(), label=label, shrink=0.6 if len(rows) == 1 else 0.4)
    return figure
