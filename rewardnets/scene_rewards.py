"""Rewards predicted for the dissertation's scenes, made of hundreds of levels: level by level, scene by scene.

    levels = scene_levels("easy", 300)
    found = scene_rewards(network, levels)
    found["rearranged"].mean_output, found["covered air high"].taken

When to use: to ask what a reward network goes by. `SCENES` of `envs/coinrun/scenes.py` come first, then the
combinations of `scene_factors.py`. All scenes are made of the same levels, so that they compare level by level.
Cost: 2 to 10 ms a scene to draw (29 of them a level), and the pass.

Axes: `level`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32
from torch import nn
from tqdm import tqdm

from procscope.envs.coinrun import CoinRunLevel
from procscope.envs.coinrun.scene_factors import COMBINATIONS, factored
from procscope.envs.coinrun.scenes import SCENES
from procscope.envs.coinrun.staging import Scene
from procscope.envs.engine import TEST_SEEDS
from procscope.rewardnets.predict import predicted_rewards

_LEVELS_AT_ONCE = 32
SCENE_NAMES = (*SCENES, *(factors.name for factors in COMBINATIONS))
"""All scenes."""


class SceneRewards(NamedTuple):
    """Predictions for one scene."""

    taken: Float32[np.ndarray, " level"]
    """For the action that is played."""
    mean_output: Float32[np.ndarray, " level"]
    """Mean over all 15 actions, which the dissertation pools."""
    deviation: Float32[np.ndarray, " level"]
    """Standard deviation over the actions."""
    true: Float32[np.ndarray, " level"]


def scenes_of(level: CoinRunLevel) -> list[Scene]:
    """All scenes of a level, in the order of `SCENE_NAMES`. Raises ValueError: it has no room for one of them."""
    return [make(level) for make in SCENES.values()] + [factored(level, each) for each in COMBINATIONS]


def scene_levels(mode: str, count: int, first_seed: int = TEST_SEEDS.start) -> list[CoinRunLevel]:
    """The first levels of so many seeds that have room for all scenes."""
    found: list[CoinRunLevel] = []
    seed = first_seed
    while len(found) < count:
        for level in CoinRunLevel.from_seeds(range(seed, seed + _LEVELS_AT_ONCE), mode):
            try:
                scenes_of(level)
            except ValueError:
                continue
            found.append(level)
        seed += _LEVELS_AT_ONCE
    return found[:count]


def scene_rewards(
    network: nn.Module, levels: Sequence[CoinRunLevel], progress: str = ""
) -> dict[str, SceneRewards]:
    """Predictions for all scenes of all levels. Raises ValueError: a level without room, no levels."""
    if not levels:
        raise ValueError("expected at least one level; given none")
    parts: dict[str, list[SceneRewards]] = {name: [] for name in SCENE_NAMES}
    starts = range(0, len(levels), _LEVELS_AT_ONCE)
    for start in tqdm(starts, desc=progress, disable=None if progress else True):
        made = [scenes_of(level) for level in levels[start : start + _LEVELS_AT_ONCE]]
        for name, scenes in zip(SCENE_NAMES, zip(*made, strict=True), strict=True):
            parts[name].append(_rewards(network, scenes))
    return {
        name: SceneRewards(*(np.concatenate(columns) for columns in zip(*found, strict=True)))
        for name, found in parts.items()
    }


def _rewards(network: nn.Module, scenes: Sequence[Scene]) -> SceneRewards:
    rewards = predicted_rewards(
        network,
        np.stack([scene.observation for scene in scenes]),
        np.stack([scene.next_observation for scene in scenes]),
    )
    taken = rewards[np.arange(len(scenes)), [scene.action for scene in scenes]]
    true = np.array([scene.true_reward for scene in scenes], np.float32)
    return SceneRewards(taken, rewards.mean(axis=1), rewards.std(axis=1), true)
