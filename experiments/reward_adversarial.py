"""reward-adversarial: does training against its own visualisations mend a reward network?

Replicates section 5.8 of S0: from the fifth of ten epochs on, examples that the network predicts much reward for are
made and learned with reward 0. Standard and adversarial networks side by side, with the same initial weights and the
same order of the same transitions, so that pairs compare: loss, attacks (most of them not trained on, among them
searches over states that the engine plays), and what linear probes read of the distance to the goal (Tables 5.8 and
5.9). Noise, scenes and the rest of the text's questions are asked by `reward-scenes`.
docs/experiments/reward-adversarial.md says what was found.
"""

import functools
from dataclasses import dataclass
from pathlib import Path

from procscope.experiments.reward_adversarial_report import write_report
from procscope.experiments.reward_adversarial_study import KINDS, NetworkStudy, Studied, study_network
from procscope.rewardnets.adversarial_training import AdversarialConfig
from procscope.rewardnets.config import RewardConfig
from procscope.rewardnets.training import data_hash
from procscope.rewardnets.transitions import RECIPES, Transitions, build_transitions
from procscope.workbench.experiments import Experiment
from procscope.workbench.parallel import parallel_map
from procscope.workbench.runs import RunRecord


@dataclass(frozen=True)
class Config:
    """Settings of `reward-adversarial`; the defaults are those of the small scale."""

    game: str = "coinrun"
    data: str = ""
    """Transitions to learn from; by default made beside the runs, `transitions` of them."""
    transitions: int = 20_480
    actor: str = ""
    """Who plays them; by default the game's recipe."""
    runs: int = 3
    """Networks of either kind."""
    width: float = 1 / 16
    shrink: int = 2
    epochs: int = 10
    first_epoch: int = 5
    share: float = 0.001
    steps: int = 16
    examples: int = 48
    """Of each attack on pixels."""
    levels: int = 16
    """That the search over levels begins with."""
    rounds: int = 40
    policy: str = ""
    """Whose play that search begins with; by default the transitions' actor."""
    device: str = "cpu"
    workers: int = 2

    def training(self, run: int, hashed: str, seed: int) -> AdversarialConfig:
        """Of one pair of networks."""
        return AdversarialConfig(
            RewardConfig(
                data_hash=hashed,
                network_options={"width": self.width, "shrink": self.shrink},
                epochs=self.epochs,
                batch_size=256,
                seed=1000 * seed + run,
                device=self.device,
            ),
            first_epoch=self.first_epoch,
            share=self.share,
            steps=self.steps,
        )


def run(config: Config, record: RunRecord) -> None:
    """Make transitions, train pairs of networks, attack and probe them, one member each, report."""
    beside = record.directory.parent.parent
    data = Transitions.open(config.data or _transitions(config, beside))
    recipe = RECIPES.get(config.game)
    policy = config.policy or config.actor or (recipe.actor if recipe else "")
    studies = [
        NetworkStudy(
            kind,
            config.training(number, data_hash(data), record.seed),
            config.examples,
            config.levels,
            config.rounds,
            policy,
        )
        for number in range(config.runs)
        for kind in KINDS
    ]
    kept = record.members()
    pending = kept.pending(studies)
    work = functools.partial(study_network, data=str(data.cache.path), networks=beside / "reward-networks")
    for place, result in parallel_map(work, pending, workers=config.workers, description="networks"):
        kept.put(pending[place], result)
        record.log(f"{pending[place].name}: test loss {result['loss']:.3f}")
    found = [Studied.of(study, kept.get(study), beside / "reward-networks") for study in studies]
    write_report(record, found, config.shrink, config.width, len(data))


def _transitions(config: Config, beside: Path) -> Path:
    """Made once for all runs; a stopped build goes on."""
    name = f"{config.game}-{config.actor or 'recipe'}-{config.transitions}"
    return build_transitions(
        config.game,
        beside / "transitions" / name,
        n_transitions=config.transitions,
        actor=config.actor or None,
        workers=config.workers,
    )


EXPERIMENT = Experiment(
    name="reward-adversarial",
    question="Does adversarial training make a reward network harder to fool, also by attacks that it was not trained "
    "on, and does it make it represent what it should?",
    targets=("C5.advtrain",),
    scales={
        "smoke": Config(
            game="maze",
            transitions=512,
            actor="maze-easy-topright",
            runs=1,
            width=1 / 96,
            shrink=8,
            epochs=3,
            first_epoch=2,
            share=0.01,
            steps=2,
            examples=2,
            levels=2,
            rounds=1,
            workers=1,
        ),
        "small": Config(),
        "long": Config(width=1 / 8, transitions=61_440),
        "paper": Config(transitions=900_173, width=1.0, shrink=1, device="cuda", workers=1, examples=480),
    },
    run=run,
)
