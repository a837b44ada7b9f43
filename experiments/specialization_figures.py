"""Figures of `specialization`: Fisher statistics beside the published ones, percentiles, pictures of groups."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from procscope.modularity.group_visualisation import VisualisedGroups
from procscope.workbench.figures import COLOURS, ORDER, styled, subplots


class FisherPoint(NamedTuple):
    """One table entry in a figure."""

    name: str
    """Network and partition."""
    value: float
    low: float
    high: float
    published: float | None
    significant: bool


@styled()
def plot_fisher(panels: Mapping[str, Sequence[FisherPoint]], null: float) -> Figure:
    """A panel for each measure, a row for each network and partition; filled dots are significant."""
    rows = max(map(len, panels.values()))
    figure, axes = subplots(
        1,
        len(panels),
        width_inches=2.6 + 1.9 * len(panels),
        height_inches=1.3 + 0.26 * rows,
        sharey=True,
        squeeze=False,
    )
    for axis, (measure, points) in zip(axes[0], panels.items(), strict=True):
        first_published = next((row for row, one in enumerate(points) if one.published is not None), None)
        for row, point in enumerate(points):
            bars = [[point.value - point.low], [point.high - point.value]]
            axis.errorbar(
                point.value,
                row,
                xerr=bars if np.isfinite(bars).all() else None,
                fmt="o",
                color=COLOURS["blue"],
                markerfacecolor=COLOURS["blue"] if point.significant else "white",
                label="mean over networks, 95% interval; filled: significant" if row == 0 else None,
            )
            if point.published is not None:
                axis.plot(
                    point.published,
                    row,
                    "x",
                    color=COLOURS["vermilion"],
                    label="published" if row == first_published else None,
                )
        axis.axvline(null, color=COLOURS["grey"], linestyle="--", label="random groups")
        axis.set(title=measure, xlabel="Fisher statistic")
    first = axes[0][0]
    first.set_yticks(range(rows), [point.name for point in next(iter(panels.values()))])
    first.invert_yaxis()
    handles, labels = first.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


@styled()
def plot_percentiles(panels: Mapping[str, Float[np.ndarray, " _group"]]) -> Figure:
    """Where true groups lie among random ones, a panel for each partition; flat if they are like random ones."""
    figure, axes = subplots(
        1, len(panels), width_inches=2.4 * len(panels), height_inches=2.6, sharey=True, squeeze=False
    )
    for axis, colour, (name, percentiles) in zip(axes[0], ORDER, panels.items(), strict=False):
        weights = np.full(len(percentiles), 1 / len(percentiles))
        axis.hist(percentiles, bins=np.linspace(0, 1, 11), weights=weights, color=COLOURS[colour])
        axis.axhline(0.1, color=COLOURS["grey"], linestyle="--")
        axis.set(title=name, xlabel="percentile")
    axes[0][0].set_ylabel("share of groups")
    return figure


@styled()
def plot_examples(shown: VisualisedGroups) -> Figure:
    """Pictures of some groups (above) and of random groups of the same size in the same layer (below)."""
    count = len(shown.groups)
    figure, axes = subplots(2, count, width_inches=1.35 * count + 0.6, height_inches=3.4, squeeze=False)
    for column, group in enumerate(shown.groups):
        scores = (shown.score[column], shown.random_score[column, 0])
        for row, (kind, score) in enumerate(zip(("cluster", "random"), scores, strict=True)):
            picture = np.moveaxis(shown.pictures[column, row], 0, -1)
            axis = axes[row][column]
            axis.imshow(picture.squeeze(), cmap="gray", vmin=0, vmax=1)
            title = f"{group.layer}, {len(group.units)}\n" if row == 0 else ""
            axis.set_title(f"{title}{kind}: {score:.3g}", fontsize=8)
            axis.set(xticks=[], yticks=[])
            axis.grid(False)
    return figure
