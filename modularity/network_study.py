"""One network from its initial weights to its n-cuts, as a value that says everything about it.

    training = NetworkTraining(data="digits", network="mlp", regularisation="dropout", seed=3)
    study = study_network(training, [Measure(k=12, kind="layer", shuffles=50)], Path("runs/clusterability"))
    study.stages["pruned"].tests[0]

Trained weights are kept as one file a network, n-cuts of shuffles in blocks (`shuffle_test`): a study that was
interrupted, or that asks for more of the same network, goes on with what is there.

Source: S0, chapter 3. Cost: the training; then one clustering a shuffle.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import nn

from procscope.modularity.clusterable_init import make_clusterable
from procscope.modularity.graph import NeuronGraph
from procscope.modularity.named_data import named_data
from procscope.modularity.networks import VGG16_CHANNELS, mlp, small_cnn, vgg16
from procscope.modularity.shuffles import ShuffleKind, shuffle_test
from procscope.modularity.spectral_clustering import STARTS, spectral_clustering
from procscope.modularity.training import TrainingConfig, train
from procscope.modularity.weight_graph import SliceNorm, weight_graph
from procscope.workbench.atomic import write_bytes_atomically
from procscope.workbench.members import Members, member_key

Kind = Literal["mlp", "small-mlp", "cnn", "vgg", "narrow-vgg"]
Regularisation = Literal["none", "dropout", "l1", "l2", "dropout+l2"]
STAGES = ("unpruned", "pruned")
VERSION = 1


@dataclass(frozen=True)
class NetworkTraining:
    """Which network, trained on what and how: everything that its weights depend on."""

    data: str
    """A name for `named_data`."""
    network: Kind = "mlp"
    """`mlp` 4 x 256; `small-mlp` 3 x 64 on 7 x 7 pictures; `cnn` 3 x 64 channels; `vgg` VGG-16, or a stand-in."""
    regularisation: Regularisation = "none"
    epochs: int = 20
    pruning_epochs: int = 20
    samples: int = 60_000
    """To train on, in an epoch."""
    side: int = 0
    """Of pictures in pixels; 0 for their own."""
    width: int = 0
    """Channels or units of each hidden layer; 0 for the published number."""
    batch_size: int = 128
    strength: float = 5e-5
    """Of L1 or L2."""
    reshuffle: bool = True
    clusterability: float = 0.0
    """Weight of the eigenvalue penalty."""
    beta: float = 1.0
    """Of clusterable initialisation; 1 for none."""
    tags: int = 10
    seed: int = 0
    version: int = VERSION


@dataclass(frozen=True)
class Measure:
    """One n-cut beside those of shuffles."""

    k: int = 12
    kind: ShuffleKind = "layer"
    shuffles: int = 50
    starts: int = STARTS


class Measured(NamedTuple):
    """What one measure gave."""

    measure: Measure
    n_cut: float
    shuffled: np.ndarray
    """N-cut of each shuffle."""


class StageStudy(NamedTuple):
    """A network at one stage of its training."""

    train_score: float
    test_score: float
    smallest_share: float
    """Of the clustering of the first measure."""
    tests: tuple[Measured, ...]


class NetworkStudy(NamedTuple):
    """Both stages of one network."""

    training: NetworkTraining
    stages: dict[str, StageStudy]


def study_network(
    training: NetworkTraining, measures: Sequence[Measure], directory: Path, *, progress: str = ""
) -> NetworkStudy:
    """Train the network, or read it where it was trained before, and measure both stages.

    Raises ValueError: what the data, the training or the measures refuse.
    """
    scores = trained_scores(training, directory, progress=progress)
    kept = Members(directory / "shuffles")
    stages = {}
    for stage in STAGES:
        graph = stage_graph(training, directory, stage)
        done = [
            shuffle_test(
                graph, m.k, shuffles=m.shuffles, kind=m.kind, starts=m.starts, seed=training.seed, kept=kept
            )
            for m in measures
        ]
        tests = tuple(Measured(m, test.n_cut, test.shuffled) for m, test in zip(measures, done, strict=True))
        share = done[0].clustering.smallest_share if done else float("nan")
        stages[stage] = StageStudy(*scores[stage], share, tests)
    return NetworkStudy(training, stages)


def trained_scores(
    training: NetworkTraining, directory: Path, *, progress: str = ""
) -> dict[str, tuple[float, float]]:
    """Train and keep the network unless it is kept already; scores on training and test data by stage."""
    path = _weights_path(training, directory)
    known = Members(directory / "scores")
    if training not in known or not path.is_file():
        network = initial_network(training)
        data = _data(training)
        trained = train(network, data, training_config(training), seed=training.seed, progress=progress)
        states = {
            f"{stage}/{name}": value
            for stage in STAGES
            for name, value in getattr(trained, stage).state.items()
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes_atomically(path, save(states))
        known.put(training, {stage: list(getattr(trained, stage)[1:]) for stage in STAGES})
    return {stage: tuple(scores) for stage, scores in known.get(training).items()}


def stage_network(training: NetworkTraining, directory: Path, stage: str) -> nn.Sequential:
    """The trained network. Raises FileNotFoundError: it was not trained there."""
    network = initial_network(training)
    with safe_open(_weights_path(training, directory), "pt") as file:
        names = [name for name in file.keys() if name.startswith(f"{stage}/")]  # noqa: SIM118
        network.load_state_dict({name.removeprefix(f"{stage}/"): file.get_tensor(name) for name in names})
    return network


def stage_graph(training: NetworkTraining, directory: Path, stage: str) -> NeuronGraph:
    """The graph of the trained network's weights."""
    return weight_graph(stage_network(training, directory, stage), example_input(training))


def initial_n_cut(training: NetworkTraining, k: int = 12, slice_norm: SliceNorm = "l1") -> float:
    """The n-cut of the network before any training."""
    graph = weight_graph(initial_network(training), example_input(training), slice_norm=slice_norm)
    return spectral_clustering(graph, k, seed=training.seed).n_cut


def initial_network(training: NetworkTraining) -> nn.Sequential:
    """The network before training, from its seed."""
    shape, n_outputs = _shape(training)
    dropout = "dropout" in training.regularisation
    seed = training.seed
    hidden: list[Any]
    if training.network in ("mlp", "small-mlp"):
        count, width = (4, training.width or 256) if training.network == "mlp" else (3, training.width or 64)
        sizes = (int(np.prod(shape)), *(width,) * count, n_outputs)
        network = mlp(sizes, dropout=0.5 if dropout else 0.0, seed=seed)
        hidden = [module for module in network if isinstance(module, nn.Linear)][:-1]
    else:
        if training.network == "cnn":
            network = small_cnn(
                in_channels=shape[0],
                side=shape[1],
                width=training.width or 64,
                n_classes=n_outputs,
                dropout=dropout,
                seed=seed,
            )
        else:
            channels = VGG16_CHANNELS if training.network == "vgg" else NARROW_VGG_CHANNELS
            network = vgg16(
                channels=channels, in_channels=shape[0], n_classes=n_outputs, dropout=dropout, seed=seed
            )
        hidden = [module for module in network if isinstance(module, nn.Conv2d)]
    if training.beta != 1:
        make_clusterable(hidden, rng=np.random.default_rng([seed, 8]), tags=training.tags, beta=training.beta)
    return network


NARROW_VGG_CHANNELS = ((16, 16), (32, 32), (64, 64), (64, 64))
"""Eight convolutions of at most 64 channels: VGG's stand-in on a CPU."""


def example_input(training: NetworkTraining) -> torch.Tensor:
    """One input of zeros."""
    return torch.zeros(1, *_shape(training)[0])


def training_config(training: NetworkTraining) -> TrainingConfig:
    """The settings of `train`."""
    strength = training.strength
    return TrainingConfig(
        epochs=training.epochs,
        pruning_epochs=training.pruning_epochs,
        batch_size=training.batch_size,
        l1=strength if "l1" in training.regularisation else 0.0,
        l2=strength if "l2" in training.regularisation else 0.0,
        clusterability=training.clusterability,
        # As published: VGG alone, and only on photographs, since letters may not be mirrored.
        augment="vgg" in training.network and training.data.startswith("cifar10:"),
        reshuffle=training.reshuffle,
    )


def _shape(training: NetworkTraining) -> tuple[tuple[int, ...], int]:
    """Of one input, and the number of outputs, without drawing the data set."""
    if training.data == "polynomials":
        return (2,), 512
    colour = training.data.startswith(("colour", "cifar10:"))
    side = training.side or (32 if colour else 28)
    channels = (3 if colour else 1) * (2 if " stack " in training.data else 1)
    return (channels, side, side), 10


def _data(training: NetworkTraining) -> Any:
    # Data are drawn from the same seed for every network: networks differ in their own seed alone.
    return named_data(training.data, samples=training.samples, side=training.side or None)


def _weights_path(training: NetworkTraining, directory: Path) -> Path:
    return directory / "networks" / f"{member_key(training)}.safetensors"
