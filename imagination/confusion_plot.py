"""A picture of which imagined state looks like which true one.

When: for the `matches` or `likeness` of an `Evaluation`. If the core's steps were the world's, the diagonal would be
full.

Axes: `imagined` i = 1 ... n from the top, `time` j = 1 ... m from the left; the first and the last are taught.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from procscope.workbench.figures import COLOURS, SEQUENTIAL, styled, subplots


class Confusion(NamedTuple):
    """One panel."""

    title: str
    matches: Float[np.ndarray, "imagined time"]
    """Share of sequences in which the two match, or any other share."""


@styled()
def plot_confusions(
    panels: Sequence[Confusion],
    columns: int = 4,
    unit: str = "share that match",
    first_row: int = 1,
    hatched: bool = True,
    lowest: float = 0.0,
) -> Figure:
    """A panel for each, with the share in every cell.

    Args:
        unit: of the shares, for the label.
        first_row: number of the first row: 0 where the encoded board is among them.
        lowest: share at which the colours begin, such as that of chance.
        hatched: marks the first and the last state, which do not count towards the metric.
    """
    rows = -(-len(panels) // columns)
    columns = min(columns, len(panels))
    figure, axes = subplots(
        rows,
        columns,
        width_inches=max(3.1 * columns + 0.4, 5.0),
        height_inches=2.5 * rows + 0.5,
        squeeze=False,
    )
    for place, panel in enumerate(axes.flat):
        if place >= len(panels):
            panel.set_visible(False)
            continue
        title, matches = panels[place]
        n, m = matches.shape
        panel.imshow(matches, vmin=lowest, vmax=1, cmap=SEQUENTIAL, aspect="auto")
        for (i, j), share in np.ndenumerate(matches):
            ink = "white" if share < lowest + 0.6 * (1 - lowest) else COLOURS["black"]
            panel.text(j, i, f"{share:.2f}", ha="center", va="center", fontsize=8.5, color=ink)
        for column in (0, m - 1) if hatched else ():
            edge = (column - 0.5, -0.5)
            panel.add_patch(
                Rectangle(edge, 1, n, fill=False, hatch="//", edgecolor="white", linewidth=0, alpha=0.5)
            )
        panel.set_xticks(range(m), [f"s{j + 1}" for j in range(m)])
        panel.set_yticks(range(n), [f"h{i + first_row}" for i in range(n)])
        panel.set_title(title, fontsize=9)
        panel.tick_params(length=0)
        panel.grid(visible=False)
    note = "; hatched: taught, not counted" if hatched else ""
    figure.supxlabel(f"true state ({unit}{note})", fontsize=9)
    figure.supylabel("state of the core", fontsize=9)
    return figure
