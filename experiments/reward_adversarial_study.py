"""One network of `reward-adversarial`: trained in one of two ways, attacked, probed.

Both networks of a pair begin with the same weights and see the same batches in the same order; `standard` is the same
training without examples and without clipping. What attacks end with is kept beside the network, as `attacks.npz`.

Axes: `sample` transitions, `attack`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch
from jaxtyping import Float64
from torch import nn

from procscope.activations.capture import capture
from procscope.envs.engine import VALIDATION_SEEDS
from procscope.probes.level_intervals import level_interval
from procscope.probes.levels import Levels, folds
from procscope.probes.moments import Batch
from procscope.probes.ridge import fit_ridge
from procscope.rewardnets.adversarial_training import AdversarialConfig, train_adversarial
from procscope.rewardnets.moments import Moment, moments_of_play, play_moments
from procscope.rewardnets.robustness import Attacked, JudgedNetwork, judge
from procscope.rewardnets.scores import score
from procscope.rewardnets.splits import Split
from procscope.rewardnets.training import train_reward
from procscope.rewardnets.transitions import Transitions
from procscope.workbench.checkpoints import load_network
from procscope.workbench.members import member_key
from procscope.workbench.statistics import Interval

Kind = Literal["standard", "adversarial"]
KINDS: tuple[Kind, ...] = get_args(Kind)
LAYERS = (1, 2, 3, 4)
CAP_CELLS = 18.4
"""The largest distance at which the coin may still be in the picture (section 5.7.1)."""
SEEN_CELLS = 6.0
"""The text's filtered probes are of transitions with the coin nearer than that."""
TARGETS = ("distance", "squared distance")


@dataclass(frozen=True)
class NetworkStudy:
    """Everything that a network's numbers depend on."""

    kind: Kind
    training: AdversarialConfig
    examples: int
    levels: int
    rounds: int
    policy: str
    version: int = 1

    @property
    def name(self) -> str:
        return f"{self.kind} {self.training.reward.seed}"

    def directory(self, networks: Path) -> Path:
        """Where the network is kept. A standard one does not depend on the options of adversarial training."""
        training = self.training if self.kind == "adversarial" else self.training.reward
        return networks / member_key([self.kind, training])


class Probed(NamedTuple):
    """One linear probe."""

    layer: int
    target: str
    filtered: bool
    loss: float
    """Mean squared error on levels that it did not see."""
    guess: float
    share: Interval
    """Of guessing's loss."""


class Studied(NamedTuple):
    """What was found."""

    study: NetworkStudy
    judged: JudgedNetwork
    probes: list[Probed]

    @classmethod
    def of(cls, study: NetworkStudy, result: dict[str, Any], networks: Path) -> "Studied":
        """From what a member keeps; the pictures only if they are still there."""
        path = study.directory(networks) / "attacks.npz"
        pictures = dict(np.load(path)) if path.is_file() else {}
        none = np.zeros((0, 64, 64, 6), np.uint8)
        attacked = {
            name: Attacked(
                np.array(found["after"], np.float32),
                np.array(found["before"], np.float32),
                pictures.get(name, none),
            )
            for name, found in result["attacks"].items()
        }
        judged = JudgedNetwork(study.name, study.kind, result["loss"], result["floor"], result["n"], attacked)
        probes = [
            Probed(layer, target, filtered, loss, guess, Interval(*share))
            for layer, target, filtered, loss, guess, share in result["probes"]
        ]
        return cls(study, judged, probes)


def study_network(study: NetworkStudy, data: str, networks: Path) -> dict[str, Any]:
    """Train (the network and its checkpoint are kept in `networks`), judge, probe; a member's JSON."""
    transitions = Transitions.open(data)
    directory = study.directory(networks)
    if study.kind == "adversarial":
        path = train_adversarial(study.training, transitions, directory, progress=study.name)
    else:
        path = train_reward(study.training.reward, transitions, directory)
    network = load_network(str(path), study.training.reward.device).network
    scores = score(network, transitions, Split.TEST)
    attacked = judge(
        network,
        transitions,
        _moments(study),
        examples=study.examples,
        rounds=study.rounds,
        seed=study.training.reward.seed,
        progress=f"levels that fool {study.name}",
    )
    np.savez_compressed(directory / "attacks.npz", **{name: found.pairs for name, found in attacked.items()})
    return {
        "loss": scores.loss,
        "floor": scores.floor,
        "n": scores.n,
        "attacks": {
            name: {"after": found.after.tolist(), "before": found.before.tolist()}
            for name, found in attacked.items()
        },
        "probes": [
            list(probed) for probed in probe_distance(network, transitions, study.training.reward.seed)
        ],
    }


def _moments(study: NetworkStudy) -> list[Moment]:
    if not (study.levels and study.policy):
        return []
    first = VALIDATION_SEEDS.start
    moments = moments_of_play(study.policy, range(first, first + study.levels))
    unrewarded = play_moments(moments).unrewarded
    return [moment for moment, good in zip(moments, unrewarded, strict=True) if good]


def probe_distance(network: nn.Module, data: Transitions, seed: int) -> list[Probed]:
    """Linear probes of the distance to the goal and of its square, at layers 1 to 4, whole levels held out.

    The average of each map is read, and exact ridge regressions are fitted, with the strength chosen on other levels.
    All transitions are used: probes know nothing of what the network was trained on.
    """
    distance = data.column("goal_distance_euclidean").astype(float)
    rows = np.flatnonzero(distance >= 0)
    near = distance[rows] < SEEN_CELLS
    capped = np.minimum(distance[rows], CAP_CELLS)
    targets = np.stack([capped, capped**2], axis=1)
    seeds = data.column("level_seed")[rows]
    found = []
    for layer, features in _pooled(network, data, rows).items():
        for filtered, chosen in ((False, np.ones(len(rows), bool)), (True, near)):
            found += _probes(layer, filtered, features[chosen], targets[chosen], seeds[chosen], seed)
    return found


def _probes(
    layer: int, filtered: bool, features: np.ndarray, targets: np.ndarray, seeds: np.ndarray, seed: int
) -> list[Probed]:
    if len(features) < 20 or len(np.unique(seeds)) < 4 or np.ptp(targets[:, 0]) == 0:
        return []
    rng = np.random.default_rng(seed)
    levels = Levels.of(seeds)
    fold = folds(levels, min(10, levels.n), rng)
    alphas = (1.0, 10.0, 100.0, 1000.0)
    fit = fit_ridge([Batch(slice(0, len(features)), features)], targets, fold, alphas)
    errors, guesses = np.empty(targets.shape), np.empty(targets.shape)
    columns = np.arange(targets.shape[1])
    for part, (solution, place) in enumerate(zip(fit.of_fold, fit.chosen(), strict=True)):
        held = fold == part
        told = (
            features[held] @ solution.coefficients[place, :, columns].T + solution.intercepts[place, columns]
        )
        errors[held] = (told - targets[held]) ** 2
        guesses[held] = (targets[~held].mean(axis=0) - targets[held]) ** 2
    probed = []
    for column, target in enumerate(TARGETS):
        sums = _by_level(levels, np.stack([errors[:, column], guesses[:, column]], axis=1))
        share = level_interval(sums, lambda drawn: np.asarray(drawn[..., 0] / drawn[..., 1]), rng=rng)
        loss, guess = float(errors[:, column].mean()), float(guesses[:, column].mean())
        probed.append(Probed(layer, target, filtered, loss, guess, share))
    return probed


def _by_level(levels: Levels, values: np.ndarray) -> Float64[np.ndarray, "level quantity"]:
    sums = np.zeros((levels.n, values.shape[1]))
    np.add.at(sums, levels.of_frame, values)
    return sums


def _pooled(network: nn.Module, data: Transitions, rows: np.ndarray) -> dict[int, np.ndarray]:
    """The average of each map of each layer."""
    names = [f"layer{layer}" for layer in LAYERS]
    parts: dict[int, list[np.ndarray]] = {layer: [] for layer in LAYERS}
    with torch.no_grad():
        for start in range(0, len(rows), 128):
            pairs = np.asarray(data.cache.frames[rows[start : start + 128]])
            found = capture(network, pairs, names, dtype="float32").activations
            for layer, name in zip(LAYERS, names, strict=True):
                parts[layer].append(found[name].mean(axis=(2, 3)))
    return {layer: np.concatenate(each) for layer, each in parts.items()}
