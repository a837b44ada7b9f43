"""reward-scenes: what does a reward network go by, in scenes that are built to tell?

Replicates sections 5.5, 5.6 and C.2.1 of S0: pure noise (Table 5.1), the manual adversarial examples *translated* and
*rearranged* (Table 5.2), and the eight that were tried and not used; each made by the engine of hundreds of levels in
place of 16 drawings. Then the question that the text leaves open: is it the sprite's height in the picture, the
distance from the ground, or the arrangement that makes *rearranged* go unrewarded?
docs/experiments/reward-scenes.md says what was found.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from procscope.experiments.reward_scenes_numbers import NetworkScenes, record_numbers
from procscope.experiments.reward_scenes_report import write_report
from procscope.rewardnets.noise import KINDS, noise_pairs
from procscope.rewardnets.predict import predicted_rewards
from procscope.rewardnets.scene_rewards import SceneRewards, scene_levels, scene_rewards
from procscope.workbench.checkpoints import LoadedModel, load_network
from procscope.workbench.experiments import Experiment
from procscope.workbench.runs import RunRecord


@dataclass(frozen=True)
class Config:
    """Settings of `reward-scenes`; the defaults are those of the small scale."""

    models: tuple[str, ...] = ("coinrun-reward",)
    """Reward networks, by name or path; those of Heist see noise alone."""
    levels: int = 300
    """From level seed 10^9 on, those with room for all scenes."""
    noise: int = 1000
    """Pairs of noise of each kind; the text has 100."""


@dataclass(frozen=True)
class Member:
    """One network: everything that its numbers depend on."""

    weights_hash: str
    game: str
    mode: str
    levels: int
    noise: int
    seed: int
    version: int = 1


def run(config: Config, record: RunRecord) -> None:
    """Show every network the same scenes and the same noise, record, report."""
    kept, studies = record.members(), []
    for name in config.models:
        model = load_network(name)
        header = model.header
        kind = kind_of(model)
        record.network(model.name, model.weights_hash, kind)
        game, mode = header.environment["game"], header.environment["mode"]
        member = Member(model.weights_hash, game, mode, config.levels, config.noise, record.seed)
        found = kept.get_or_compute(member, lambda member, model=model: measure(model, member))
        studies.append(NetworkScenes.of(model.name, kind, found))
        record.log(f"{model.name}: done")
    write_report(record, record_numbers(record, studies), studies)


def measure(model: LoadedModel, member: Member) -> dict[str, Any]:
    """A member's JSON: predictions scene by scene and level by level, and for noise."""
    rng = np.random.default_rng(member.seed)
    noise = {kind: predicted_rewards(model.network, *noise_pairs(member.noise, kind, rng)) for kind in KINDS}
    scenes: dict[str, SceneRewards] = {}
    if member.game == "coinrun":
        scenes = scene_rewards(model.network, scene_levels(member.mode, member.levels), progress=model.name)
    return {
        "noise": {kind: np.round(rewards, 4).tolist() for kind, rewards in noise.items()},
        "scenes": {
            name: {field: np.round(values, 4).tolist() for field, values in found._asdict().items()}
            for name, found in scenes.items()
        },
    }


def kind_of(model: LoadedModel) -> str:
    """Which of the text's networks it stands for: `15 epochs`, `40 epochs`, `adversarial`, `heist`."""
    training = model.header.training
    if model.header.environment["game"] == "heist":
        return "heist"
    if str(training.get("method", "")).startswith("adversarial"):
        return "adversarial"
    return f"{training.get('config', {}).get('epochs', training.get('epochs', '?'))} epochs"


EXPERIMENT = Experiment(
    name="reward-scenes",
    question="Do reward networks see that the agent reaches the coin where things are not as in training, and what "
    "makes them fail?",
    targets=("C5.noise", "C5.manual-adv", "C5.manual-adv-unused"),
    scales={"smoke": Config(levels=3, noise=20), "small": Config(), "paper": Config(levels=1000)},
    run=run,
)
