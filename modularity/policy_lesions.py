"""Lesions of a policy: which moves go when a cluster of its channels is taken out, beside random sets of equal size.

    graph = weight_graph(policy, frames[:1])
    clustering = spectral_clustering(graph, 8)
    lesions = [cluster_lesion(clustering, cluster) for cluster in range(8)]
    found = lesion_policy(policy, frames, best_moves, lesions, rng=rng)
    found.result.class_drops                              # [lesion move]: best moves lost, by which move it was

A lesion is one group of channels or several, such as a cluster's part in every layer; its random counterparts have as
many channels in the same layers. A frame counts as right if the policy's most probable move is the first move of a
shortest way. Accuracy drop and class range are those of `lesions.py`, with moves for classes.

`lesion_interventions` gives the same lesion as interventions, for `sweep_rollouts` and everything else that takes them:
what the layer writes is held at 0. In a residual stream the group's own contribution is taken out and others' stay.

Source: S0, section 4.4.2, carried over to policies; ours.

Cost: one pass for each lesion and random set from the first layer touched, frames shared (`interventions/arms.py`).

Axes: `frame`, `lesion`, `random`, `move`.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int, UInt8
from torch import nn
from tqdm import tqdm

from procscope.activations.forward import to_input
from procscope.envs.actions import Move, greedy_moves
from procscope.interventions.ablation import ZeroAblation
from procscope.interventions.arms import run_arms
from procscope.modularity.layer_hooks import layer_hook_points
from procscope.modularity.lesions import LesionResult, NeuronGroup, lesion_result, random_groups
from procscope.modularity.specialization_statistics import RANDOMS
from procscope.modularity.spectral_clustering import Clustering

Lesion = tuple[NeuronGroup, ...]
"""Groups that are taken out together."""


class PolicyLesions(NamedTuple):
    """What lesions and their random counterparts cost a policy."""

    lesions: tuple[Lesion, ...]
    moves: tuple[Move, ...]
    """The best moves that occur, in the order of the result's classes."""
    result: LesionResult
    n_frames: int
    """That had a way to go."""


def cluster_lesion(clustering: Clustering, cluster: int) -> Lesion:
    """All of a cluster, layer by layer; layers that it fills are left out, since nothing would pass them.

    Raises ValueError: it has no part in a layer beside other clusters.
    """
    groups = [
        NeuronGroup(layer.name, layer.units[labels == cluster], len(labels), cluster)
        for layer, labels in zip(clustering.graph.layers, clustering.labels_by_layer(), strict=True)
        if 0 < (labels == cluster).sum() < len(labels)
    ]
    if not groups:
        raise ValueError(
            f"expected a cluster from 0 to {clustering.k - 1} that shares a layer with another, given {cluster}"
        )
    return tuple(groups)


def random_lesions(
    lesion: Lesion, pools: Mapping[str, Int[np.ndarray, " unit"]], count: int, rng: np.random.Generator
) -> list[Lesion]:
    """Lesions of as many channels drawn from each of its layers."""
    by_group = [random_groups(group, pools[group.layer], count, rng) for group in lesion]
    return [tuple(groups[number] for groups in by_group) for number in range(count)]


def lesion_interventions(lesion: Lesion, hook_points: Mapping[str, str]) -> tuple[ZeroAblation, ...]:
    """The lesion as interventions on a policy. Raises ValueError: a layer without a hook point."""
    if missing := sorted({group.layer for group in lesion} - set(hook_points)):
        raise ValueError(
            f"expected layers whose output passes a hook point, given {', '.join(missing)}. "
            f"Those that do: {', '.join(hook_points)}"
        )
    return tuple(ZeroAblation(hook_points[group.layer], channels=group.units.tolist()) for group in lesion)


def lesion_policy(
    network: nn.Module,
    frames: UInt8[np.ndarray, "frame row col rgb"],
    best_moves: Int[np.ndarray, " frame"],
    lesions: Sequence[Lesion],
    *,
    rng: np.random.Generator,
    pools: Mapping[str, Int[np.ndarray, " unit"]] | None = None,
    randoms: int = RANDOMS,
    progress: str = "",
) -> PolicyLesions:
    """Take out every lesion and its random counterparts, one at a time, on the same frames.

    Args:
        best_moves: by `Move`; frames whose best move is STAY say nothing and are left out.
        pools: channels of each layer to draw random ones from; by default all.

    Raises ValueError: no lesion, no frame with a way to go, a layer without a hook point, a network without logits of
        the raw actions.
    """
    telling = best_moves != Move.STAY
    if not lesions or not telling.any():
        raise ValueError(
            f"expected at least one lesion and a frame with a way to go, given {len(lesions)} lesions and "
            f"{int(telling.sum())} such frames of {len(best_moves)}"
        )
    frames, best = frames[telling], best_moves[telling]
    hook_points = layer_hook_points(network, to_input(frames[:1]))
    drawn = pools or {group.layer: np.arange(group.layer_size) for lesion in lesions for group in lesion}
    every = [one for lesion in lesions for one in (lesion, *random_lesions(lesion, drawn, randoms, rng))]
    said = np.empty((len(every), len(frames)), dtype=np.int64)
    untouched = np.empty(len(frames), dtype=np.int64)
    # Lesions that begin in the same layer share the layers before it.
    by_first: dict[tuple[str, ...], list[int]] = {}
    for place, lesion in enumerate(every):
        by_first.setdefault(tuple(group.layer for group in lesion), []).append(place)
    with tqdm(total=len(every), desc=progress, disable=None if progress else True) as bar:
        for places in by_first.values():
            arms = [(), *(lesion_interventions(every[place], hook_points) for place in places)]
            for part in run_arms(network, frames, arms):
                if part.logits is None:
                    raise ValueError("expected a policy with logits of the actions, given a network without")
                moves = greedy_moves(part.logits)
                untouched[part.frames] = moves[0]
                said[places, part.frames] = moves[1:]
            bar.update(len(places))
    moves, labels = np.unique(best, return_inverse=True)
    number = np.full(len(Move), -1)
    number[moves] = np.arange(len(moves))
    result = lesion_result(
        [lesion[0] for lesion in lesions], labels.astype(np.int64), number[untouched], number[said]
    )
    return PolicyLesions(tuple(lesions), tuple(Move(int(move)) for move in moves), result, len(frames))
