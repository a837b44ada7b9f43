"""The reward network: what reward does a transition bring, for each action that may have been taken?

When to use: as a model of the reward function that is trained on transitions (`training.py`) and looked into. Inputs
are transitions `[batch, 6, row, col]`: the channels of the frame, then those of the next frame, uint8 or floats of
0..255 (`pairs_to_input` makes them from two stacks of pictures); the network divides by 255 itself. The output has
one field, `rewards`, [batch, action].

    network = RewardNetwork(width=1 / 8)
    rewards = network(pairs_to_input(frames, next_frames)).rewards[:, actions]

Source: the dissertation, section 5.3. What the network sees is a choice there too (appendix C.2.1 has a smaller one
that "sees only observation and action"): as in its code, the library `imitation`, an action comes in as the choice of
an output, so that a network without actions gives all of them the same reward.

Hook points: those of `stack.py` (`layer0_pre`, `layer0`, … `layer4`, `pooled`) and

    rewards                 B 15        one per raw action (`procscope.envs.actions`)

Cost on one core (AVX2): training 36 transitions/s at width 1/8, 186 at 1/16; with `shrink=2` 205 and 694.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Num, UInt8
from torch import Tensor, nn

from procscope.activations.hooks import HookPoint
from procscope.envs.actions import N_ACTIONS
from procscope.rewardnets.stack import ConvolutionStack

_SEEN = {"both": slice(0, 6), "next": slice(3, 6), "frame": slice(0, 3)}
"""Channels of a transition, by the choice of inputs."""


class RewardOutput(NamedTuple):
    """What a reward network returns."""

    rewards: Float[Tensor, "batch action"]
    """The reward predicted for each action."""


class RewardNetwork(ConvolutionStack):
    """Five convolutions, the average of each map, and a linear read-out for each action.

    Args:
        width: share of the dissertation's channels (96, 256, 384, 384, 256).
        inputs: what it sees: `both` frames, the `next` one alone, or the `frame` alone.
        per_action: a read-out for each action; else one for all of them.
        n_actions: rewards.
        shrink: pictures are averaged over squares of so many pixels a side first.

    Raises:
        ValueError: an unknown choice of inputs; a width or shrink out of range; transitions without six channels.
    """

    takes_pairs = True
    """Whoever feeds networks with frames (`procscope.activations`) gives this one a frame and the next."""

    def __init__(
        self,
        width: float = 1.0,
        inputs: str = "both",
        per_action: bool = True,
        n_actions: int = N_ACTIONS,
        shrink: int = 1,
    ) -> None:
        if inputs not in _SEEN:
            raise ValueError(f"expected inputs to be one of {', '.join(_SEEN)}; given {inputs!r}")
        seen = _SEEN[inputs]
        super().__init__(seen.stop - seen.start, width, shrink)
        self.inputs, self.per_action, self.n_actions = inputs, per_action, n_actions
        self.head = nn.Linear(self.channels[-1], n_actions if per_action else 1)
        self.rewards = HookPoint()
        self.setup()

    def forward(self, transitions: Num[Tensor, "batch rgb row col"]) -> RewardOutput:
        """Rewards of transitions with values 0..255, the frame's channels before the next frame's."""
        if transitions.shape[1] != 6:
            raise ValueError(
                "expected transitions of 6 channels, a frame and the next; given pictures of "
                f"{transitions.shape[1]}. Stack them with pairs_to_input, or sample the cache with sample='pairs'"
            )
        rewards = self.head(self.pool(transitions[:, _SEEN[self.inputs]]))
        return RewardOutput(self.rewards(rewards.expand(-1, self.n_actions)))


def pairs_to_input(
    frames: UInt8[np.ndarray, "batch row col rgb"], next_frames: UInt8[np.ndarray, "batch row col rgb"]
) -> UInt8[Tensor, "batch 6 row col"]:
    """Transitions as a reward network takes them, with channels_last strides."""
    pairs = np.concatenate([frames, next_frames], axis=-1)
    return torch.from_numpy(pairs).permute(0, 3, 1, 2)
