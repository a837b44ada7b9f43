"""How strongly channels tell directions apart: mean sums by right step, channel by channel, beside the effect.

When to use: after a pair finder, to see the ten channels of the largest effect of one or more networks.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from procscope.workbench.figures import COLOURS, SEQUENTIAL, styled, subplots


class TunedChannels(NamedTuple):
    """Some channels of one network, in the order shown."""

    title: str
    labels: Sequence[str]
    """Of each channel, such as "21 up"."""
    means: Float[np.ndarray, "channel direction"]
    effects: Float[np.ndarray, " channel"]


@styled()
def plot_tuning(
    networks: Sequence[TunedChannels], directions: Sequence[str], unit: str = "activation"
) -> Figure:
    """A panel a network: a row a channel with its mean sum where each direction is the right step.

    Shades run from 0 to the row's largest sum, since channels differ in size; the bar is the effect.
    """
    rows = max(len(network.labels) for network in networks)
    figure, panels = subplots(
        1,
        2 * len(networks),
        width_inches=3.9 * len(networks),
        height_inches=0.31 * rows + 1.15,
        gridspec_kw={"width_ratios": [2.1, 1] * len(networks)},
        squeeze=False,
    )
    widest = max(float(network.effects.max()) for network in networks)
    for place, network in enumerate(networks):
        shades, bars = panels[0, 2 * place], panels[0, 2 * place + 1]
        top = np.maximum(network.means.max(axis=1, keepdims=True), 1e-9)
        shades.imshow(network.means / top, vmin=0, vmax=1, cmap=SEQUENTIAL, aspect="auto")
        for (row, column), mean in np.ndenumerate(network.means):
            ink = "white" if mean / top[row, 0] < 0.6 else COLOURS["black"]
            shades.text(column, row, f"{mean:.1f}", ha="center", va="center", fontsize=8.5, color=ink)
        shades.set_xticks(range(len(directions)), directions, fontsize=8)
        shades.set_yticks(range(len(network.labels)), network.labels)
        shades.set(title=network.title, xlabel=f"right step\n(mean sum, {unit})")
        shades.tick_params(length=0)
        shades.grid(visible=False)
        bars.barh(range(len(network.effects)), network.effects, color=COLOURS["blue"], height=0.62)
        bars.set(ylim=shades.get_ylim(), yticks=[], xlim=(0, 1.08 * widest), xlabel=f"effect\n({unit})")
        bars.grid(axis="y", visible=False)
    return figure
