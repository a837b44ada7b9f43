"""One network of `dots-and-distances`: trained or not, then probed for the three distances at every layer.

A probe reads the average of each map after its ReLU and tells the three distances linearly. It is fitted in closed form
(`procscope.probes.ridge`), so that no number hangs on how long it was trained; every picture is judged by a probe that
was fitted to the other folds.

Axes: `block` of 1,000 pictures, `pair` of dots of one colour.
"""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float32, Float64

from procscope.probes.moments import Batch
from procscope.probes.ridge import fit_ridge
from procscope.rewardnets.dots import BLOCK
from procscope.rewardnets.dots_network import DotsNetwork
from procscope.rewardnets.dots_training import DotsTraining, probe_blocks, train_dots
from procscope.workbench.devices import choose_device
from procscope.workbench.members import member_key

LAYERS = (0, 1, 2, 3, 4)
"""The text probes 1 to 4."""
FOLDS = 10
ALPHAS = (0.0, 1.0, 10.0, 100.0)


@dataclass(frozen=True)
class DotsStudy:
    """Everything that a network's numbers depend on."""

    kind: str
    """`many-epochs`, `few-epochs`, `classifier` or `untrained`."""
    training: DotsTraining
    """Of an untrained network, only the seed, the side and the width count."""
    probe_pictures: int
    version: int = 1

    @property
    def name(self) -> str:
        return f"{self.kind} {self.training.seed}"


class StudiedDots(NamedTuple):
    """What was found."""

    study: DotsStudy
    probe_losses: dict[int, Float64[np.ndarray, " block"]]
    """By layer: mean squared error over the pictures of each block and the three pairs."""
    probe_guesses: Float64[np.ndarray, " block"]
    """The same of guessing the mean distances."""
    test_losses: Float64[np.ndarray, " block"]
    """Of the network itself; empty without training."""
    test_guesses: Float64[np.ndarray, " block"]
    train_losses: Float64[np.ndarray, " pool"]

    @classmethod
    def of(cls, study: DotsStudy, result: dict[str, Any]) -> "StudiedDots":
        """From what a member keeps."""
        losses = {layer: np.array(result["probe_losses"][str(layer)]) for layer in LAYERS}
        names = ("probe_guesses", "test_losses", "test_guesses", "train_losses")
        return cls(study, losses, *(np.array(result[name], float) for name in names))


def study_dots(study: DotsStudy, networks: Path) -> dict[str, Any]:
    """Train the network (its checkpoint is kept in `networks`), probe it, and give a member's JSON."""
    began = time.process_time()
    config = replace(study.training, device=str(choose_device(study.training.device)))
    found: dict[str, Any] = {"test_losses": [], "test_guesses": [], "train_losses": []}
    if study.kind == "untrained":
        with torch.random.fork_rng():
            torch.manual_seed(config.seed)
            network = DotsNetwork(config.width).to(config.device)
    else:
        trained = train_dots(config, networks / member_key(study.training), progress=study.name)
        network = trained.network
        found["test_losses"] = trained.test_losses.tolist()
        found["test_guesses"] = trained.guess_losses.tolist()
        found["train_losses"] = trained.train_losses
    layers, distances = pooled_layers(network, config, study.probe_pictures)
    losses = {}
    for layer, features in layers.items():
        losses[str(layer)], guesses = probe_errors(features, distances)
        found["probe_guesses"] = guesses
    return found | {"probe_losses": losses, "seconds": time.process_time() - began}


@torch.no_grad()
def pooled_layers(
    network: DotsNetwork, config: DotsTraining, count: int
) -> tuple[dict[int, Float32[np.ndarray, "picture channel"]], Float32[np.ndarray, "picture pair"]]:
    """The average of each map of each layer on fresh pictures, and their distances."""
    network.eval()
    names = [f"layer{layer}" for layer in LAYERS]
    read: dict[int, list[np.ndarray]] = {layer: [] for layer in LAYERS}
    distances = []
    for block in probe_blocks(config, count):
        for part in torch.from_numpy(block.pictures).split(100):
            _, activations = network.run_with_cache(part.to(config.device), names_filter=names)
            for layer, name in zip(LAYERS, names, strict=True):
                read[layer].append(activations[name].mean((2, 3)).cpu().numpy())
        distances.append(block.distances)
    return {layer: np.concatenate(parts) for layer, parts in read.items()}, np.concatenate(distances)


def probe_errors(
    features: Float32[np.ndarray, "picture channel"], distances: Float32[np.ndarray, "picture pair"]
) -> tuple[list[float], list[float]]:
    """Mean squared errors of held-out pictures by block, of the probes and of guessing the training folds' mean."""
    fold = np.arange(len(features)) * FOLDS // len(features)  # pictures are independent of one another
    targets = distances.astype(np.float64)
    fit = fit_ridge([Batch(slice(0, len(features)), features)], targets, fold, ALPHAS)
    errors, guesses = np.empty(len(features)), np.empty(len(features))
    columns = np.arange(targets.shape[1])
    for part, (solution, chosen) in enumerate(zip(fit.of_fold, fit.chosen(), strict=True)):
        rows = fold == part
        told = (
            features[rows] @ solution.coefficients[chosen, :, columns].T
            + solution.intercepts[chosen, columns]
        )
        errors[rows] = ((told - targets[rows]) ** 2).mean(axis=1)
        guesses[rows] = ((targets[~rows].mean(axis=0) - targets[rows]) ** 2).mean(axis=1)
    return errors.reshape(-1, BLOCK).mean(axis=1).tolist(), guesses.reshape(-1, BLOCK).mean(axis=1).tolist()
