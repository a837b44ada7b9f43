"""What drives a policy to one side: how much it wants to go right rather than left, and which channels that rests on.

When to use: for agents that run right whatever lies there, as those of CoinRun do, on frames of one's own choosing.

    odds = right_log_odds(network, frames)                                # nats, frame by frame
    drive = channel_drive(network, frames, "block3.res2")
    drive.strongest(4, on)                                                # their ablation costs most on some frames
    log_odds_change(network, others, MeanAblation.of(drive.statistics, ...))   # and is confirmed on others

Cost: IMPALA (16, 32, 32), 300 frames, all channels of four hook points: 20 s on one core.

Axes: `frame` of another level each; `channel` (or unit).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64
from scipy.special import logsumexp
from torch import nn

from procscope.activations.capture import capture
from procscope.activations.channel_statistics import ChannelStatistics, channel_statistics
from procscope.envs.actions import ACTION_TO_MOVE, Move
from procscope.interventions.ablation import MeanAblation
from procscope.interventions.arms import run_arms
from procscope.interventions.intervention import Intervention


@dataclass(frozen=True, eq=False)
class ChannelDrive:
    """What the mean ablation of each channel of a hook point does to the wish to go right."""

    hook_point: str
    statistics: ChannelStatistics
    """Of the hook point on the frames."""
    untouched: Float64[np.ndarray, " frame"]
    """Log odds of right against left, in nats."""
    change: Float64[np.ndarray, "channel frame"]
    """From the untouched log odds, with the channel at its mean."""

    def strongest(self, n: int, on: Bool[np.ndarray, " frame"]) -> tuple[int, ...]:
        """The channels whose ablation lowers the mean log odds of these frames most, the first first.

        Raises ValueError: fewer than `n` channels.
        """
        if not 1 <= n <= len(self.change):
            raise ValueError(f"expected 1 to {len(self.change)} channels of {self.hook_point!r}; given {n}")
        return tuple(self.change[:, on].mean(axis=1).argsort(kind="stable")[:n].tolist())

    def ablation(self, channels: tuple[int, ...]) -> MeanAblation:
        """These channels at their means."""
        return MeanAblation.of(self.statistics, self.hook_point, channels)


def log_odds_of(logits: Float[np.ndarray, "*batch action"]) -> Float64[np.ndarray, "*batch"]:
    """log p(right) - log p(left) of logits of the 15 raw actions, all actions of a move counted together; in nats."""
    wide = logits.astype(np.float64)
    right, left = (wide[..., move == ACTION_TO_MOVE] for move in (Move.RIGHT, Move.LEFT))
    difference = np.subtract(logsumexp(right, axis=-1), logsumexp(left, axis=-1))
    return np.asarray(difference)


def log_odds_under(
    network: nn.Module, frames: np.ndarray, arms: list[tuple[Intervention, ...]]
) -> Float64[np.ndarray, "arm frame"]:
    """Log odds of right against left of every frame under every arm; () is the untouched network.

    Raises ValueError: a network without logits of the raw actions, and as `run_arms`.
    """
    parts = []
    for part in run_arms(network, frames, arms):
        if part.logits is None:
            raise ValueError("expected a network that gives logits of the actions; this one gives none")
        parts.append(log_odds_of(part.logits))
    return np.concatenate(parts, axis=1)


def right_log_odds(network: nn.Module, frames: np.ndarray) -> Float64[np.ndarray, " frame"]:
    """Log odds of right against left, in nats, of uint8 frames [frame, row, col, rgb]."""
    return log_odds_under(network, frames, [()])[0]


def channel_drive(network: nn.Module, frames: np.ndarray, hook_point: str) -> ChannelDrive:
    """Ablate each channel of a hook point in turn. Raises ValueError: an unknown hook point, and as `run_arms`."""
    measured = channel_statistics(
        capture(network, frames, [hook_point], dtype="float32").activations[hook_point]
    )
    arms = [(MeanAblation.of(measured, hook_point, [channel]),) for channel in range(measured.n_channels)]
    odds = log_odds_under(network, frames, [(), *arms])
    return ChannelDrive(hook_point, measured, odds[0], odds[1:] - odds[0])
