"""visualize-rewards: what do reward networks want to see, made from nothing and from transitions that reach the coin?

Replicates section 5.4 of S0: pictures from nothing by the recipe `dissertation`, scrambled copies of them, monochrome
pink and then cyan; and transitions that reach the coin, changed by the recipe `dissertation-seeded`, with the sprite
and the coin where they are and moved to the side. `visualize_rewards_report.py` tells what was found.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from procscope.envs.coinrun.scenes import SCENES
from procscope.experiments.reward_scenes import kind_of
from procscope.experiments.visualize_rewards_report import report_network
from procscope.rewardnets.predict import predicted_rewards
from procscope.rewardnets.scene_rewards import scene_levels
from procscope.visualization.atlas.entry import shown
from procscope.visualization.objectives import ChannelMean
from procscope.visualization.recipes import RECIPES, visualise
from procscope.workbench.checkpoints import LoadedModel, load_network
from procscope.workbench.experiments import Experiment
from procscope.workbench.runs import RunRecord

STARTS = ("original", "translated")
PINK, CYAN = (255, 105, 180), (0, 255, 255)
N_ACTIONS = 15


@dataclass(frozen=True)
class Config:
    """Settings of `visualize-rewards`; the defaults are those of the small scale."""

    models: tuple[str, ...] = ("coinrun-reward",)
    """Reward networks of CoinRun, by name or path."""
    steps: int = 512
    """Of pictures from nothing."""
    seeded_steps: tuple[int, ...] = (8, 16, 32, 64, 128)
    """Of changed transitions, as in figures 5.4 to 5.14."""
    transitions: int = 16
    """That reach the coin, of levels from seed 10^9 on."""


@dataclass(frozen=True)
class Member:
    """One network: everything that its numbers depend on."""

    weights_hash: str
    mode: str
    steps: int
    seeded_steps: tuple[int, ...]
    transitions: int
    seed: int
    version: int = 3


def run(config: Config, record: RunRecord) -> None:
    """Make every network's pictures, record, report. Raises ValueError: a network that is not of CoinRun."""
    kept, kinds = record.members(), set()
    for name in config.models:
        model = load_network(name)
        if model.header.game != "coinrun":
            raise ValueError(f"expected reward networks of coinrun; {model.name} is of {model.header.game}")
        record.network(model.name, model.weights_hash, kind_of(model))
        member = Member(
            model.weights_hash,
            model.header.mode,
            config.steps,
            config.seeded_steps,
            config.transitions,
            record.seed,
        )
        found = kept.get_or_compute(member, lambda member, model=model: measure(model, member))
        report_network(record, model.name, kind_of(model), found)
        kinds.add(kind_of(model))
    if "adversarial" not in kinds:
        record.say(
            "What was not asked",
            "No adversarially trained network is among those measured, so whether one wants other pictures, or none, "
            "stays open. `procscope run reward-adversarial` trains such networks; name one with --models.",
        )


def measure(model: LoadedModel, member: Member) -> dict[str, Any]:
    """A member's JSON: rewards and a few pictures."""
    return {"from_nothing": from_nothing(model, member), "seeded": seeded(model, member)}


def from_nothing(model: LoadedModel, member: Member) -> dict[str, Any]:
    """For each action a picture, its scrambled copy, and pink that turns to cyan."""
    how = replace(RECIPES["dissertation"], steps=member.steps)
    objective = ChannelMean("rewards", range(N_ACTIONS))
    found = visualise(model.network, objective, how, shape=(6, 64, 64), seed=member.seed, progress=model.name)
    pairs = _bytes(found.pictures)
    rng = np.random.default_rng(member.seed)
    order = rng.permutation(64 * 64)
    # Pixels change places, the same in both frames: what each pixel turns into is left.
    scrambled = pairs.reshape(N_ACTIONS, -1, 6)[:, order].reshape(pairs.shape)
    pink_to_cyan = np.broadcast_to(np.array([*PINK, *CYAN], np.uint8), pairs.shape).copy()
    actions = np.arange(N_ACTIONS)
    return {
        "reward": _rewards(model, pairs, actions),
        "scrambled": _rewards(model, scrambled, actions),
        "pink_to_cyan": _rewards(model, pink_to_cyan, actions),
        "moved": found.moved.tolist(),
        "pictures": [shown(pair, "").png for pair in pairs[:3]],
    }


def seeded(model: LoadedModel, member: Member) -> dict[str, Any]:
    """Transitions after so many steps: rewards, and in which columns the first change and the gradient lie."""
    levels = scene_levels(member.mode, member.transitions)
    result = {}
    for start in STARTS:
        scenes = [SCENES[start](level) for level in levels]
        pairs = np.stack([np.concatenate([one.observation, one.next_observation], axis=2) for one in scenes])
        actions = np.array([one.action for one in scenes])
        frames = torch.from_numpy(pairs).permute(0, 3, 1, 2).float() / 255
        rewards, pictures = {0: _rewards(model, pairs, actions)}, [shown(pairs[0], "").png]
        columns: list[float] = []
        for steps in member.seeded_steps:
            how = replace(RECIPES["dissertation-seeded"], steps=steps)
            objective = ChannelMean("rewards", actions.tolist())
            found = visualise(
                model.network, objective, how, frames=frames, seed=member.seed, progress=f"{start}, {steps}"
            )
            changed = _bytes(found.pictures)
            rewards[steps] = _rewards(model, changed, actions)
            pictures.append(shown(changed[0], "").png)
            columns = columns or mean_columns((changed.astype(float) - pairs) ** 2)
        result[start] = {
            "rewards": {str(steps): values for steps, values in rewards.items()},
            "pictures": pictures,
            "change_col": columns,
            "gradient_col": columns_of_gradient(model, pairs, actions),
        }
    return result


def columns_of_gradient(model: LoadedModel, pairs: np.ndarray, actions: np.ndarray) -> list[float]:
    """Mean column of the squared gradient of each transition's reward; Adam's first steps are alike in all pixels."""
    columns = []
    for pair, action in zip(pairs, actions.tolist(), strict=True):
        inputs = torch.from_numpy(pair).permute(2, 0, 1)[None].float().requires_grad_()
        (gradient,) = torch.autograd.grad(model.network(inputs).rewards[0, action], inputs)
        columns += mean_columns(gradient.permute(0, 2, 3, 1).numpy().astype(float) ** 2)
    return columns


def mean_columns(weights: np.ndarray) -> list[float]:
    """Mean column in pixels from the left, by weights [transition, row, col, channel]; the middle where all are 0."""
    of_column = weights.sum(axis=(1, 3))
    total = of_column.sum(axis=1)
    mean = (of_column * np.arange(of_column.shape[1])).sum(axis=1) / np.where(total > 0, total, 1)
    return np.where(total > 0, mean, (of_column.shape[1] - 1) / 2).tolist()


def _rewards(model: LoadedModel, pairs: np.ndarray, actions: np.ndarray) -> list[float]:
    found = predicted_rewards(model.network, pairs[..., :3], pairs[..., 3:])
    return np.round(found[np.arange(len(pairs)), actions].astype(float), 4).tolist()


def _bytes(pictures: torch.Tensor) -> np.ndarray:
    return np.rint(255 * pictures.permute(0, 2, 3, 1).numpy()).astype(np.uint8)


EXPERIMENT = Experiment(
    name="visualize-rewards",
    question="What do reward networks want to see: pictures from nothing, and transitions that reach the coin and are "
    "changed step by step; and do adversarially trained networks want it, too?",
    targets=("C5.vis-denovo", "C5.vis-dataset"),
    scales={
        "smoke": Config(steps=4, seeded_steps=(2, 4), transitions=2),
        "small": Config(),
        "paper": Config(transitions=100),
    },
    run=run,
)
