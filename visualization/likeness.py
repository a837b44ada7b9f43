"""How alike some things are, pair by pair: a square of cosines for each panel. Nothing is computed here."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from procscope.workbench.figures import COLOURS, DIVERGING, panel_grid, styled


class LikenessPanel(NamedTuple):
    """One panel."""

    title: str
    names: Sequence[str]
    cosines: Float[np.ndarray, "thing other"]


@styled()
def plot_likeness(panels: Sequence[LikenessPanel], columns: int = 2) -> Figure:
    """The panels on one scale from -1 to 1. Raises ValueError: no panels, or cosines that do not fit the names."""
    if any(panel.cosines.shape != (len(panel.names),) * 2 for panel in panels):
        raise ValueError(
            f"expected a cosine for each pair of names; given {[(len(p.names), p.cosines.shape) for p in panels]}"
        )
    figure, axes = panel_grid(len(panels), columns, panel_inches=(4.2, 4.0))
    for panel, axis in zip(panels, axes, strict=True):
        axis.imshow(panel.cosines, vmin=-1, vmax=1, cmap=DIVERGING)
        for (row, column), value in np.ndenumerate(panel.cosines):
            ink = "white" if abs(value) > 0.7 else COLOURS["black"]
            axis.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=7.5, color=ink)
        axis.set_xticks(range(len(panel.names)), panel.names, rotation=45, ha="right")
        axis.set_yticks(range(len(panel.names)), panel.names)
        axis.tick_params(length=0)
        axis.grid(visible=False)
        axis.set_title(panel.title)
    return figure
