"""Measure one network of `agent-modularity`: its graphs, its groups layer by layer, its clusters in play.

Axes: `shuffle`, `untrained` network, `group`, `random` set, `level`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from procscope.activations.cache import ActivationCache
from procscope.activations.capture import capture
from procscope.activations.hooks import HookedNetwork
from procscope.envs.actions import Move
from procscope.envs.frames import FRAME_SIZE
from procscope.experiments.agent_modularity_setup import Config, PlayedFrames, played_levels
from procscope.interventions.sweep import RolloutSweep, sweep_rollouts
from procscope.modularity.activation_graph import activation_graph
from procscope.modularity.cached_activations import cached_unit_sizes, unit_sizes
from procscope.modularity.graph import NeuronGraph
from procscope.modularity.layer_hooks import layer_hook_points
from procscope.modularity.lesions import LesionResult
from procscope.modularity.partitions import layer_wise_groups, network_wide_groups
from procscope.modularity.policy_lesions import (
    Lesion,
    PolicyLesions,
    cluster_lesion,
    lesion_interventions,
    lesion_policy,
    random_lesions,
)
from procscope.modularity.shuffles import shuffle_test, z_score
from procscope.modularity.spectral_clustering import Clustering, spectral_clustering
from procscope.modularity.weight_graph import weight_graph
from procscope.workbench import plugins
from procscope.workbench.checkpoints import LoadedModel
from procscope.workbench.members import Members

FRAME_CHANNELS = 3
FRAMES_AT_ONCE = 200


class Clusterability(NamedTuple):
    """A graph's n-cut among those of its shuffles."""

    n_cut: float
    shuffled: Float[np.ndarray, " shuffle"]

    @property
    def z_score(self) -> float:
        """Raises ValueError: the shuffles do not differ, as where every cluster is a few whole layers."""
        return z_score(self.n_cut, self.shuffled)


@dataclass(frozen=True)
class UntrainedNetwork:
    """A network of some shape before any training: everything that its clusterability depends on."""

    architecture: str
    options: Mapping[str, Any]
    seed: int
    k: int
    shuffles: int
    version: int = 1


@dataclass(frozen=True)
class LesionedFrames:
    """Lesions of a policy on frames: everything that their results depend on."""

    weights_hash: str
    frames_hash: str
    lesions: tuple[tuple[tuple[str, tuple[int, ...]], ...], ...]
    """Channels by layer, of each."""
    randoms: int
    seed: int
    version: int = 2


class ClusterPlay(NamedTuple):
    """Every cluster taken out in play, and random sets beside each."""

    sweep: RolloutSweep
    lesions: tuple[Lesion, ...]
    arms: tuple[str, ...]
    """Of the clusters."""
    random_arms: tuple[tuple[str, ...], ...]
    """Of each cluster's random sets."""


def measure(
    graph: NeuronGraph, config: Config, seed: int, kept: Members, workers: int | None = None
) -> Clusterability:
    """The graph's n-cut and its shuffles', kept block by block."""
    workers = config.workers if workers is None else workers
    found = shuffle_test(graph, config.k, shuffles=config.shuffles, seed=seed, workers=workers, kept=kept)
    return Clusterability(found.n_cut, found.shuffled)


def measure_untrained(model: LoadedModel, config: Config, kept: Members) -> list[Clusterability]:
    """The same of networks of the model's shape that nobody trained."""
    found = []
    for number in range(config.untrained):
        member = UntrainedNetwork(
            model.header.architecture, dict(model.header.options), number, config.k, config.shuffles
        )
        stored = kept.get_or_compute(member, lambda one: _measured_untrained(one, config, kept))
        found.append(Clusterability(stored["n_cut"], np.array(stored["shuffled"])))
    return found


def untrained_network(member: UntrainedNetwork) -> nn.Module:
    """The network before training, from its seed."""
    build = plugins.load("procscope.architectures", member.architecture)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(member.seed)
        return build(**member.options).eval()


def example_of(network: nn.Module) -> Tensor:
    """An input that the network takes: a frame, or a picture of as many channels as its first convolution reads."""
    first = next((each for each in network.modules() if isinstance(each, nn.Conv2d)), None)
    channels = FRAME_CHANNELS if first is None else first.in_channels
    return torch.zeros(1, channels, FRAME_SIZE, FRAME_SIZE)


def correlation_graph(model: LoadedModel, config: Config, played: PlayedFrames | None) -> NeuronGraph:
    """The graph of activations of hidden convolutions, from a cache or from the frames played.

    Raises ValueError: neither, a cache of another network, or one without the hook points.
    """
    layers = [layer.name for layer in weight_graph(model.network, example_of(model.network)).layers]
    where = layer_hook_points(model.network, example_of(model.network))
    if config.caches:
        cache = ActivationCache.open(Path(config.caches) / model.name, model.network)
        sizes = cached_unit_sizes(cache, [where[layer] for layer in layers])
        return activation_graph(dict(zip(layers, sizes.values(), strict=True)))
    if played is None:
        raise ValueError(
            f"expected frames that {model.name} plays, or a cache; it is no policy. Give --config.caches"
        )
    network = model.network
    names = [where[layer] for layer in layers]
    if not isinstance(network, HookedNetwork):
        raise ValueError(f"expected a network with hook points, given {type(network).__name__}")
    parts = [
        capture(network, played.frames[start : start + FRAMES_AT_ONCE], names, dtype="float32").activations
        for start in range(0, len(played.frames), FRAMES_AT_ONCE)
    ]
    return activation_graph(
        {layer: np.concatenate([unit_sizes(part[where[layer]]) for part in parts]) for layer in layers}
    )


def lesion_groups_of_layers(
    model: LoadedModel,
    graph: NeuronGraph,
    scope: Literal["network", "layer"],
    played: PlayedFrames,
    config: Config,
    seed: int,
    kept: Members,
) -> PolicyLesions | None:
    """Every cluster's part in every layer taken out by itself; None where clusters are made of whole layers alone."""
    partition = {"network": network_wide_groups, "layer": layer_wise_groups}[scope]
    groups = partition(graph, config.k, seed=seed)
    lesions: list[Lesion] = [(group,) for group in groups]
    return _lesion(model, lesions, graph, played, config, seed, kept) if groups else None


def clusters_of(graph: NeuronGraph, config: Config, seed: int) -> tuple[Clustering, list[Lesion]]:
    """The clusters that are taken out as wholes; those that fill every layer they are in are left out."""
    clustering = spectral_clustering(graph, config.lesioned_k, seed=seed)
    lesions = []
    for cluster in range(clustering.k):
        try:
            lesions.append(cluster_lesion(clustering, cluster))
        except ValueError:
            continue
    return clustering, lesions


def lesion_clusters(
    model: LoadedModel,
    clustering: Clustering,
    lesions: list[Lesion],
    played: PlayedFrames,
    config: Config,
    seed: int,
    kept: Members,
) -> PolicyLesions:
    """Every cluster taken out as a whole, on frames."""
    return _lesion(model, lesions, clustering.graph, played, config, seed, kept)


def play_without_clusters(
    model: LoadedModel,
    clustering: Clustering,
    lesions: list[Lesion],
    config: Config,
    seed: int,
    kept: Members,
) -> ClusterPlay:
    """Play the same levels untouched, without each cluster, and without random sets of its size."""
    hook_points = layer_hook_points(model.network, example_of(model.network))
    pools = {layer.name: layer.units for layer in clustering.graph.layers}
    rng = np.random.default_rng([seed, 4])
    arms: dict[str, Any] = {}
    random_names = []
    for lesion in lesions:
        name = f"cluster {lesion[0].cluster}"
        arms[name] = lesion_interventions(lesion, hook_points)
        names = []
        for number, random in enumerate(random_lesions(lesion, pools, config.played_randoms, rng), start=1):
            names.append(f"{name}, random {number}")
            arms[names[-1]] = lesion_interventions(random, hook_points)
        random_names.append(tuple(names))
    sweep = sweep_rollouts(
        model.network,
        played_levels(model, config.levels),
        arms,
        seed=seed,
        max_steps=config.max_steps,
        controls=False,
        members=kept,
        progress=model.name,
    )
    names = tuple(f"cluster {lesion[0].cluster}" for lesion in lesions)
    return ClusterPlay(sweep, tuple(lesions), names, tuple(random_names))


def _lesion(
    model: LoadedModel,
    lesions: list[Lesion],
    graph: NeuronGraph,
    played: PlayedFrames,
    config: Config,
    seed: int,
    kept: Members,
) -> PolicyLesions:
    shown = played.balanced(config.lesion_frames)
    member = LesionedFrames(
        model.weights_hash,
        hashlib.sha256(shown.frames.tobytes()).hexdigest(),
        tuple(tuple((group.layer, tuple(group.units.tolist())) for group in lesion) for lesion in lesions),
        config.randoms,
        seed,
    )
    if member not in kept:
        found = lesion_policy(
            model.network,
            shown.frames,
            shown.best_moves,
            lesions,
            rng=np.random.default_rng([seed, 5]),
            pools={layer.name: layer.units for layer in graph.connected().layers},
            randoms=config.randoms,
            progress=model.name,
        )
        result = found.result
        every = np.concatenate([result.class_drops[:, None], result.random_class_drops], axis=1)
        kept.put(
            member,
            {
                "moves": list(map(int, found.moves)),
                "n_frames": found.n_frames,
                "class_accuracies": result.class_accuracies.tolist(),
                "class_shares": result.class_shares.tolist(),
                "class_drops": every.tolist(),
            },
        )
    stored = kept.get(member)
    drops = np.array(stored["class_drops"])
    result = LesionResult(
        tuple(lesion[0] for lesion in lesions),
        np.array(stored["class_accuracies"]),
        np.array(stored["class_shares"]),
        drops[:, 0],
        drops[:, 1:],
    )
    return PolicyLesions(tuple(lesions), tuple(map(Move, stored["moves"])), result, stored["n_frames"])


def _measured_untrained(member: UntrainedNetwork, config: Config, kept: Members) -> dict[str, Any]:
    network = untrained_network(member)
    found = measure(weight_graph(network, example_of(network)), config, member.seed, kept)
    return {"n_cut": found.n_cut, "shuffled": found.shuffled.tolist()}
