"""What a network can no longer do without a group of neurons: accuracy lost, and how unevenly over classes.

    groups = subclusters(clustering, hidden=["hidden1", "hidden2", "hidden3", "hidden4"])
    found = lesion_groups(network, groups, data.test, rng=rng)
    percentiles = centred_percentiles(found.accuracy_drop, found.random_accuracy_drop)

A lesion sets all weights into and out of the neurons to 0. In a network of ReLU layers that is the same as holding
what they send on at 0, which is how it is done here: after the layer, and after the batch normalisation that belongs
to it. In a residual stream the group's own contribution is taken out, and others' stay.

- *Accuracy drop* is accuracy before less accuracy after (importance).
- *Class range* is the largest drop of one class less the smallest (coherence). The code behind S0 first divides each
  class's drop by the group's mean drop: `normalised`, NaN where that mean is 0.

Source: S0, section 4.4.2. Cost: one pass over the test set a group, 20 for each true one; of an `nn.Sequential` only
what comes after the layer is run again (a third of an MLP's time, a tenth for the last convolution of a small CNN).

Axes: `group`, `random` groups of the same layer and size, `class`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from tqdm import tqdm

from procscope.modularity.data_sets import Samples, as_floats
from procscope.modularity.specialization_statistics import RANDOMS
from procscope.modularity.spectral_clustering import Clustering

BATCH = 1000
"""Samples a pass."""


class NeuronGroup(NamedTuple):
    """Neurons of one layer."""

    layer: str
    units: Int[np.ndarray, " unit"]
    layer_size: int
    """How many units random groups are drawn from."""
    cluster: int


@dataclass(frozen=True, eq=False)
class LesionResult:
    """What lesions of true groups and of random ones cost."""

    groups: tuple[NeuronGroup, ...]
    class_accuracies: Float[np.ndarray, " class"]
    """Of the whole network."""
    class_shares: Float[np.ndarray, " class"]
    """Of the samples."""
    class_drops: Float[np.ndarray, "group class"]
    random_class_drops: Float[np.ndarray, "group random class"]

    @property
    def accuracy(self) -> float:
        """Of the whole network."""
        return float(self.class_accuracies @ self.class_shares)

    @property
    def accuracy_drop(self) -> Float[np.ndarray, " group"]:
        return self.class_drops @ self.class_shares

    @property
    def random_accuracy_drop(self) -> Float[np.ndarray, "group random"]:
        return self.random_class_drops @ self.class_shares

    @property
    def class_range(self) -> Float[np.ndarray, " group"]:
        return np.ptp(self.class_drops, axis=1)

    @property
    def random_class_range(self) -> Float[np.ndarray, "group random"]:
        return np.ptp(self.random_class_drops, axis=2)

    def normalised_class_range(self) -> tuple[Float[np.ndarray, " group"], Float[np.ndarray, "group random"]]:
        """Class ranges of drops divided by their mean, of true and of random groups; NaN where the mean is 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            ours = self.class_range / np.abs(self.class_drops.mean(axis=1))
            theirs = self.random_class_range / np.abs(self.random_class_drops.mean(axis=2))
        return np.where(np.isfinite(ours), ours, np.nan), np.where(np.isfinite(theirs), theirs, np.nan)


def subclusters(clustering: Clustering, hidden: Sequence[str] | None = None) -> list[NeuronGroup]:
    """Each cluster's part in each hidden layer, of two neurons up and not the whole layer.

    Args:
        hidden: names of layers; None for all of the graph.

    Raises ValueError: a layer that the graph lacks.
    """
    names = [layer.name for layer in clustering.graph.layers]
    if missing := set(hidden or []) - set(names):
        raise ValueError(f"expected layers among {', '.join(names)}; given {', '.join(sorted(missing))}")
    groups = []
    for layer, labels in zip(clustering.graph.layers, clustering.labels_by_layer(), strict=True):
        if hidden is not None and layer.name not in hidden:
            continue
        for cluster in np.unique(labels):
            units = layer.units[labels == cluster]
            if 2 <= len(units) < len(labels):
                groups.append(NeuronGroup(layer.name, units, len(labels), int(cluster)))
    return groups


def random_groups(
    group: NeuronGroup, pool: Int[np.ndarray, " unit"], count: int, rng: np.random.Generator
) -> list[NeuronGroup]:
    """Groups of the same size drawn from the same layer's units in `pool`."""
    return [group._replace(units=rng.choice(pool, len(group.units), replace=False)) for _ in range(count)]


def lesion_groups(
    network: nn.Module,
    groups: Sequence[NeuronGroup],
    samples: Samples,
    *,
    rng: np.random.Generator,
    pools: dict[str, Int[np.ndarray, " unit"]] | None = None,
    randoms: int = RANDOMS,
    progress: str = "",
) -> LesionResult:
    """Lesion every group and its random counterparts.

    Args:
        samples: with class labels; not those that an activation graph was made from.
        pools: units of each layer to draw random groups from, where some are isolated; by default all.

    Raises ValueError: no group, labels that are not classes, a layer that the network lacks.
    """
    if not groups or samples.labels.is_floating_point():
        raise ValueError(
            f"expected at least one group and samples in classes, given {len(groups)} groups and labels of "
            f"{samples.labels.dtype}"
        )
    every: list[NeuronGroup] = []
    for group in groups:
        pool = pools[group.layer] if pools else np.arange(layer_size(network, group.layer))
        every += [group, *random_groups(group, pool, randoms, rng)]
    lesioned = np.empty((len(every), len(samples)), dtype=np.int64)
    with tqdm(total=len(every), desc=progress, disable=None if progress else True) as bar:
        for layer in dict.fromkeys(group.layer for group in every):
            places = [place for place, group in enumerate(every) if group.layer == layer]
            lesioned[places] = lesioned_predictions(network, samples, [every[place] for place in places])
            bar.update(len(places))
    return lesion_result(groups, samples.labels.numpy(), predictions(network, samples), lesioned)


def lesion_result(
    groups: Sequence[NeuronGroup],
    labels: Int[np.ndarray, " sample"],
    untouched: Int[np.ndarray, " sample"],
    lesioned: Int[np.ndarray, "true_and_random sample"],
) -> LesionResult:
    """Accuracy lost, from what a network says without each true group, each followed by its random ones."""
    whole = class_accuracies(untouched, labels)
    share = np.bincount(labels) / len(labels)
    drops = np.array([whole - class_accuracies(said, labels) for said in lesioned])
    drops = drops.reshape(len(groups), -1, len(whole))
    return LesionResult(tuple(groups), whole, share, drops[:, 0], drops[:, 1:])


def lesioned_predictions(
    network: nn.Module, samples: Samples, groups: Sequence[NeuronGroup]
) -> Int[np.ndarray, "group sample"]:
    """The classes that the network says with each group of one layer held at 0, one group at a time.

    Raises ValueError: groups of several layers, or of a layer that the network lacks.
    """
    if len({group.layer for group in groups}) != 1:
        raise ValueError(f"expected groups of one layer, given {sorted({group.layer for group in groups})}")
    halves = _halves(network, groups[0].layer)
    if halves is None:
        return np.stack([predictions(network, samples, group) for group in groups])
    before, after = halves
    network.eval()
    parts = []
    with torch.no_grad():
        for batch in samples.inputs.split(BATCH):
            sent = before(as_floats(batch))
            parts.append(
                torch.stack([after(_without(sent, group)).argmax(dim=1) for group in groups]).cpu().numpy()
            )
    return np.concatenate(parts, axis=1)


@torch.no_grad()
def predictions(
    network: nn.Module, samples: Samples, without: NeuronGroup | None = None
) -> Int[np.ndarray, " sample"]:
    """The class that the network says, perhaps with a group of neurons held at 0."""
    network.eval()
    handle = (
        None
        if without is None
        else network.get_submodule(sender_of(network, without.layer)).register_forward_hook(_zeroing(without))
    )
    try:
        found = [network(as_floats(batch)).argmax(dim=1) for batch in samples.inputs.split(BATCH)]
    finally:
        if handle is not None:
            handle.remove()
    return torch.cat(found).cpu().numpy()


def class_accuracies(
    predicted: Int[np.ndarray, " sample"], labels: Int[np.ndarray, " sample"]
) -> Float[np.ndarray, " class"]:
    """Share of each class's samples that are classified rightly; 0 for a class without samples."""
    counts = np.bincount(labels)
    right = np.bincount(labels[predicted == labels], minlength=len(counts))
    return right / np.maximum(counts, 1)


def sender_of(network: nn.Module, layer: str) -> str:
    """Path of the module whose output the layer sends on: its own, or of a batch normalisation that stands right after
    it in an `nn.Sequential`.

    Raises ValueError: the network has no such layer.
    """
    _module(network, layer)
    place, _, name = layer.rpartition(".")
    parent = network.get_submodule(place)
    siblings = list(parent.named_children())
    number = [each for each, _ in siblings].index(name)
    if isinstance(parent, nn.Sequential) and number + 1 < len(siblings):
        following, module = siblings[number + 1]
        if isinstance(module, _BatchNorm):
            return f"{place}.{following}" if place else following
    return layer


def layer_size(network: nn.Module, layer: str) -> int:
    """Units of a layer. Raises ValueError: the network has no such layer."""
    weight: Tensor = _module(network, layer).weight  # type: ignore[assignment]
    return len(weight)


def _zeroing(group: NeuronGroup) -> Callable[[nn.Module, tuple, Tensor], Tensor]:
    return lambda module, inputs, output: _without(output, group)


def _without(sent: Tensor, group: NeuronGroup) -> Tensor:
    return sent.index_fill(1, torch.from_numpy(np.asarray(group.units)).to(sent.device), 0)


def _halves(network: nn.Module, layer: str) -> tuple[nn.Module, nn.Module] | None:
    """A chain of modules up to what the layer sends on, and from there; None for any other network."""
    sender = sender_of(network, layer)
    if not isinstance(network, nn.Sequential) or "." in sender:
        return None
    number = [name for name, _ in network.named_children()].index(sender)
    return network[: number + 1], network[number + 1 :]


def _module(network: nn.Module, layer: str) -> nn.Module:
    known = dict(network.named_modules())
    if layer not in known or not hasattr(known[layer], "weight"):
        raise ValueError(f"expected a layer of the network, given {layer!r}")
    return known[layer]
