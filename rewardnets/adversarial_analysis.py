"""The analysis `adversarial`: examples that fool a reward network, a network trained against them, and both compared.

    procscope transitions build --game coinrun --out data/coinrun
    procscope analyze adversarial --cache data/coinrun --model coinrun-reward

How it uses the cache. Its *frames*, pairs of a frame and the next, with the actions and rewards among its *labels*, are
what a second network of the same shape is trained on, with adversarial examples from the fifth epoch on
(`adversarial_training.py`), and what attacks begin with, those of test levels. Any cache of pairs with frames will do;
it need not hold the network's activations.

The run's directory gets `network.safetensors`, the retrained network, beside the report: both networks' losses on test
levels, and what every attack of `robustness.py` comes to on each, most of which training does not use.

Source: dissertation, section 5.8; attacks not trained on are ours.

Cost: that of training the network for `epochs` epochs, and three minutes a network at width 1/16 and shrink 2.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from torch import nn

from procscope.envs.engine import VALIDATION_SEEDS
from procscope.rewardnets.adversarial_report import report_networks
from procscope.rewardnets.adversarial_training import AdversarialConfig, train_adversarial
from procscope.rewardnets.config import RewardConfig
from procscope.rewardnets.moments import Moment, moments_of_play, play_moments
from procscope.rewardnets.robustness import JudgedNetwork, judge
from procscope.rewardnets.scores import score
from procscope.rewardnets.splits import Split
from procscope.rewardnets.training import data_hash
from procscope.rewardnets.transitions import RECIPES, Transitions
from procscope.workbench.analyses import Analysis
from procscope.workbench.checkpoints import load_network
from procscope.workbench.runs import RunRecord


@dataclass(frozen=True)
class AdversarialSettings:
    """What is trained, and how both networks are judged."""

    model: str = ""
    """Name or path of the reward network to begin with."""

    epochs: int = 10
    """Of the second network's training."""

    first_epoch: int = 5
    """The first with adversarial examples, counted from 1."""

    share: float = 0.001
    """Examples made before each epoch, of the number of training transitions."""

    steps: int = 16
    """Of gradient ascent on each."""

    examples: int = 48
    """Of every attack on pixels that judges the networks."""

    levels: int = 16
    """That the search over levels begins with; 0 leaves it out."""

    rounds: int = 40
    """Of that search."""

    policy: str = ""
    """Whose play it begins with; by default the actor of the game's transitions."""

    device: str = "cpu"
    """Where the networks run."""


class AdversarialResult(NamedTuple):
    """Both networks, and where the retrained one is."""

    standard: JudgedNetwork
    adversarial: JudgedNetwork
    path: str


def run(data: Transitions, config: AdversarialSettings, record: RunRecord) -> AdversarialResult:
    """Find examples that fool a reward network, train one against such, and compare the two."""
    if not config.model:
        raise ValueError("expected a reward network to attack: name it, or give its path, with --model")
    model = load_network(config.model, config.device)
    if model.header.architecture != "reward-network":
        raise ValueError(
            f"expected a reward network; {config.model} is of the architecture {model.header.architecture!r}"
        )
    moments = starting_moments(model.header.environment["game"], config)
    training = AdversarialConfig(
        RewardConfig(
            data_hash=data_hash(data),
            network_options=dict(model.header.options),
            epochs=config.epochs,
            batch_size=256,
            seed=record.seed,
            device=config.device,
        ),
        first_epoch=config.first_epoch,
        share=config.share,
        steps=config.steps,
    )
    path = train_adversarial(training, data, record.directory, progress="adversarial training")
    retrained = load_network(str(path), config.device)
    record.network(model.name, model.weights_hash, "standard")
    record.network("retrained", retrained.weights_hash, "adversarial")

    def judged(name: str, kind: str, network: nn.Module) -> JudgedNetwork:
        record.log(f"attacking {name}")
        attacked = judge(
            network,
            data,
            moments,
            examples=config.examples,
            rounds=config.rounds,
            seed=record.seed,
            progress=f"levels that fool {name}",
        )
        scores = score(network, data, Split.TEST)
        return JudgedNetwork(name, kind, scores.loss, scores.floor, scores.n, attacked)

    result = AdversarialResult(
        judged(model.name, "standard", model.network),
        judged("retrained", "adversarial", retrained.network),
        str(path),
    )
    report_networks(record, [result.standard, result.adversarial], np.random.default_rng(record.seed))
    return result


def starting_moments(game: str, config: AdversarialSettings) -> list[Moment]:
    """What the search over levels begins with: unrewarded moments of play in levels that nobody was trained on."""
    if not config.levels:
        return []
    policy = config.policy or (RECIPES[game].actor if game in RECIPES else "")
    if not policy:
        raise ValueError(f"expected a policy to play {game} with: name it with --policy, or --levels 0")
    moments = moments_of_play(policy, range(VALIDATION_SEEDS.start, VALIDATION_SEEDS.start + config.levels))
    unrewarded = play_moments(moments).unrewarded
    return [moment for moment, good in zip(moments, unrewarded, strict=True) if good]


ANALYSIS = Analysis(AdversarialSettings, run, open_cache=Transitions.open, targets=("C5.advtrain",))
