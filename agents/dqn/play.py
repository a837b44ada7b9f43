"""How many points a Q network makes: whole games, greedy but for a share of random actions.

Every game of the vector plays the same number of episodes to their end, so that short ones do not count more often.
Cost: the toy 20,000 steps/s on one core, Atari 800 a core.

Axes: `env` games of the vector; `episode` games one after the other.
"""

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from jaxtyping import Float
from tqdm import tqdm

from procscope.activations.acting import policy_logits
from procscope.workbench.mean_intervals import mean_interval
from procscope.workbench.statistics import Interval


def play_scores(
    network: torch.nn.Module | None,
    games: VectorEnv,
    episodes_each: int,
    *,
    random_share: float = 0.0,
    seed: int = 0,
    progress: str | None = None,
) -> Float[np.ndarray, "env episode"]:
    """Points of the first `episodes_each` episodes of every game.

    Args:
        network: its `logits` are action values; None plays at random.
        random_share: probability of a random action instead of the best one.
        seed: of the games and the random actions.
        progress: label of a progress bar; None for none.

    Raises ValueError if `episodes_each` is less than 1, or `random_share` is no probability.
    """
    if episodes_each < 1 or not 0 <= random_share <= 1:
        raise ValueError(
            "episodes_each must be at least 1 and random_share in [0, 1]; given: "
            f"{episodes_each}, {random_share}"
        )
    rng = np.random.default_rng(seed)
    frames, _ = games.reset(seed=seed)
    n, n_actions = games.num_envs, int(games.action_space[0].n)  # type: ignore[index]
    scores, ended = np.zeros((n, episodes_each)), np.zeros(n, np.int64)
    running = np.zeros(n)
    with tqdm(total=n * episodes_each, desc=progress, unit="game", disable=progress is None) as bar:
        while (ended < episodes_each).any():
            drawn, explores = rng.integers(n_actions, size=n), rng.random(n) < random_share
            actions = drawn
            if network is not None:
                actions = np.where(explores, drawn, policy_logits(network, frames).argmax(axis=1))
            frames, rewards, terminated, truncated, _ = games.step(actions)
            running += rewards
            over = np.logical_or(terminated, truncated)
            counted = np.flatnonzero(over & (ended < episodes_each))
            scores[counted, ended[counted]] = running[counted]
            ended[over] += 1
            running[over] = 0
            bar.update(len(counted))
    return scores


def mean_score(scores: Float[np.ndarray, "env episode"]) -> Interval:
    """Mean points of at least two episodes with a 95% bootstrap interval."""
    return mean_interval(scores.reshape(-1))
