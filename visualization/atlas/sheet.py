"""A sheet of an atlas as a figure: some units, a few pictures of each by each method.

When to use: in reports and documents, where a page is too much. Colours are those of the pictures; under each method
stands what is measured of its first picture; reach is counted from the median of frames.

Axes: `row col rgb` of a picture.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from matplotlib.figure import Figure
from PIL import Image

from procscope.visualization.atlas.build import Atlas
from procscope.visualization.atlas.entry import AtlasEntry
from procscope.workbench.figures import styled, subplots

_SIDE_INCHES = 0.78
_GAP = 0.14


@styled()
def plot_sheet(
    atlas: Atlas, units: Sequence[str], *, methods: Sequence[str] = (), pictures: int = 2
) -> Figure:
    """Rows of units, columns of methods, so many pictures of each.

    Args:
        methods: some of the atlas's, all without it.

    Raises ValueError: a unit or method that the atlas has not, or none.
    """
    chosen = tuple(methods) or atlas.settings.methods
    missing = [name for name in units if name not in atlas.units]
    missing += [name for name in chosen if name not in atlas.settings.methods]
    if missing or not units or pictures < 1:
        raise ValueError(
            f"expected units and methods of this atlas and at least one picture; given {missing or list(units)}, "
            f"{pictures} pictures"
        )
    most = {m: min(pictures, max(len(atlas.entries[u, m].pictures) for u in units)) for m in chosen}
    wide = 2 if atlas.entries[units[0], chosen[0]].pictures[0].is_pair else 1
    width = sum(wide * _SIDE_INCHES * most[method] + _GAP for method in chosen) + 0.8
    figure, axes = subplots(
        len(units),
        len(chosen) + 1,
        width_inches=width,
        height_inches=(_SIDE_INCHES + 0.28) * len(units) + 0.35,
        squeeze=False,
        gridspec_kw={"width_ratios": [0.8, *(wide * _SIDE_INCHES * most[method] for method in chosen)]},
    )
    for row, unit in enumerate(units):
        axes[row, 0].set_axis_off()
        axes[row, 0].text(0, 0.5, unit.replace(" ", "\n"), fontsize=8, va="center")
        for axis, method in zip(axes[row, 1:], chosen, strict=True):
            entry = atlas.entries[unit, method]
            axis.imshow(_strip(entry, most[method], wide))
            axis.set(xticks=[], yticks=[])
            axis.grid(visible=False)
            for spine in axis.spines.values():
                spine.set_visible(False)
            axis.set_xlabel(_measures(entry), fontsize=6.5, labelpad=1.5)
            if row == 0:
                axis.set_title(method, fontsize=8.5)
    return figure


def _strip(entry: AtlasEntry, most: int, wide: int) -> UInt8[np.ndarray, "row col 3"]:
    """The first pictures in a row, each in a box 96 pixels high and so many times as wide, white between them."""
    side, gap = 96, 4
    strip = np.full((side, most * (wide * side + gap) - gap, 3), 255, np.uint8)
    for number, one in enumerate(entry.pictures[:most]):
        picture = one.opened()
        scale = min(wide * side / picture.width, side / picture.height)
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        shown = np.asarray(picture.resize(size, Image.Resampling.NEAREST))
        left = number * (wide * side + gap)
        strip[: shown.shape[0], left : left + shown.shape[1]] = shown
    return strip


def _measures(entry: AtlasEntry) -> str:
    if entry.problem:
        return entry.problem
    parts = [f"value {entry.value:.3g}"]
    parts += [f"reach {entry.reach_from_median:.2g}"] if entry.reach_from_median is not None else []
    parts += [f"seeds {entry.seed_similarity:.2f}"] if entry.seed_similarity is not None else []
    # In two lines: a column of two pictures is narrower than all three.
    return "\n".join([parts[0], ", ".join(parts[1:])]) if len(parts) > 1 else parts[0]
