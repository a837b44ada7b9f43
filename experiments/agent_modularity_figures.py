"""Figures of `agent-modularity`: n-cuts among shuffles and untrained networks, moves and levels lost by cluster."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from procscope.experiments.agent_modularity_studies import ClusterPlay
from procscope.interventions.named_arms import UNTOUCHED
from procscope.modularity.policy_lesions import PolicyLesions
from procscope.workbench.figures import COLOURS, DIVERGING, ORDER, styled, subplots
from procscope.workbench.statistics import wilson


@styled()
def plot_among(n_cut: float, others: Mapping[str, Float[np.ndarray, " _other"]]) -> Figure:
    """A network's n-cut among those of others, a row of dots for each kind."""
    figure, axis = subplots(width_inches=6, height_inches=1.3 + 0.45 * len(others))
    rng = np.random.default_rng(0)
    for row, (colour, cuts) in enumerate(zip(ORDER, others.values(), strict=False)):
        heights = row + rng.uniform(-0.25, 0.25, len(cuts))
        axis.plot(cuts, heights, ".", color=COLOURS[colour], alpha=0.6)
        axis.plot(cuts.mean(), row, "|", markersize=22, color=COLOURS[colour])
    axis.axvline(n_cut, color=COLOURS["black"], label="the network")
    axis.set_yticks(range(len(others)), [f"{kind} ({len(cuts)})" for kind, cuts in others.items()])
    axis.set(xlabel="n-cut", ylim=(-0.6, len(others) - 0.4))
    figure.legend(loc="outside upper right")
    return figure


@styled()
def plot_moves(clusters: PolicyLesions) -> Figure:
    """Cluster by move: the share of best moves lost, less that lost to random sets."""
    result = clusters.result
    excess = result.class_drops - result.random_class_drops.mean(axis=1)
    most = max(0.05, float(np.abs(excess).max()))
    count = len(clusters.lesions)
    figure, axis = subplots(width_inches=2.4 + 0.7 * len(clusters.moves), height_inches=1.2 + 0.36 * count)
    image = axis.imshow(excess, cmap=DIVERGING, vmin=-most, vmax=most, aspect="auto")
    for row, column in np.ndindex(*excess.shape):
        value = float(excess[row, column])
        colour = "white" if abs(value) > 0.6 * most else COLOURS["black"]
        axis.text(column, row, f"{100 * value:+.0f}", ha="center", va="center", fontsize=8, color=colour)
    frames = np.round(result.class_shares * clusters.n_frames).astype(int)
    names = [f"{move.name.lower()} ({n})" for move, n in zip(clusters.moves, frames, strict=True)]
    axis.set_xticks(range(len(names)), names)
    axis.set_yticks(range(count), [f"cluster {lesion[0].cluster}" for lesion in clusters.lesions])
    axis.set_xlabel("best move (frames)")
    axis.grid(False)
    figure.colorbar(image, label="beyond random sets", format=lambda value, _: f"{value:.0%}")
    return figure


@styled()
def plot_success(play: ClusterPlay) -> Figure:
    """Success without each cluster, with its interval, and without each of its random sets."""
    count = len(play.arms)
    figure, axis = subplots(width_inches=6, height_inches=1.4 + 0.36 * count)
    for row, (arm, randoms) in enumerate(zip(play.arms, play.random_arms, strict=True)):
        won = play.sweep.of(arm)
        value, low, high, _ = wilson(int(won.sum()), len(won))
        axis.errorbar(
            value,
            row,
            xerr=[[value - low], [high - value]],
            fmt="o",
            color=COLOURS["blue"],
            label="without the cluster" if row == 0 else None,
        )
        shares = [play.sweep.of(one).mean() for one in randoms]
        axis.plot(
            shares,
            [row + 0.2] * len(shares),
            ".",
            color=COLOURS["vermilion"],
            label="without random sets" if row == 0 else None,
        )
    axis.axvline(play.sweep.of(UNTOUCHED).mean(), color=COLOURS["grey"], linestyle="--", label="untouched")
    axis.set_yticks(range(count), play.arms)
    axis.invert_yaxis()
    axis.set(xlabel="levels solved", xlim=(-0.02, 1.02))
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    figure.legend(loc="outside lower center", ncols=3)
    return figure
