"""Figures of autoencoders and their latents. Nothing is computed here.

Axes: `latent`, `label` a statement, `frame`, `row col` of pictures.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.figure import Figure

from procscope.saes.metrics import FiringRates
from procscope.workbench.figures import COLOURS, panel_grid, styled, subplots
from procscope.workbench.statistics import Interval


@styled()
def plot_firing_rates(rates: FiringRates, n_samples: int) -> Figure:
    """Latents by how often they fire; the silent ones in the title."""
    figure, axes = subplots(width_inches=5.4, height_inches=3.2)
    axes.stairs(rates.counts, rates.edges, fill=True, color=COLOURS["blue"], alpha=0.85)
    axes.axvline(-np.log10(n_samples), color=COLOURS["grey"], linestyle="--", linewidth=1)
    axes.annotate(
        "once in the survey",
        (-np.log10(n_samples), 0.97),
        xycoords=("data", "axes fraction"),
        xytext=(4, 0),
        textcoords="offset points",
        va="top",
        fontsize=8.5,
        color=COLOURS["grey"],
    )
    total = int(rates.counts.sum()) + rates.silent
    axes.set(
        xlabel="firing rate (log10 of the share of samples)",
        ylabel="latents",
        title=f"{rates.silent:,} of {total:,} latents are silent on {n_samples:,} samples",
    )
    return figure


@styled()
def plot_cosines(nearest: Float[np.ndarray, " latent"], live: np.ndarray) -> Figure:
    """Cosines of each latent's decoder direction with the nearest other."""
    figure, axes = subplots(width_inches=5.0, height_inches=3.0)
    edges = np.linspace(min(0.0, float(nearest.min())), 1, 41)
    for mask, name, colour in ((live, "live", "blue"), (~live, "silent", "grey")):
        if mask.any():
            axes.hist(nearest[mask], bins=edges, color=COLOURS[colour], alpha=0.7, label=name)
    axes.set(
        xlabel="cosine with the nearest other decoder direction", ylabel="latents", title="Nearest latents"
    )
    axes.legend()
    return figure


@styled()
def plot_meanings(
    statements: Sequence[str],
    scores: Mapping[str, Float[np.ndarray, " label"]],
    always: Float[np.ndarray, " label"],
) -> Figure:
    """f1 of the best latent, the best unit and the probe for each statement, and of saying it always."""
    order = np.argsort(-np.max(list(scores.values()), axis=0))[::-1]
    figure, axes = subplots(width_inches=7.2, height_inches=1.2 + 0.27 * len(statements))
    y = np.arange(len(statements))
    looks = {"probe": ("D", "green"), "best unit": ("s", "orange"), "best latent": ("o", "blue")}
    for name, values in scores.items():
        marker, colour = looks[name]
        axes.plot(values[order], y, marker, color=COLOURS[colour], label=name, markersize=6, alpha=0.9)
    axes.plot(always[order], y, "|", color=COLOURS["grey"], markersize=12, label="said always")
    axes.set_yticks(y, [statements[i] for i in order], fontsize=8.5)
    axes.set(xlabel="f1 on levels that nothing was chosen on", xlim=(-0.02, 1.02), ylim=(-0.7, len(y) - 0.3))
    axes.grid(visible=False, axis="y")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


@styled()
def plot_arms(scores: Mapping[str, Interval], ylabel: str, title: str) -> Figure:
    """A score under each arm with its interval."""
    figure, axes = subplots(width_inches=1.6 + 0.9 * len(scores), height_inches=3.2)
    value = np.array([one.value for one in scores.values()])
    low, high = (np.array([one[i] for one in scores.values()]) for i in (1, 2))
    axes.errorbar(
        range(len(scores)),
        value,
        np.maximum([value - low, high - value], 0),
        fmt="o",
        color=COLOURS["blue"],
        capsize=3,
    )
    axes.set_xticks(range(len(scores)), list(scores))
    axes.set(ylabel=ylabel, title=title, xlim=(-0.6, len(scores) - 0.4))
    axes.set_ylim(bottom=min(0.0, float(low.min()) * 1.05))
    axes.grid(visible=False, axis="x")
    return figure


@styled()
def plot_top_frames(
    pictures: UInt8[np.ndarray, "latent rank row col rgb"],
    heat: Float[np.ndarray, "latent rank maprow mapcol"] | None,
    titles: Sequence[str],
) -> Figure:
    """Top frames of some latents, a line each; where the map fires is drawn over them."""
    n, ranks = pictures.shape[:2]
    figure, panels = panel_grid(n * ranks, ranks, panel_inches=(1.05, 1.12), margin_inches=2.2)
    for i in range(n):
        for j in range(ranks):
            axes = panels[i * ranks + j]
            axes.imshow(pictures[i, j], interpolation="nearest")
            if heat is not None:
                rows, cols = pictures.shape[2:4]
                strength = heat[i, j] / max(1e-9, float(heat[i].max()))
                axes.imshow(
                    np.ones_like(strength),
                    cmap="autumn",
                    alpha=0.65 * strength,
                    extent=(-0.5, cols - 0.5, rows - 0.5, -0.5),
                    interpolation="bilinear",
                )
            axes.set_xticks([])
            axes.set_yticks([])
            if j == 0:
                axes.set_ylabel(titles[i], rotation=0, ha="right", va="center", fontsize=8)
    return figure
