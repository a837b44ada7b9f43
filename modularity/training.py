"""Train a picture classifier (or a regression) as clusterability was studied: first without, then with pruning.

    trained = train(network, data, TrainingConfig(epochs=20, pruning_epochs=20, l2=5e-5))
    trained.unpruned.state, trained.pruned.state

Adam with learning rate 0.001, cross-entropy (mean square error where labels are floats), then as many epochs again in
which `MagnitudePruning` takes away 90% of each layer's weights. Clusterability is measured before and after that
second phase. L1 and L2 add l1 |w| and l2 w^2 of every weight (not of biases) to the loss, as Keras' regularisers do.

Source: S0, section 3.3. Cost: an epoch of 60,000 pictures takes 3 to 5 s for the 4 x 256 MLP on one core, minutes for
the small CNN. The optimiser goes on through both phases, as one `fit` after another does in Keras.

Axes: `sample`.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.conv import _ConvNd
from tqdm import tqdm

from procscope.modularity.augmentation import augmented
from procscope.modularity.data_sets import DataSplit, Samples, as_floats
from procscope.modularity.neuron_norms import normalise_neurons
from procscope.modularity.pruning import MagnitudePruning
from procscope.modularity.regulariser import EigenvaluePenalty


@dataclass(frozen=True)
class TrainingConfig:
    """How a network is trained; the defaults are those of S0's MLPs."""

    epochs: int = 20
    """Without pruning."""
    pruning_epochs: int = 20
    """With pruning, after those."""
    batch_size: int = 128
    """64 for the small CNN."""
    learning_rate: float = 1e-3
    l1: float = 0.0
    """Weight of the sum of absolute weights; 5e-5 in S0 where used."""
    l2: float = 0.0
    """Weight of the sum of squared weights; 5e-5 in S0 where used."""
    clusterability: float = 0.0
    """Weight of the mean of eigenvalues 2 to 4 (`EigenvaluePenalty`); 0.1 in S0 where used."""
    augment: bool = False
    """Turn, shift and mirror each training picture by chance (`augmentation`)."""
    reshuffle: bool = True
    """Another order of samples in each epoch; off where S0 has a network learn noise by heart."""
    initial_sparsity: float = 0.5
    final_sparsity: float = 0.9
    prune_every: int = 10
    """Steps between two choices of the weights to prune."""


class Stage(NamedTuple):
    """A network at the end of a phase."""

    state: dict[str, Tensor]
    """For `load_state_dict`."""
    train_score: float
    """Share of training samples classified rightly; of a regression, the mean square error."""
    test_score: float


class Trained(NamedTuple):
    """Both ends of a training."""

    unpruned: Stage
    pruned: Stage


def train(
    network: nn.Module, data: DataSplit, config: TrainingConfig, *, seed: int = 0, progress: str = ""
) -> Trained:
    """Train `network` in place on the device that it is on; it ends as the pruned network.

    Args:
        seed: of the order of samples and of dropout.
        progress: a name for the progress bar; none without it.

    Raises ValueError: the penalty on eigenvalues needs layers that feed one another in turn.
    """
    layers = [module for module in network.modules() if isinstance(module, nn.Linear | _ConvNd)]
    device = next(network.parameters()).device
    convolutions = [layer for layer in layers if isinstance(layer, _ConvNd)]
    penalty = EigenvaluePenalty(convolutions or layers) if config.clusterability else None
    # One pass over each weight in place of a dozen: a third of a step's time for a small network.
    optimiser = torch.optim.Adam(network.parameters(), lr=config.learning_rate, fused=True)
    generator = torch.Generator().manual_seed(seed)
    changes = torch.Generator().manual_seed(seed + 1)
    steps = -(-len(data.train) // config.batch_size)
    pruning = MagnitudePruning(
        layers,
        max(steps * config.pruning_epochs - 1, 0),
        initial=config.initial_sparsity,
        final=config.final_sparsity,
        every=config.prune_every,
    )

    def epoch(after_step: Callable[[], None]) -> None:
        network.train()
        for inputs, labels in data.train.batches(config.batch_size, generator if config.reshuffle else None):
            optimiser.zero_grad()
            inputs = augmented(inputs, changes) if config.augment else inputs
            loss = _loss(network(inputs.to(device)), labels.to(device))
            loss.backward()
            if penalty is not None:
                penalty.add_gradient(config.clusterability)
            _add_weight_decay(layers, config.l1, config.l2)
            optimiser.step()
            if penalty is not None:
                normalise_neurons(layers)
            after_step()
            bar.update()

    stages = []
    total = steps * (config.epochs + config.pruning_epochs)
    # Dropout draws from torch's global generator, which is put back afterwards.
    with torch.random.fork_rng(), tqdm(total=total, desc=progress, disable=None if progress else True) as bar:
        torch.manual_seed(seed)
        for _ in range(config.epochs):
            epoch(lambda: None)
        stages.append(_stage(network, data, device))
        step = iter(range(steps * config.pruning_epochs))
        for _ in range(config.pruning_epochs):
            epoch(lambda: pruning.after_step(next(step)))
        stages.append(_stage(network, data, device))
    return Trained(*stages)


@torch.no_grad()
def score(network: nn.Module, samples: Samples, device: torch.device | None = None) -> float:
    """Share of samples whose largest output is their class; for float labels the mean square error."""
    network.eval()
    total = 0.0
    for inputs, labels in zip(samples.inputs.split(1000), samples.labels.split(1000), strict=True):
        outputs = network(as_floats(inputs).to(device))
        labels = labels.to(outputs.device)
        if labels.is_floating_point():
            total += float((outputs - labels).square().mean(dim=1).sum())
        else:
            total += int((outputs.argmax(dim=1) == labels).sum())
    return total / len(samples)


def _loss(outputs: Tensor, labels: Tensor) -> Tensor:
    return F.mse_loss(outputs, labels) if labels.is_floating_point() else F.cross_entropy(outputs, labels)


@torch.no_grad()
def _add_weight_decay(layers: Sequence[nn.Module], l1: float, l2: float) -> None:
    for layer in layers:
        weight: Tensor = layer.weight  # type: ignore[assignment]
        if l1 and weight.grad is not None:
            weight.grad.add_(weight.sign(), alpha=l1)
        if l2 and weight.grad is not None:
            weight.grad.add_(weight, alpha=2 * l2)


def _stage(network: nn.Module, data: DataSplit, device: torch.device) -> Stage:
    state = {name: copy.deepcopy(value.cpu()) for name, value in network.state_dict().items()}
    return Stage(state, score(network, data.train, device), score(network, data.test, device))
