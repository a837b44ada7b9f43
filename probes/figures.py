"""Figures of what probes found. Nothing is computed here.

Axes: `target`, `place` a layer read in one way; `bin` of a target, `alpha` ridge strengths; `row col` of a map.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.figure import Figure

from procscope.workbench.figures import COLOURS, DIVERGING, ORDER, panel_grid, styled, subplots
from procscope.workbench.statistics import Interval

_LOOKS = {
    "trained": ("o", "blue"),
    "untrained": ("s", "orange"),
    "control": ("x", "vermilion"),
    "pixels": ("D", "green"),
}


class ScorePoint(NamedTuple):
    """One score of one target."""

    place: str
    """Where it belongs on the x axis: a layer, read in one way."""
    source: str
    """`trained`, `untrained`, `control` or `pixels`."""
    score: Interval


class Curve(NamedTuple):
    """A line with a name."""

    name: str
    x: Float[np.ndarray, " bin"]
    y: Float[np.ndarray, " bin"]
    low: Float[np.ndarray, " bin"] | None = None
    high: Float[np.ndarray, " bin"] | None = None


@styled()
def plot_scores(target: str, points: Sequence[ScorePoint], *, guess: float, ylabel: str) -> Figure:
    """Scores by layer with their intervals, trained and baselines side by side; a line for guessing."""
    places = list(dict.fromkeys(point.place for point in points if point.source != "pixels"))
    figure, axes = subplots(width_inches=max(4.6, 1.8 + 0.95 * len(places)), height_inches=3.7)
    axes.axhline(guess, color=COLOURS["grey"], linewidth=1, linestyle="--", label="guessing")
    for i, (source, (marker, colour)) in enumerate(_LOOKS.items()):
        shown = [point for point in points if point.source == source]
        if not shown:
            continue
        if source == "pixels":
            score = shown[0].score
            axes.axhspan(score.low, score.high, color=COLOURS[colour], alpha=0.18, linewidth=0)
            axes.axhline(score.value, color=COLOURS[colour], linewidth=1.2, label="pixels (16 x 16, flat)")
            continue
        x = np.array([places.index(point.place) for point in shown]) + 0.16 * (i - 1)
        value = np.array([point.score.value for point in shown])
        errors = np.maximum(
            [value - [p.score.low for p in shown], [p.score.high for p in shown] - value], 0
        )  # a bootstrap's ends may leave the value out by a rounding error
        axes.errorbar(
            x, value, errors, fmt=marker, color=COLOURS[colour], elinewidth=1.3, markersize=5.5,
            label={"trained": "trained network", "untrained": "untrained network", "control": "control task"}[source],
        )  # fmt: skip
    many = len(places) > 4
    axes.set_xticks(range(len(places)), places, rotation=25 if many else 0, ha="right" if many else "center")
    axes.set(ylabel=ylabel, title=target, xlim=(-0.6, len(places) - 0.4))
    axes.grid(visible=False, axis="x")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


@styled()
def plot_recodings(target: str, curves: Sequence[Curve]) -> Figure:
    """The monotone recodings that are read best, and the target itself, in standard deviations."""
    figure, axes = subplots(width_inches=5.6)
    x = curves[0].x
    axes.plot(x, (x - x.mean()) / x.std(), color=COLOURS["grey"], linestyle="--", label="the target itself")
    for curve, colour in zip(curves, ORDER, strict=False):
        axes.plot(curve.x, curve.y, color=COLOURS[colour], marker="o", markersize=3, label=curve.name)
    axes.set(xlabel=target, ylabel="recoding (standard deviations)")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


@styled()
def plot_thresholds(target: str, curves: Sequence[Curve]) -> Figure:
    """How well "above c" is told on other levels, for every c."""
    figure, axes = subplots(width_inches=5.6)
    axes.axhline(0.5, color=COLOURS["grey"], linestyle="--", linewidth=1, label="guessing")
    for curve, colour in zip(curves, ORDER, strict=False):
        axes.plot(curve.x, curve.y, color=COLOURS[colour], marker="o", markersize=3.5, label=curve.name)
        if curve.low is not None and curve.high is not None:
            axes.fill_between(curve.x, curve.low, curve.high, color=COLOURS[colour], alpha=0.15, linewidth=0)
    axes.set(xlabel=f"c, for {target} > c", ylabel="area under the ROC curve")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


@styled()
def plot_strengths(target: str, curves: Sequence[Curve]) -> Figure:
    """R² on held-out levels by ridge strength; 0 stands at the left end, off the scale."""
    figure, axes = subplots(width_inches=5.6)
    for curve, colour in zip(curves, ORDER, strict=False):
        least = curve.x[curve.x > 0].min(initial=1.0)
        axes.plot(
            np.where(curve.x > 0, curve.x, least / 10), curve.y, color=COLOURS[colour], marker="o", markersize=3.5,
            label=curve.name,
        )  # fmt: skip
    axes.set_xscale("log")
    positive = sorted({float(x) for curve in curves for x in curve.x if x > 0})
    ends = [positive[0] / 10] if positive and any((curve.x == 0).any() for curve in curves) else []
    axes.set_xticks([*ends, *positive], ["0"] * len(ends) + [f"{x:g}" for x in positive], minor=False)
    axes.minorticks_off()
    low = min(float(curve.y.max()) for curve in curves)
    axes.set(xlabel="ridge strength alpha", ylabel="R² on held-out levels", title=target)
    axes.set_ylim(bottom=max(-0.3, min(low - 0.5, -0.05)), top=1.0)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


@styled()
def plot_contributions(
    maps: Float[np.ndarray, "frame row col"],
    frames: UInt8[np.ndarray, "frame pixel pixel rgb"] | None,
    titles: Sequence[str],
    *,
    label: str,
) -> Figure:
    """Where in the level a reading comes from: each position's share over the picture (or alone, without frames)."""
    end = float(np.abs(maps).max()) or 1.0
    figure, axes = panel_grid(len(maps), 4, panel_inches=(1.9, 2.15), margin_inches=0.9)
    shown = None
    for i, axis in enumerate(axes):
        axis.set(xticks=[], yticks=[])
        axis.grid(visible=False)
        extent = (0.0, 64.0, 64.0, 0.0)
        if frames is not None:
            axis.imshow(frames[i].mean(axis=2), cmap="gray", extent=extent, vmin=0, vmax=255)
        shown = axis.imshow(
            maps[i],
            cmap=DIVERGING,
            vmin=-end,
            vmax=end,
            extent=extent,
            alpha=0.62 if frames is not None else 1.0,
        )
        axis.set_title(titles[i], fontsize=8.5)
    assert shown is not None
    figure.colorbar(shown, ax=list(figure.axes), label=label, shrink=0.8)
    return figure
