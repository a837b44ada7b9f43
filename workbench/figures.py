"""One look for all figures, and how they are written to disk.

    @styled()
    def plot_rates(rates) -> Figure:
        figure, axes = subplots(width_inches=5)
        axes.plot(rates.distance_cells, rates.share, color=COLOURS["blue"])
        axes.set(xlabel="distance to the cheese (cells)", ylabel="share of levels")
        return figure

Plot functions are kept apart from what computes their data. Figures are made without pyplot, so nothing is
global, no window opens and nothing must be closed. Every axis names its quantity and unit. The colours are
those of Okabe and Ito (2008, "Color Universal Design"), which people with any common colour blindness can
tell apart; `ORDER` gives the order in which series take them. The same data give the same bytes on one
machine.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
from cycler import cycler
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from procscope.workbench.atomic import write_bytes_atomically

COLOURS = {
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "vermilion": "#D55E00",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "yellow": "#F0E442",
    "black": "#1B1F24",
    "grey": "#8A9099",
}
ORDER = ("blue", "vermilion", "green", "orange", "purple", "sky", "black")
SEQUENTIAL = "viridis"
"""Colour map for magnitudes from 0 up."""
DIVERGING = "RdBu_r"
"""Colour map for signed values; centre it on 0."""

_STYLE: Any = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#5B626B",
    "axes.grid": True,
    "axes.labelcolor": COLOURS["black"],
    "axes.labelsize": 10,
    "axes.linewidth": 0.8,
    "axes.prop_cycle": cycler(color=[COLOURS[name] for name in ORDER]),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "errorbar.capsize": 2.5,
    "figure.constrained_layout.use": True,
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "grid.color": "#E4E7EB",
    "grid.linewidth": 0.7,
    "image.cmap": SEQUENTIAL,
    "image.interpolation": "nearest",
    "legend.fontsize": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "savefig.dpi": 200,
    "svg.fonttype": "path",
    "svg.hashsalt": "procscope",
    "xtick.color": "#5B626B",
    "xtick.labelcolor": COLOURS["black"],
    "ytick.color": "#5B626B",
    "ytick.labelcolor": COLOURS["black"],
}


class Picture(NamedTuple):
    """A figure as files' contents."""

    png: bytes
    svg: bytes


@contextmanager
def styled() -> Iterator[None]:
    """The project's look inside the block; also a decorator for functions that plot."""
    with matplotlib.rc_context(_STYLE):
        yield


def subplots(
    rows: int = 1,
    columns: int = 1,
    *,
    width_inches: float | int = 6.4,
    height_inches: float | int = 3.6,
    **options: Any,
) -> tuple[Figure, Any]:
    """A figure and its axes (one, or an array as `Figure.subplots` gives); call it inside `styled`."""
    figure = Figure(figsize=(width_inches, height_inches))
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, **options)


def panel_grid(
    count: int,
    columns: int,
    *,
    panel_inches: tuple[float, float],
    margin_inches: float = 0.0,
) -> tuple[Figure, list[Any]]:
    """A figure of `count` panels, at most so many in a row, and the axes of each; call it inside `styled`.

    Places that are left over in the last row show nothing.

    Args:
        panel_inches: width and height of one panel.
        margin_inches: width beside all panels, for a colour bar or a label.

    Raises ValueError: no panels or no columns.
    """
    if count < 1 or columns < 1:
        raise ValueError(f"expected at least one panel and one column; given {count}, columns={columns}")
    columns = min(columns, count)
    rows = -(-count // columns)
    width, height = panel_inches
    figure, axes = subplots(
        rows,
        columns,
        width_inches=width * columns + margin_inches,
        height_inches=height * rows,
        squeeze=False,
    )
    places = axes.reshape(-1).tolist()
    for axis in places[count:]:
        axis.set_axis_off()
    return figure, places[:count]


def rendered(figure: Figure) -> Picture:
    """The figure as PNG (200 dpi) and SVG, with no date or version in them."""
    png, svg = io.BytesIO(), io.BytesIO()
    with styled():
        figure.savefig(png, format="png", metadata={"Software": None})
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
    return Picture(png.getvalue(), svg.getvalue())


def make_figure_folder(path: Path) -> None:
    """The folder that a figure will be written to, made before the work that it shows begins.

    Raises ValueError for a file that does not end in .png or .svg.
    """
    if path.suffix not in (".png", ".svg"):
        raise ValueError(f"expected a picture file that ends in .png or .svg; given: {path}")
    path.parent.mkdir(parents=True, exist_ok=True)


def write_figure(figure: Figure, path: Path) -> None:
    """Write a figure to a file. Raises ValueError for one that does not end in .png or .svg."""
    make_figure_folder(path)
    write_bytes_atomically(path, rendered(figure)._asdict()[path.suffix[1:]])
