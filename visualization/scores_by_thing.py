"""A score of several things beside its baselines: a line a thing, a mark a source, with intervals.

When to use: for how well units follow the entities of a level, or any score that has baselines of its own. Nothing is
computed here.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from procscope.workbench.figures import COLOURS, ORDER, styled, subplots
from procscope.workbench.statistics import Interval


class ScorePanel(NamedTuple):
    """One panel: one network in one setting."""

    title: str
    scores: Mapping[str, Mapping[str, Interval]]
    """By source ("trained", "untrained"), then by thing; a missing one is not drawn."""


@styled()
def plot_scores(panels: Sequence[ScorePanel], *, xlabel: str, columns: int = 2) -> Figure:
    """Panels on one scale, so many in a row. Raises ValueError: no panels, or no scores."""
    lines = list(dict.fromkeys(thing for p in panels for of in p.scores.values() for thing in of))
    sources = list(dict.fromkeys(source for panel in panels for source in panel.scores))
    if not lines:
        raise ValueError("expected at least one panel with a score; given none")
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    figure, axes = subplots(
        rows,
        columns,
        width_inches=3.1 * columns + 1.2,
        height_inches=(0.3 * len(lines) + 1.0) * rows + 0.3,
        squeeze=False,
        sharex=True,
        sharey=True,
    )
    for place, axis in enumerate(axes.reshape(-1)):
        if place >= len(panels):
            axis.set_axis_off()
            continue
        for number, source in enumerate(sources):
            found = panels[place].scores.get(source, {})
            y = [lines.index(thing) + 0.2 * (number - (len(sources) - 1) / 2) for thing in found]
            value, low, high = (np.array([one[i] for one in found.values()]) for i in range(3))
            axis.errorbar(
                value,
                y,
                xerr=np.maximum([value - low, high - value], 0),
                fmt="o",
                color=COLOURS[ORDER[number]],
                markersize=4.5,
                linewidth=1.3,
                label=source,
            )
        axis.axvline(0, color=COLOURS["grey"], linewidth=0.8)
        axis.set(title=panels[place].title, ylim=(len(lines) - 0.5, -0.5))
        axis.set_yticks(range(len(lines)), lines)
        axis.grid(axis="y", visible=False)
    for axis in axes[-1]:
        axis.set_xlabel(xlabel)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(sources))
    return figure
