"""Train the networks of `specialization` and measure the groups of their four partitions, each kept as a member.

Axes: `group` of neurons of one layer, `random` groups of the same size, `class`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float
from torch import nn
from torch.nn.modules.conv import _ConvNd

from procscope.experiments.specialization_setup import Condition, Config
from procscope.modularity.activation_graph import activation_graph, linear_activations
from procscope.modularity.condition_tests import GroupMeasure
from procscope.modularity.data_sets import DataSplit
from procscope.modularity.graph import NeuronGraph
from procscope.modularity.group_visualisation import VisualisedGroups, visualise_groups
from procscope.modularity.lesions import NeuronGroup, lesion_groups, sender_of
from procscope.modularity.named_data import named_data
from procscope.modularity.network_study import (
    NetworkTraining,
    example_input,
    stage_network,
    trained_scores,
)
from procscope.modularity.partitions import layer_wise_groups, network_wide_groups
from procscope.modularity.weight_graph import weight_graph
from procscope.visualization.picture_parameters import Pixels
from procscope.workbench.members import Members
from procscope.workbench.parallel import parallel_map
from procscope.workbench.runs import RunRecord

Input = Literal["weights", "activations"]
Scope = Literal["network", "layer"]
PARTITIONS: tuple[tuple[Input, Scope], ...] = (
    ("weights", "network"),
    ("weights", "layer"),
    ("activations", "network"),
    ("activations", "layer"),
)
LESION_MEASURES = ("accuracy", "class")
PICTURE_MEASURES = ("score", "entropy")
MEASURES = (*LESION_MEASURES, *PICTURE_MEASURES)
HIGH_IS_SPECIAL = {"accuracy": True, "class": True, "score": True, "entropy": False}


@dataclass(frozen=True)
class PartitionStudy:
    """One network's groups under one partition: everything that its measures depend on."""

    training: NetworkTraining
    input: Input
    scope: Scope
    k: int
    randoms: int
    steps: int
    test_samples: int
    correlation_samples: int
    version: int = 1


class StudiedGroups(NamedTuple):
    """The groups of one partition of one network, and their measures."""

    groups: list[NeuronGroup]
    measures: dict[str, GroupMeasure]
    """By `MEASURES`."""
    class_drops: Float[np.ndarray, "group class"]


class ConditionGroups(NamedTuple):
    """All networks of a condition under one partition."""

    condition: Condition
    input: Input
    scope: Scope
    networks: list[StudiedGroups]


def study_conditions(
    wanted: Sequence[Condition], config: Config, record: RunRecord
) -> tuple[list[ConditionGroups], dict[NetworkTraining, float]]:
    """Train every network once, measure every partition once; and each network's test accuracy."""
    directory = record.directory.parent / "members"
    trainings = list(dict.fromkeys(t for each in wanted for t in each.trainings(config.networks)))
    accuracies = {}
    jobs = [_Training(training, directory) for training in trainings]
    for index, accuracy in parallel_map(_train, jobs, workers=config.workers, description="networks"):
        accuracies[trainings[index]] = accuracy
    studies = {
        (condition, partition, training): _study(condition, partition, training, config)
        for condition in wanted
        for partition in PARTITIONS
        for training in condition.trainings(config.networks)
    }
    kept = Members(directory / "groups")
    pending = kept.pending(list(dict.fromkeys(studies.values())))
    waiting = [_Measuring(study, directory) for study in pending]
    for index, found in parallel_map(_measure, waiting, workers=config.workers, description="partitions"):
        kept.put(pending[index], found)
    results = [
        ConditionGroups(
            condition,
            *partition,
            [
                _read(kept.get(studies[condition, partition, training]))
                for training in condition.trainings(config.networks)
            ],
        )
        for condition in wanted
        for partition in PARTITIONS
    ]
    return results, accuracies


def example_pictures(study: PartitionStudy, directory: Path, count: int) -> VisualisedGroups | None:
    """Pictures of the largest groups of a trained network and of one random group each; None if it has no group."""
    network = stage_network(study.training, directory, "unpruned")
    groups = _groups(study, network, partition_graph(study, network))
    largest = sorted(groups, key=lambda group: -len(group.units))[:count]
    if not largest:
        return None
    rng = np.random.default_rng([study.training.seed, 2])
    return visualise_groups(network, largest, _pixels(study), rng=rng, randoms=1, steps=study.steps)


def partition_graph(study: PartitionStudy, network: nn.Sequential) -> NeuronGraph:
    """The graph whose clusters are the partition's: of the weights, or of activations of hidden layers."""
    if study.input == "weights":
        return weight_graph(network, example_input(study.training))
    inputs = _data(study.training).train.first(study.correlation_samples).inputs
    senders = {sender_of(network, layer): layer for layer in hidden_layers(network)}
    activations = linear_activations(network, inputs, list(senders))
    return activation_graph({senders[name]: values for name, values in activations.items()})


def hidden_layers(network: nn.Sequential) -> list[str]:
    """Layers whose groups are tested: convolutions where there are any, else all but the last."""
    layers = [
        (name, module) for name, module in network.named_children() if isinstance(module, nn.Linear | _ConvNd)
    ]
    convolutions = [name for name, module in layers if isinstance(module, _ConvNd)]
    return convolutions or [name for name, _ in layers[:-1]]


class _Training(NamedTuple):
    training: NetworkTraining
    directory: Path


class _Measuring(NamedTuple):
    study: PartitionStudy
    directory: Path


def _train(job: _Training) -> float:
    return trained_scores(job.training, job.directory)["unpruned"][1]


def _measure(job: _Measuring) -> dict[str, Any]:
    study = job.study
    network = stage_network(study.training, job.directory, "unpruned")
    graph = partition_graph(study, network)
    groups = _groups(study, network, graph)
    found: dict[str, Any] = {
        "groups": [[g.layer, g.units.tolist(), g.layer_size, g.cluster] for g in groups],
        "measures": {},
        "class_drops": [],
    }
    if not groups:
        return found
    # Random groups are drawn from the neurons that could have been in a cluster.
    pools = {layer.name: layer.units for layer in graph.connected().layers}
    test = _data(study.training).test.first(study.test_samples)
    rng = np.random.default_rng([study.training.seed, 1])
    lesions = lesion_groups(network, groups, test, rng=rng, pools=pools, randoms=study.randoms)
    shown = visualise_groups(
        network, groups, _pixels(study), rng=rng, pools=pools, randoms=study.randoms, steps=study.steps
    )
    pairs = {
        "accuracy": (lesions.accuracy_drop, lesions.random_accuracy_drop),
        "class": (lesions.class_range, lesions.random_class_range),
        "score": (shown.score, shown.random_score),
        "entropy": (shown.entropy, shown.random_entropy),
    }
    found["measures"] = {name: [true.tolist(), random.tolist()] for name, (true, random) in pairs.items()}
    found["class_drops"] = lesions.class_drops.tolist()
    return found


def _groups(study: PartitionStudy, network: nn.Sequential, graph: NeuronGraph) -> list[NeuronGroup]:
    part = {"network": network_wide_groups, "layer": layer_wise_groups}[study.scope]
    known = {layer.name for layer in graph.connected().layers}
    hidden = [layer for layer in hidden_layers(network) if layer in known]
    return part(graph, min(study.k, graph.connected().n_nodes), hidden, seed=study.training.seed)


def _study(
    condition: Condition, partition: tuple[Input, Scope], training: NetworkTraining, config: Config
) -> PartitionStudy:
    return PartitionStudy(
        training,
        *partition,
        condition.k,
        config.randoms,
        config.steps,
        config.test_samples,
        config.correlation_samples,
    )


def _read(stored: dict[str, Any]) -> StudiedGroups:
    groups = [
        NeuronGroup(layer, np.array(units), size, cluster) for layer, units, size, cluster in stored["groups"]
    ]
    empty = [np.zeros(0), np.zeros((0, 1))]
    measures = {
        name: GroupMeasure(*(np.array(values, dtype=float) for values in stored["measures"].get(name, empty)))
        for name in MEASURES
    }
    drops = np.array(stored["class_drops"], dtype=float) if groups else np.zeros((0, 0))
    return StudiedGroups(groups, measures, drops)


def _pixels(study: PartitionStudy) -> Pixels:
    channels, rows, cols = example_input(study.training).shape[1:]
    return Pixels((channels, rows, cols))


@lru_cache(maxsize=1)
def _data(training: NetworkTraining) -> DataSplit:
    return named_data(training.data, samples=training.samples, side=training.side or None)
