"""Rewards that a network predicts for given transitions, in batches.

    rewards = predicted_rewards(network, frames, next_frames)        # [transition, action]

When to use: for transitions that are no data set: scenes, noise, levels of a search. `scores.py` does it for data sets.
Cost: the forward pass: 600 transitions/s at width 1/16 on one core, four times that with `shrink=2`.

Axes: `transition`; `action` raw actions; pictures `row col rgb` from the top left.
"""

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import nn

from procscope.activations.capture import evaluation_mode
from procscope.activations.forward import read_network
from procscope.rewardnets.network import pairs_to_input

_AT_ONCE = 128


def predicted_rewards(
    network: nn.Module,
    frames: UInt8[np.ndarray, "transition row col rgb"],
    next_frames: UInt8[np.ndarray, "transition row col rgb"],
) -> Float32[np.ndarray, "transition action"]:
    """The reward of every action. Raises ValueError: a network without rewards, or other numbers of pictures."""
    if frames.shape != next_frames.shape or not len(frames):
        raise ValueError(
            f"expected as many frames as next frames, at least one; given shapes {frames.shape}, {next_frames.shape}"
        )
    device = next((weight.device for weight in network.parameters()), torch.device("cpu"))
    found = []
    with evaluation_mode(network), torch.no_grad():
        for start in range(0, len(frames), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            read = read_network(network, pairs_to_input(frames[part], next_frames[part]).to(device))
            if read.rewards is None:
                raise ValueError(
                    f"expected a reward network, whose output has rewards; {type(network).__name__} gives none"
                )
            found.append(read.rewards.float().cpu().numpy())
    return np.concatenate(found)
