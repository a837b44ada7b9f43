"""The sum of each channel's map in the first frames of levels, beside what the network does and the truth.

When to use: to ask what a whole channel says, wherever in the map it says it: the statistic of the
channel-121 study, for a layer after its ReLU, where no positive and negative parts cancel. Frames pass in
parts, so that the maps of all frames are never held at once.

    shown = frames_from_seeds("maze", seeds, ["cheese-anywhere"])
    read = channel_sums(network, shown)
    read.sums[:, 21], read.moves, read.labels["best_move"]

Cost: the forward pass (IMPALA 16-32-32 on one core: about 1,000 frames/s).

Axes: `frame`, `channel`, `action` the 15 raw actions.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int
from torch import nn

from procscope.activations.capture import capture
from procscope.envs.actions import ACTION_TO_MOVE, greedy_moves
from procscope.envs.labels import Columns
from procscope.envs.level_frames import LevelFrames

_FRAMES_AT_ONCE = 512


class ChannelSums(NamedTuple):
    """What the channels sum to, the network's logits and the labels, frame by frame."""

    sums: Float32[np.ndarray, "frame channel"]
    logits: Float32[np.ndarray, "frame action"]
    labels: Columns

    @property
    def moves(self) -> Int[np.ndarray, " frame"]:
        """The most probable of the five moves, the raw actions of each counted together."""
        return greedy_moves(self.logits)

    @property
    def moves_of_likeliest_actions(self) -> Int[np.ndarray, " frame"]:
        """The move that the single most probable raw action makes."""
        return ACTION_TO_MOVE[self.logits.argmax(axis=1)]

    def where(self, chosen: Bool[np.ndarray, " frame"]) -> "ChannelSums":
        """Those frames that are chosen, in order."""
        labels = {name: column[chosen] for name, column in self.labels.items()}
        return ChannelSums(self.sums[chosen], self.logits[chosen], labels)


def channel_sums(network: nn.Module, shown: LevelFrames, hook_point: str = "conv_out") -> ChannelSums:
    """Sums over the maps at a hook point, and the logits.

    Raises ValueError: an unknown hook point, one that holds no maps, a network without logits.
    """
    sums, logits = [], []
    for start in range(0, len(shown.frames), _FRAMES_AT_ONCE):
        part = capture(network, shown.frames[start : start + _FRAMES_AT_ONCE], [hook_point], dtype="float32")
        maps = part.activations[hook_point]
        if maps.ndim != 4 or part.logits is None:
            raise ValueError(
                f"expected maps [frame, channel, row, col] at {hook_point!r} and a network with logits; given "
                f"shape {maps.shape}, logits {'missing' if part.logits is None else 'present'}"
            )
        sums.append(maps.sum(axis=(2, 3)))
        logits.append(part.logits)
    return ChannelSums(np.concatenate(sums), np.concatenate(logits), shown.labels)
