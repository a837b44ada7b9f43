"""Heat maps of what patching restores: by hook point and channel, and by position.

When to use: with the effects of `procscope.interventions.circuits`, or any signed number per channel or position.
Nothing is computed here. Colours are centred on 0, grey where there is no number; a dot marks sites that are told
from 0.

    plot_effects_by_channel({name: effects.mean(name) for name in effects.changes}, label="restored")

Axes: `channel` of a hook point; `row col` of its map, from the top.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from procscope.workbench.figures import COLOURS, DIVERGING, panel_grid, styled, subplots

_CELL_INCHES = 0.19
_MAP_INCHES = 1.75


class PositionMap(NamedTuple):
    """Effects by position of one hook point."""

    title: str
    effect: Float[np.ndarray, "row col"]
    """NaN where there is none."""
    sure: Bool[np.ndarray, "row col"] | None = None
    """Which are told from 0."""


@styled()
def plot_effects_by_channel(
    effects: Mapping[str, Float[np.ndarray, " channel"]],
    *,
    label: str,
    sure: Mapping[str, Bool[np.ndarray, " channel"]] | None = None,
    largest: float | None = None,
) -> Figure:
    """A row for each hook point, in the order given, and a column for each channel.

    Args:
        label: what is shown, with its unit.
        sure: by hook point, which channels are told from 0; they get a dot.
        largest: end of the colour scale; by default the largest effect.

    Raises ValueError: no hook points, effects that are not one number per channel, or none at all.
    """
    if not effects or any(one.ndim != 1 or not len(one) for one in effects.values()):
        raise ValueError(
            f"expected one number per channel of at least one hook point; given shapes "
            f"{ {name: one.shape for name, one in effects.items()} }"
        )
    names = list(effects)
    grid = np.full((len(names), max(len(one) for one in effects.values())), np.nan)
    for i, one in enumerate(effects.values()):
        grid[i, : len(one)] = one
    end = _end([grid], largest)
    figure, axes = subplots(
        width_inches=max(5.0, 2.6 + _CELL_INCHES * grid.shape[1]),
        height_inches=1.0 + _CELL_INCHES * len(names),
    )
    axes.set_facecolor("#E9EBEE")
    shown = axes.imshow(grid, vmin=-end, vmax=end, cmap=DIVERGING, aspect="auto")
    for i, name in enumerate(names):
        if sure is not None and name in sure:
            marked = np.flatnonzero(sure[name])
            axes.scatter(
                marked, np.full(len(marked), i), s=7, color=COLOURS["black"], edgecolor="white", linewidth=0.5
            )
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set(xlabel="channel")
    axes.grid(visible=False)
    figure.colorbar(shown, ax=axes, label=label, pad=0.015)
    return figure


@styled()
def plot_effects_by_position(
    maps: Sequence[PositionMap], *, label: str, columns: int = 4, largest: float | None = None
) -> Figure:
    """Each map by itself, so many in a row, on one colour scale. Args as in `plot_effects_by_channel`.

    Raises ValueError: no maps, or no number in any.
    """
    if not maps or columns < 1:
        raise ValueError(f"expected at least one map and one column; given {len(maps)}, columns={columns}")
    end = _end([one.effect for one in maps], largest)
    figure, axes = panel_grid(
        len(maps), columns, panel_inches=(_MAP_INCHES, _MAP_INCHES + 0.25), margin_inches=0.9
    )
    every_place = list(figure.axes)
    colours = ScalarMappable(Normalize(-end, end), DIVERGING)
    for one, axis in zip(maps, axes, strict=True):
        axis.set(xticks=[], yticks=[])
        axis.grid(visible=False)
        axis.set_facecolor("#E9EBEE")
        axis.imshow(one.effect, norm=colours.norm, cmap=DIVERGING)
        if one.sure is not None:
            row, col = np.nonzero(one.sure)
            axis.scatter(col, row, s=9, color=COLOURS["black"], edgecolor="white", linewidth=0.5)
        axis.set_title(one.title, fontsize=9)
    figure.colorbar(colours, ax=every_place, label=label, shrink=0.8)
    return figure


def _end(arrays: Sequence[np.ndarray], largest: float | None) -> float:
    if largest is not None:
        return largest
    numbers = np.concatenate([np.abs(one[np.isfinite(one)]) for one in arrays])
    if not len(numbers):
        raise ValueError("expected at least one finite number to show; there is none")
    return float(numbers.max()) or 1.0
