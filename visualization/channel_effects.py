"""Pictures of what ablating each channel of a hook point does.

When to use: with the results of `zero-channels`, or of any sweep that gives one number with an interval per
channel. Nothing is computed here but the order in which channels are shown.

Axes: `channel` those of one hook point that were intervened on, in the same order in every array.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.figure import Figure

from procscope.workbench.figures import COLOURS, ORDER, styled, subplots

MOST_SHOWN = 32
"""Channels in one ranking; more cannot be told apart."""


class EffectSeries(NamedTuple):
    """One number per channel, under one kind of intervention."""

    name: str
    """For the legend: "zero", "mean"."""
    value: Float[np.ndarray, " channel"]
    low: Float[np.ndarray, " channel"]
    high: Float[np.ndarray, " channel"]
    control: Float[np.ndarray, " channel"] | None = None
    """The same number for each channel's control."""
    sure: Bool[np.ndarray, " channel"] | None = None
    """Which are told from no effect after correction for the number of tests; the others are drawn hollow."""


@styled()
def plot_ranked_effects(
    channels: Sequence[int], series: Sequence[EffectSeries], *, ylabel: str, title: str = ""
) -> Figure:
    """Effects with their intervals, the largest (of the first series, by size) on the left; controls as dashes.

    Raises ValueError: no channels, or no series.
    """
    _require(channels, series)
    order = np.argsort(-np.abs(series[0].value), kind="stable")[:MOST_SHOWN]
    figure, axes = subplots(width_inches=max(5.0, 1.6 + 0.24 * len(order)), height_inches=3.6)
    axes.axhline(0, color=COLOURS["grey"], linewidth=0.8)
    places = np.arange(len(order))
    for i, one in enumerate(series):
        x = places + 0.3 * (i - (len(series) - 1) / 2)
        colour = COLOURS[ORDER[i]]
        value = one.value[order]
        # A bootstrap's ends may leave the value out by a rounding error, which `errorbar` refuses.
        errors = np.maximum([value - one.low[order], one.high[order] - value], 0)
        axes.errorbar(x, value, errors, fmt="none", ecolor=colour, elinewidth=1.2)
        sure = np.ones(len(order), bool) if one.sure is None else one.sure[order]
        axes.scatter(x[sure], value[sure], s=20, color=colour, label=one.name, zorder=3)
        axes.scatter(x[~sure], value[~sure], s=20, facecolor="white", edgecolor=colour, zorder=3)
        if one.control is not None:
            label = f"{one.name}, channel of like norm"
            axes.scatter(x, one.control[order], s=60, marker="_", color=colour, alpha=0.55, label=label)
    axes.set_xticks(places, [str(channels[i]) for i in order], rotation=90 if len(order) > 20 else 0)
    shown = "" if len(order) == len(channels) else f" (the {len(order)} largest of {len(channels)})"
    axes.set(xlabel=f"channel{shown}", ylabel=ylabel, title=title, xlim=(-0.8, len(order) - 0.2))
    axes.grid(visible=False, axis="x")
    axes.legend(loc="best")
    return figure


@styled()
def plot_effects_against_norm(
    channels: Sequence[int],
    norm: Float[np.ndarray, " channel"],
    series: Sequence[EffectSeries],
    *,
    ylabel: str,
    named: int = 6,
) -> Figure:
    """Effects against the channels' norms, the `named` largest with their numbers: is a large effect just a large norm?

    Raises ValueError: no channels, or no series.
    """
    _require(channels, series)
    figure, axes = subplots(width_inches=5.2)
    for i, one in enumerate(series):
        axes.scatter(norm, one.value, s=22, color=COLOURS[ORDER[i]], alpha=0.85, label=one.name)
        for k in np.argsort(-np.abs(one.value), kind="stable")[: named if i == 0 else 0]:
            axes.annotate(
                str(channels[k]),
                (norm[k], one.value[k]),
                xytext=(5, 2),
                textcoords="offset points",
                fontsize=8.5,
            )
    axes.set(xlabel="mean norm of the channel's activation", ylabel=ylabel)
    axes.legend(loc="best")
    return figure


def _require(channels: Sequence[int], series: Sequence[EffectSeries]) -> None:
    if not len(channels) or not series or any(len(one.value) != len(channels) for one in series):
        raise ValueError(
            f"expected at least one series with one value for each of at least one channel; given "
            f"{len(channels)} channels and series of {[len(one.value) for one in series]}"
        )
