"""What `reward-probes` fits: linear probes of pooled layers of a reward network, and of the same network untrained.

As in the text: the average of each map after its ReLU, layers 1 to 4, squared error on transitions held out. Other than
there, probes are exact (closed form, cross-validated over levels), so no number is a matter of epochs.

Axes: `frame` transitions of the cache, `level`, `quantity` of a score's sums.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import nn
from tqdm import tqdm

from procscope.activations.cache import ActivationCache
from procscope.activations.capture import evaluation_mode
from procscope.activations.hooks import HookedNetwork, HookPoint
from procscope.envs.engine import TEST_SEEDS
from procscope.probes.features import ArrayFeatures
from procscope.probes.scores import Score
from procscope.probes.settings import ProbeSettings
from procscope.probes.study import study
from procscope.probes.targets import read_targets
from procscope.probes.untrained import untrained_like
from procscope.rewardnets.transitions import Transitions, build_transitions
from procscope.workbench.checkpoints import LoadedModel

LAYERS = (1, 2, 3, 4)
"""The text's: 0 is the first convolution, 4 the last."""
ALPHAS = (0.0, 1.0, 10.0, 100.0, 1000.0)
"""Ridge strengths; held-out levels choose."""
_DISTANCE = "goal_distance_euclidean"

QUANTITIES: dict[str, dict[str, str]] = {
    "coinrun": {
        "distance": f"min({_DISTANCE}, 18.4)",
        "squared distance": f"min({_DISTANCE} ** 2, 338)",
        "inverse distance": f"min(1 / {_DISTANCE}, 5)",
        "inverse squared distance": f"min(1 / {_DISTANCE} ** 2, 5)",
    },
    "heist": {
        "x-distance": "goal_x + 0.5 - agent_exact_x",
        "y-distance": "goal_y + 0.5 - agent_exact_y",
        "distance": _DISTANCE,
        "squared distance": f"{_DISTANCE} ** 2",
        "inverse distance": f"min(1 / {_DISTANCE}, 5)",
        "inverse squared distance": f"min(1 / {_DISTANCE} ** 2, 5)",
    },
}
"""By game: what is probed for, as expressions of the frame's labels, with the text's caps. In cells."""
FILTER = f"{_DISTANCE} < 6"
"""The text's "filtered" probes see these transitions of CoinRun alone, in which the coin is in sight."""
FILTERED = ("distance", "squared distance")


class ProbeScore(NamedTuple):
    """One probe."""

    weights: str
    """`trained` or `untrained`."""
    data: str
    """`all` or `filtered`."""
    layer: int
    quantity: str
    score: Score


@dataclass(frozen=True)
class Member:
    """One network on one cache: everything that its probes depend on."""

    weights_hash: str
    cache_source: str
    """Hash of what the transitions depend on."""
    seed: int
    folds: int
    version: int = 1


def probe_transitions(game: str, mode: str, n: int, directory: Path, seed: int) -> Transitions:
    """Transitions of test levels to probe on, none thinned; made once a directory."""
    place = directory / f"transitions-{game}-{mode}-{n}-{seed}"
    build_transitions(
        game,
        place,
        n_transitions=n,
        keep_unrewarded=1.0,
        mode=mode,
        level_seeds=TEST_SEEDS,
        seed=seed,
        num_envs=8,
    )
    return Transitions.open(place)


def measure(model: LoadedModel, cache: ActivationCache, member: Member) -> dict[str, Any]:
    """A member's JSON: the sums of every probe, level by level."""
    networks = {"trained": model.network, "untrained": untrained_like(model, member.seed)}
    pooled = {name: pooled_layers(network, cache, name) for name, network in networks.items()}
    found = []
    for data, only_where in (("all", ""), ("filtered", FILTER)):
        quantities = quantities_of(model.header.game, data)
        if not quantities:
            continue
        targets = read_targets(cache, list(quantities.values()), only_where=only_where)
        names = {expression: name for name, expression in quantities.items()}
        settings = ProbeSettings(target=tuple(quantities.values()), folds=member.folds, alphas=ALPHAS)
        for weights, layers in pooled.items():
            for layer, values in layers.items():
                features = ArrayFeatures(values[targets.rows], f"layer{layer}")
                probed = study(features, targets, None, settings, member.seed)
                found += [
                    [weights, data, layer, names[one.target], one.score.sums.tolist(), one.score.n_samples]
                    for one in probed.findings
                ]
    return {"probes": found}


def quantities_of(game: str, data: str) -> dict[str, str]:
    """What is probed for in a game, on all transitions or on the filtered ones. Raises ValueError: another game."""
    if game not in QUANTITIES:
        raise ValueError(
            f"expected a reward network of {' or '.join(QUANTITIES)}, which the text has; given one of {game}"
        )
    if data == "all":
        return QUANTITIES[game]
    return {name: QUANTITIES[game][name] for name in FILTERED} if game == "coinrun" else {}


def read_scores(found: dict[str, Any]) -> list[ProbeScore]:
    """What `measure` gave, as kept."""
    return [
        ProbeScore(weights, data, layer, quantity, Score(np.array(sums), 0, n))
        for weights, data, layer, quantity, sums, n in found["probes"]
    ]


@torch.inference_mode()
def pooled_layers(
    network: nn.Module, cache: ActivationCache, name: str = "", layers: Sequence[int] = LAYERS
) -> dict[int, Float[np.ndarray, "frame channel"]]:
    """The average of each map of some layers, for every transition of a cache."""
    assert isinstance(network, HookedNetwork)
    device = next(network.parameters()).device
    rows: dict[int, list[np.ndarray]] = {layer: [] for layer in layers}

    def keep(activation: torch.Tensor, /, *, hook: HookPoint) -> None:
        rows[int(str(hook.name).removeprefix("layer"))].append(activation.mean((2, 3)).cpu().numpy())

    batches = cache.batches([], batch_size=64, with_frames=True)
    with evaluation_mode(network), network.hooks([(f"layer{layer}", keep) for layer in layers]):
        for batch in tqdm(
            batches, desc=f"{name} layers", total=-(-len(cache) // 64), unit="batch", disable=None
        ):
            assert batch.frames is not None
            network(torch.from_numpy(batch.frames).permute(0, 3, 1, 2).to(device))
    return {layer: np.concatenate(parts) for layer, parts in rows.items()}
