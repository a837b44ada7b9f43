"""How well a reward network predicts: its squared error beside that of always guessing the mean, and event by event.

When to use: in training (`training.py`), on a network's card, and on any transitions.

    scores = score(network, data, Split.TEST)
    scores.loss / scores.floor                      # a tenth or less is a network that knows its reward

The loss is the mean squared error of the reward predicted for the action taken; the floor is that of always guessing
the mean reward of the *training* transitions. Where transitions without reward were thinned, both are also given as
played: every transition counted `weight` times, so that they compare with the dissertation's (0.92 for the floor).

Cost: the forward pass, a third of training's.

Axes: `transition` rows; `event` what happens in one.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import nn

from procscope.activations.capture import evaluation_mode
from procscope.rewardnets.splits import Split
from procscope.rewardnets.transitions import Transitions

NEAR_CELLS = 2.0
"""A goal whose centre is nearer than that to the agent's after the transition is near."""


class EventScore(NamedTuple):
    """Predictions where one thing happens."""

    event: str
    n: int
    reward: float
    """Mean of the true rewards."""
    predicted: float
    """Mean of the predictions."""
    deviation: float
    """Standard deviation of the predictions."""


@dataclass(frozen=True)
class RewardScores:
    """A reward network on one side of a data set."""

    n: int
    loss: float
    floor: float
    loss_as_played: float
    floor_as_played: float
    correlation: float
    """Of predicted and true rewards; 0 where all predictions are alike."""
    events: tuple[EventScore, ...]


def score(
    network: nn.Module, data: Transitions, split: Split = Split.TEST, batch_size: int = 64
) -> RewardScores:
    """Measure a reward network on one side of a data set.

    Raises ValueError: that side is empty or all its rewards are alike; a network without rewards.
    """
    predicted = predictions(network, data, split, batch_size)
    chosen = data.of(split)
    rewards, weights = data.rewards[chosen], data.column("weight")[chosen].astype(np.float64)
    mean = data.rewards[data.of(Split.TRAIN)].mean()
    training = data.of(Split.TRAIN)
    mean_as_played = np.average(data.rewards[training], weights=data.column("weight")[training])
    errors = (predicted - rewards) ** 2
    alike = np.ptp(predicted) == 0
    return RewardScores(
        n=int(chosen.sum()),
        loss=float(errors.mean()),
        floor=float(((rewards - mean) ** 2).mean()),
        loss_as_played=float(np.average(errors, weights=weights)),
        floor_as_played=float(np.average((rewards - mean_as_played) ** 2, weights=weights)),
        correlation=0.0 if alike else float(np.corrcoef(predicted, rewards)[0, 1]),
        events=tuple(
            EventScore(
                name,
                int(mask.sum()),
                float(rewards[mask].mean()),
                float(predicted[mask].mean()),
                float(predicted[mask].std()),
            )
            for name, mask in events(data, split).items()
            if mask.any()
        ),
    )


@torch.inference_mode()
def predictions(
    network: nn.Module, data: Transitions, split: Split, batch_size: int = 64
) -> Float[np.ndarray, "transition"]:
    """The reward predicted for the action taken, in the order of the data set."""
    device = next(network.parameters()).device
    found = []
    with evaluation_mode(network):
        for batch in data.batches(split, batch_size):
            rewards = network(torch.from_numpy(batch.pairs).permute(0, 3, 1, 2).to(device)).rewards
            actions = torch.from_numpy(batch.actions).long().to(device)
            found.append(rewards.gather(1, actions[:, None])[:, 0].double().cpu().numpy())
    return np.concatenate(found)


def events(data: Transitions, split: Split) -> dict[str, Bool[np.ndarray, "transition"]]:
    """What happens in the transitions of one side; each is in exactly one event."""
    chosen = data.of(split)
    done, rewarded = data.column("done")[chosen], data.rewards[chosen] != 0
    distance = data.column("next_goal_distance_euclidean")[chosen]
    near = (distance >= 0) & (distance < NEAR_CELLS) & ~rewarded & ~done
    visible = data.column("next_goal_visible")[chosen] & ~rewarded & ~done & ~near
    return {
        "goal reached": rewarded,
        "episode over without reward": done & ~rewarded,
        f"goal nearer than {NEAR_CELLS:g} cells": near,
        "goal in sight, farther": visible,
        "goal out of sight": ~(rewarded | done | near | visible),
    }
