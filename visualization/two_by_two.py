"""Tables of two by two as pictures: shares in large print, shaded, with published ones beneath.

When to use: the decision-square tables of the channel-121 study, pairs of outcomes for McNemar's test.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from procscope.workbench.figures import COLOURS, styled, subplots


class CountTable(NamedTuple):
    """Counts by two yes-or-no questions."""

    title: str
    counts: tuple[tuple[int, int], tuple[int, int]]
    """First index: the row."""
    rows: tuple[str, str]
    columns: tuple[str, str]
    published: tuple[tuple[float, float], tuple[float, float]] | None = None
    """Shares from 0 to 1, or None where nothing is published."""


@styled()
def plot_count_tables(tables: Sequence[Sequence[CountTable]]) -> Figure:
    """A grid of tables; shares are of all counts in a table, which is empty where there are none."""
    columns = max(len(row) for row in tables)
    figure, axes = subplots(
        len(tables), columns, width_inches=2.6 * columns, height_inches=2.1 * len(tables), squeeze=False
    )
    for line, row in enumerate(tables):
        for column in range(columns):
            if column < len(row):
                _draw(axes[line, column], row[column])
            else:
                axes[line, column].set_axis_off()
    return figure


def _draw(axes: Axes, table: CountTable) -> None:
    counts = np.array(table.counts)
    n = int(counts.sum())
    shares = counts / n if n else np.zeros((2, 2))
    axes.imshow(shares, vmin=0, vmax=1.25, cmap="Blues", aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        ink = "white" if share > 0.7 else COLOURS["black"]
        text = f"{share:.1%}" if n else "–"
        published = table.published is not None
        axes.text(
            column, row - (0.1 if published else 0), text, ha="center", va="center", fontsize=13, color=ink
        )
        if table.published is not None:
            beside = f"published {table.published[row][column]:.1%}"
            axes.text(column, row + 0.24, beside, ha="center", va="center", fontsize=7.5, color=ink)
    axes.set_xticks((0, 1), table.columns, fontsize=8.5)
    axes.set_yticks((0, 1), table.rows, fontsize=8.5)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.set_xticks([0.5], minor=True)
    axes.set_yticks([0.5], minor=True)
    axes.grid(which="minor", color="white", linewidth=2.5)
    axes.tick_params(which="minor", length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title(f"{table.title}\n", fontsize=9.5, pad=4)
    axes.set_xlabel(f"n = {n}", fontsize=8.5)
