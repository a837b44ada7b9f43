"""Pictures of clusterability: n-cuts among shuffles, conditions side by side, a network and its matrix by clusters.

Each function takes results and gives a matplotlib figure. Colours of clusters are only names: cluster 3 of one
network has nothing to do with cluster 3 of another.

Axes: `shuffle`, `node`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib import colormaps
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from procscope.modularity.cluster_flow import cluster_flow, cluster_linkage
from procscope.modularity.spectral_clustering import Clustering
from procscope.workbench.figures import COLOURS, ORDER, styled, subplots

MOST_EDGES = 3000
"""Of the strongest edges, drawn."""


class ConditionPoints(NamedTuple):
    """One condition of a plot: networks and their shuffles."""

    name: str
    n_cut: Float[np.ndarray, " network"]
    shuffled_mean: Float[np.ndarray, " network"]
    shuffled_sd: Float[np.ndarray, " network"]
    published: tuple[float, float] | None
    """N-cut and mean of shuffles, if there are any."""


@styled()
def plot_shuffles(n_cut: float, shuffled: Mapping[str, Float[np.ndarray, " _shuffle"]]) -> Figure:
    """A network's n-cut among the distributions of its shuffles, by kind of shuffle."""
    figure, axes = subplots(width_inches=5.6, height_inches=3.2)
    for colour, (kind, cuts) in zip(ORDER, shuffled.items(), strict=False):
        axes.hist(cuts, bins="auto", alpha=0.6, color=COLOURS[colour], label=f"{kind} shuffles ({len(cuts)})")
    axes.axvline(n_cut, color=COLOURS["black"], label="the network")
    axes.set(xlabel="n-cut", ylabel="shuffles")
    axes.yaxis.get_major_locator().set_params(integer=True)
    figure.legend(loc="outside lower center", ncols=len(shuffled) + 1)
    return figure


@styled()
def plot_conditions(conditions: Sequence[ConditionPoints], title: str = "") -> Figure:
    """One line a condition: each network's n-cut, the shuffles' mean and standard deviation, the published numbers."""
    figure, axes = subplots(width_inches=7.2, height_inches=1.1 + 0.34 * len(conditions))
    first_published = next(
        (row for row, condition in enumerate(conditions) if condition.published is not None), None
    )
    for row, condition in enumerate(conditions):
        places = (
            row + np.linspace(-0.12, 0.12, len(condition.n_cut))
            if len(condition.n_cut) > 1
            else np.array([row])
        )
        labelled = row == 0
        axes.errorbar(
            condition.shuffled_mean,
            places + 0.16,
            xerr=condition.shuffled_sd,
            fmt=".",
            color=COLOURS["grey"],
            label="shuffles, mean ± SD" if labelled else None,
        )
        axes.plot(
            condition.n_cut, places - 0.1, "o", color=COLOURS["blue"], label="networks" if labelled else None
        )
        if condition.published is not None:
            one, other = condition.published
            axes.plot(
                one,
                row - 0.1,
                "x",
                color=COLOURS["vermilion"],
                label="published" if row == first_published else None,
            )
            axes.plot(
                other,
                row + 0.16,
                "+",
                color=COLOURS["vermilion"],
                label="published shuffles" if row == first_published else None,
            )
    axes.set(xlabel="n-cut", ylim=(len(conditions) - 0.5, -0.6))
    axes.set_yticks(range(len(conditions)), [condition.name for condition in conditions])
    axes.grid(axis="y", visible=False)
    if title:
        axes.set_title(title)
    figure.legend(loc="outside lower center", ncols=4)
    return figure


@styled()
def draw_network(clustering: Clustering) -> Figure:
    """The network layer by layer, from left to right, units sorted and coloured by cluster; the strongest edges."""
    graph = clustering.graph
    by_layer = clustering.labels_by_layer()
    figure, axes = subplots(width_inches=min(1.6 + 1.35 * len(graph.layers), 13), height_inches=4.6)
    colours = cluster_colours(clustering.k)
    heights = []
    for labels in by_layer:
        height = np.empty(len(labels))
        height[np.argsort(labels, kind="stable")] = (np.arange(len(labels)) + 0.5) / len(labels)
        heights.append(height)
    segments, strengths, of_cluster = [], [], []
    for source, target, weights in graph.connections:
        size = np.abs(weights) / np.abs(weights).max() if weights.any() else np.abs(weights)
        count = min(MOST_EDGES // len(graph.connections), int((size > 0).sum()))
        strongest = np.argpartition(-size.ravel(), count - 1)[:count] if count else np.zeros(0, int)
        rows, columns = np.unravel_index(strongest, size.shape)
        ends = np.stack(
            [
                np.stack([np.full(count, float(source)), heights[source][rows]], axis=1),
                np.stack([np.full(count, float(target)), heights[target][columns]], axis=1),
            ],
            axis=1,
        )
        segments += list(ends)
        strengths += list(size[rows, columns])
        same = by_layer[source][rows] == by_layer[target][columns]
        of_cluster += [
            int(label) if is_same else -1 for label, is_same in zip(by_layer[source][rows], same, strict=True)
        ]
    paints = [
        (*(colours[cluster][:3] if cluster >= 0 else (0.6, 0.6, 0.6)), 0.1 + 0.5 * strength * (cluster >= 0))
        for cluster, strength in zip(of_cluster, strengths, strict=True)
    ]
    axes.add_collection(LineCollection(segments, colors=paints, linewidths=0.5))
    for number, (labels, height) in enumerate(zip(by_layer, heights, strict=True)):
        axes.scatter(
            np.full(len(labels), number), height, c=colours[labels], s=min(40, 1500 / len(labels)), zorder=3
        )
    axes.set(xlim=(-0.4, len(graph.layers) - 0.6), ylim=(-0.02, 1.02), ylabel="units, sorted by cluster")
    axes.set_xticks(
        range(len(graph.layers)), [f"{layer.name}\n{len(layer.units)}" for layer in graph.layers], fontsize=7
    )
    if len(graph.layers) > 8:
        axes.tick_params(axis="x", labelrotation=60)
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.set_title(f"{clustering.k} clusters, n-cut {clustering.n_cut:.3f}")
    return figure


@styled()
def plot_cluster_matrix(clustering: Clustering) -> Figure:
    """The adjacency matrix with nodes sorted by cluster, and how the clusters join, as a dendrogram."""
    from scipy.cluster.hierarchy import dendrogram

    flow = cluster_flow(clustering)
    linkage = cluster_linkage(clustering)
    figure, (tree, matrix) = subplots(1, 2, width_inches=9.5, height_inches=4.6, width_ratios=[1, 1.6])
    drawn: Any = dendrogram(linkage, ax=tree, color_threshold=0, above_threshold_color=COLOURS["black"])
    tree.set(xlabel="cluster", ylabel="1 - share of volume that two clusters exchange")
    tree.grid(visible=False)
    order = np.concatenate([np.flatnonzero(clustering.labels == cluster) for cluster in drawn["leaves"]])
    entries = abs(clustering.graph.adjacency)[order][:, order].toarray()
    shown = _coarse(np.sqrt(entries), 400)
    matrix.imshow(shown, cmap="Greys", vmax=np.quantile(shown, 0.995), extent=(0, len(order), len(order), 0))
    sizes = np.array([(clustering.labels == cluster).sum() for cluster in drawn["leaves"]])
    for edge in np.cumsum(sizes)[:-1]:
        matrix.axhline(edge, color=COLOURS["vermilion"], linewidth=0.5)
        matrix.axvline(edge, color=COLOURS["vermilion"], linewidth=0.5)
    matrix.set_xticks(np.cumsum(sizes) - sizes / 2, drawn["leaves"])
    matrix.set_yticks(np.cumsum(sizes) - sizes / 2, drawn["leaves"])
    matrix.set(xlabel="cluster", title=f"edges by cluster; {flow.inside.mean():.0%} of volume stays inside")
    matrix.grid(visible=False)
    return figure


def cluster_colours(k: int) -> np.ndarray:
    """One colour a cluster, [cluster, rgba]."""
    return colormaps["tab20"](np.arange(k) % 20) if k > 10 else colormaps["tab10"](np.arange(k))


def _coarse(matrix: np.ndarray, most: int) -> np.ndarray:
    """Means of square blocks, so that a picture has at most so many rows."""
    step = -(-len(matrix) // most)
    whole = len(matrix) // step * step
    return matrix[:whole, :whole].reshape(whole // step, step, whole // step, step).mean(axis=(1, 3))
