"""Vector fields over levels: arrows that say where a policy would go from each cell.

When to use: with the fields of `procscope.interventions.vector_field`, or any vector per cell. Nothing is computed
here. An arrow of length 1, a move that is certain, is drawn nearly a cell long; cells in which the arrows are shorter
than `FAINTEST` show a dot. Differences of two fields are drawn in another colour, since they may be up to 2 long.

Cost: a millisecond a picture and a tenth of a second a panel.

Axes: `cell` free cells, `xy` to the right and up.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from procscope.envs.pictures import level_pictures
from procscope.workbench.figures import COLOURS, SEQUENTIAL, panel_grid, styled

FAINTEST = 0.03
_SIDE_INCHES = 3.4
_LONGEST = 0.85
"""Length in cells of an arrow of length 1."""


class FieldPanel(NamedTuple):
    """One level with its arrows."""

    title: str
    level: Any
    """A `MazeLevel` or `HeistLevel`."""
    cells: Int[np.ndarray, "cell xy"]
    arrows: Float[np.ndarray, "cell xy"]
    is_difference: bool = False


@styled()
def plot_vector_fields(panels: Sequence[FieldPanel], columns: int = 3) -> Figure:
    """The panels side by side, so many in a row. Raises ValueError: no panels, or arrows that do not fit the cells."""
    if any(panel.cells.shape != panel.arrows.shape for panel in panels):
        raise ValueError(
            f"expected an arrow for each cell of every panel; given cells and arrows of "
            f"{[(panel.cells.shape, panel.arrows.shape) for panel in panels]}"
        )
    figure, axes = panel_grid(len(panels), columns, panel_inches=(_SIDE_INCHES, _SIDE_INCHES + 0.3))
    for panel, axis in zip(panels, axes, strict=True):
        draw_level(axis, panel.level)
        draw_arrows(axis, panel)
        axis.set_title(panel.title)
    return figure


class HeatPanel(NamedTuple):
    """One level with a number for some cells."""

    title: str
    level: Any
    cells: Int[np.ndarray, "cell xy"]
    values: Float[np.ndarray, " cell"]
    """NaN shows the level."""
    marked: Int[np.ndarray, "marked xy"] | None = None
    """Cells with a ring, such as those told from no effect."""
    walls: bool = True
    """Whether the level's picture is drawn beneath; False for numbers of many levels of its size."""


def plot_cell_heat(
    level: Any,
    cells: Int[np.ndarray, "cell xy"],
    values: Sequence[Float[np.ndarray, " cell"]],
    titles: Sequence[str],
    *,
    label: str,
    low: float = 0.0,
    high: float = 1.0,
    colours: str = SEQUENTIAL,
    marked: Sequence[Int[np.ndarray, "marked xy"]] = (),
) -> Figure:
    """Numbers per cell of one level as colours, one panel for each array, side by side.

    Args:
        label: what is shown, with its unit.
        marked: for each panel, cells with a ring; the last panels may go without.
    """
    rings = [*marked, *[None] * (len(values) - len(marked))]
    panels = [
        HeatPanel(title, level, cells, one, ring)
        for one, title, ring in zip(values, titles, rings, strict=True)
    ]
    return plot_heat_panels(panels, label=label, low=low, high=high, colours=colours, columns=len(panels))


@styled()
def plot_heat_panels(
    panels: Sequence[HeatPanel],
    *,
    label: str,
    low: float = 0.0,
    high: float = 1.0,
    colours: str = SEQUENTIAL,
    columns: int = 3,
) -> Figure:
    """Numbers per cell as colours on one scale, so many panels in a row. Raises ValueError: no panels."""
    figure, axes = panel_grid(
        len(panels), columns, panel_inches=(_SIDE_INCHES, _SIDE_INCHES + 0.3), margin_inches=0.8
    )
    every_place = list(figure.axes)
    scale = ScalarMappable(Normalize(low, high), colours)
    for panel, axis in zip(panels, axes, strict=True):
        if panel.walls:
            draw_level(axis, panel.level)
        else:
            height, width = panel.level.walls.shape
            axis.set(xlim=(0, width), ylim=(0, height), xticks=[], yticks=[], aspect="equal")
            axis.grid(visible=False)
        for (x, y), value in zip(panel.cells.tolist(), panel.values.tolist(), strict=True):
            if np.isfinite(value):
                axis.add_patch(Rectangle((x, y), 1, 1, color=scale.to_rgba(value), linewidth=0))
        if panel.marked is not None and len(panel.marked):
            x, y = (np.asarray(panel.marked) + 0.5).T
            axis.scatter(x, y, s=26, facecolor="none", edgecolor="white", linewidth=1.6)
            axis.scatter(x, y, s=26, facecolor="none", edgecolor=COLOURS["black"], linewidth=0.8)
        axis.set_title(panel.title)
    figure.colorbar(scale, ax=every_place, label=label, shrink=0.85)
    return figure


def draw_level(axis: Any, level: Any) -> None:
    """The level's picture, in cells; its walls alone where the engine shows only what is round the agent."""
    height, width = level.walls.shape
    if level.mode == "memory":
        axis.imshow(level.walls, cmap="Greys", origin="lower", extent=(0, width, 0, height), vmax=1.6)
    else:
        picture = level_pictures([level.to_state()])[0]
        margin, world = getattr(level, "margin", 0), getattr(level, "world", width)
        axis.imshow(picture, extent=(-margin, world - margin, -margin, world - margin), alpha=0.8)
    axis.set(xlim=(0, width), ylim=(0, height), xticks=[], yticks=[], aspect="equal")
    axis.grid(visible=False)


def draw_arrows(axis: Any, panel: FieldPanel) -> None:
    """The arrows from the middles of their cells."""
    lengths = np.linalg.norm(panel.arrows, axis=1)
    seen = lengths >= FAINTEST
    middle = panel.cells + 0.5
    colour = COLOURS["orange"] if panel.is_difference else COLOURS["yellow"]
    if (~seen).any():
        axis.scatter(*middle[~seen].T, s=4, color=colour, edgecolor=COLOURS["black"], linewidth=0.3, zorder=3)
    drawn = panel.arrows[seen] * (_LONGEST / 2 if panel.is_difference else _LONGEST)
    start = middle[seen] - drawn / 2
    axis.quiver(
        *start.T,
        *drawn.T,
        angles="xy",
        scale_units="xy",
        scale=1,
        units="xy",
        width=0.11,
        headwidth=3.6,
        headlength=3.4,
        headaxislength=3.2,
        color=colour,
        edgecolor=COLOURS["black"],
        linewidth=0.5,
        zorder=3,
    )
