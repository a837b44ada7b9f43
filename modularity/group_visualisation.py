"""How strongly one picture can excite a group of neurons together, and what the network says of that picture.

    groups = network_wide_groups(graph, 16, hidden)
    found = visualise_groups(network, groups, shape=(1, 28, 28), rng=rng)
    percentiles = centred_percentiles(found.score, found.random_score)

Each group gets the picture that makes the L1 norm of its activations before their ReLU large (of maps, the L1 norm of
L1 norms), and so do random groups of the same size in its layer.

- *Score* is that norm on the finished picture: high if the group's neurons can fire together.
- *Entropy*, in nats, is that of the network's softmax on the picture: low if it is one class's picture.

Source: S0, section 4.4.3: pixels, Adam, 100 steps, jitter and scaling for small networks. The code behind the text
differs: Lucid's default parameterisation (Fourier, decorrelated colours), the |mean| of a map in place of its L1 norm,
groups of three neurons up. Networks keep their own number of channels here, where Lucid wanted three.

Cost: 100 passes forward and backward up to the layer for each group and random group.

Axes: `group`, `random` groups of the same layer and size.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import nn

from procscope.activations.capture import evaluation_mode
from procscope.modularity.lesions import NeuronGroup, layer_size, random_groups, sender_of
from procscope.modularity.specialization_statistics import RANDOMS
from procscope.visualization.objectives import GroupNorm
from procscope.visualization.optimise_inputs import optimise_inputs
from procscope.visualization.picture_parameters import PictureParameters
from procscope.visualization.picture_transforms import PRESETS, Transform

STEPS = 100


@dataclass(frozen=True, eq=False)
class VisualisedGroups:
    """Pictures of true and of random groups, and both measures of each."""

    groups: tuple[NeuronGroup, ...]
    score: Float[np.ndarray, " group"]
    random_score: Float[np.ndarray, "group random"]
    entropy: Float[np.ndarray, " group"]
    random_entropy: Float[np.ndarray, "group random"]
    pictures: Float[np.ndarray, "group true_and_random channel row col"]
    """Each group's own picture first, then its random groups'."""


def visualise_groups(
    network: nn.Module,
    groups: Sequence[NeuronGroup],
    parameters: PictureParameters,
    *,
    rng: np.random.Generator,
    pools: dict[str, Int[np.ndarray, " unit"]] | None = None,
    randoms: int = RANDOMS,
    steps: int = STEPS,
    transforms: Sequence[Transform] = PRESETS["small-network"],
    brightest: float = 1.0,
    seed: int = 0,
    progress: str = "",
) -> VisualisedGroups:
    """Optimise a picture for every group and its random counterparts, a layer's at once.

    Args:
        network: a classifier of pictures.
        pools: units of each layer to draw random groups from, where some are isolated; by default all.
        seed: of the first pictures and the transforms; `rng` draws the random groups.

    Raises ValueError: no group, and as `optimise_inputs`.
    """
    if not groups:
        raise ValueError("expected at least one group, given none")
    every: list[NeuronGroup] = []
    for group in groups:
        pool = pools[group.layer] if pools else np.arange(layer_size(network, group.layer))
        every += [group, *random_groups(group, pool, randoms, rng)]
    pictures = torch.empty(len(every), *parameters.shape)
    scores = torch.empty(len(every))
    for layer in dict.fromkeys(group.layer for group in groups):
        places = [place for place, group in enumerate(every) if group.layer == layer]
        objective = GroupNorm(sender_of(network, layer), [every[place].units.tolist() for place in places])
        found = optimise_inputs(
            network,
            objective,
            parameters,
            transforms,
            steps=steps,
            brightest=brightest,
            seed=seed,
            progress=f"{progress} {layer}" if progress else "",
        )
        pictures[places], scores[places] = found.pictures, found.scores
    with evaluation_mode(network), torch.no_grad():
        log_p = torch.cat([network(brightest * part).log_softmax(dim=1) for part in pictures.split(1000)])
    entropy = -(log_p.exp() * log_p).sum(dim=1)
    shape = (len(groups), 1 + randoms)
    score, entropies = (values.double().numpy().reshape(shape) for values in (scores, entropy))
    return VisualisedGroups(
        tuple(groups),
        score[:, 0],
        score[:, 1:],
        entropies[:, 0],
        entropies[:, 1:],
        pictures.numpy().reshape(*shape, *parameters.shape),
    )
