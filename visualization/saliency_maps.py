"""Attributions to pixels over the level's picture.

When to use: with integrated gradients, occlusion or direct attribution by position
(`procscope.interventions.circuits`), or any signed map. Nothing is computed here. The map may be coarser than the
picture: it is stretched over it. Red adds to the metric, blue takes away from it, and where there is little of either
the picture shows in grey.

    pictures = level_pictures([level.to_state() for level in levels])
    plot_saliency([SaliencyPanel("integrated gradients", pictures[0], found.per_pixel[0])])

Axes: `row col rgb` of a picture of any size, from the top; `map_row map_col` of the map.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.figure import Figure

from procscope.workbench.figures import DIVERGING, panel_grid, styled

_SIDE_INCHES = 2.9
_FULL_SHARE = 99.5
"""Percentile of the map's sizes at which colours are full: a few extreme pixels would else wash out all others."""


class SaliencyPanel(NamedTuple):
    """A picture and what its places add."""

    title: str
    picture: UInt8[np.ndarray, "row col rgb"]
    heat: Float[np.ndarray, "map_row map_col"] | None = None
    """None shows the picture alone, in colour."""


@styled()
def plot_saliency(panels: Sequence[SaliencyPanel], *, label: str, columns: int = 4) -> Figure:
    """The panels, so many in a row; each map on its own colour scale, whose end stands beneath it.

    Args:
        label: what colours mean, with the unit.

    Raises ValueError: no panels, or a map with a number that is not finite.
    """
    if bad := [
        panel.title for panel in panels if panel.heat is not None and not np.isfinite(panel.heat).all()
    ]:
        raise ValueError(f"expected finite maps; there are other numbers in those of {bad}")
    figure, axes = panel_grid(len(panels), columns, panel_inches=(_SIDE_INCHES, _SIDE_INCHES + 0.55))
    for panel, axis in zip(panels, axes, strict=True):
        axis.set(xticks=[], yticks=[])
        axis.grid(visible=False)
        _draw(axis, panel, label)
    return figure


def _draw(axis, panel: SaliencyPanel, label: str) -> None:
    height, width = panel.picture.shape[:2]
    axis.set_title(panel.title, fontsize=9.5)
    if panel.heat is None:
        axis.imshow(panel.picture)
        return
    grey = panel.picture.astype(float).mean(axis=2)
    axis.imshow(grey, cmap="Greys_r", vmin=-160, vmax=340)
    size = np.abs(panel.heat)
    end = float(np.percentile(size, _FULL_SHARE)) or float(size.max()) or 1.0
    axis.imshow(
        panel.heat,
        extent=(-0.5, width - 0.5, height - 0.5, -0.5),
        cmap=DIVERGING,
        vmin=-end,
        vmax=end,
        alpha=np.clip(1.6 * size / end, 0, 0.9),
    )
    axis.set_xlabel(f"{label}, full colour at ±{end:.2g}", fontsize=8)
