"""Which other channels to intervene on beside the one that is studied, so that an effect means something.

When to use: whenever one channel is ablated, patched or steered. Zeroing any channel does some damage, and a
loud channel more than a quiet one: `random` channels show the first, channels of `matched` norm the second.
A channel that does the same job is no control: give those in `same_job`. Nor is a silent one, whose zeroing
changes nothing.

Source: ours; the channel-121 study had no control.
"""

from collections.abc import Collection
from typing import NamedTuple

import numpy as np

from procscope.activations.channel_statistics import ChannelStatistics


class ControlChannels(NamedTuple):
    """Channels to compare with."""

    random: tuple[int, ...]
    """Drawn from all that are fit."""
    matched: tuple[int, ...]
    """Of all that are fit, those whose norm is nearest in ratio, the nearest first."""


def control_channels(
    channel: int,
    statistics: ChannelStatistics,
    same_job: Collection[int],
    count: int,
    rng: np.random.Generator,
) -> ControlChannels:
    """`count` controls of each kind for a channel; fewer where the layer has not so many that are fit.

    Raises ValueError: no other channel is fit.
    """
    fit = [
        other
        for other in range(statistics.n_channels)
        if other != channel and other not in same_job and statistics.share_active[other] > 0
    ]
    if not fit:
        raise ValueError(
            f"no channel can serve as a control of channel {channel}: all {statistics.n_channels - 1} others "
            "are silent or do the same job. Name fewer in same_job"
        )
    random = rng.choice(fit, size=min(count, len(fit)), replace=False)
    # A silent channel has norm 0; the smallest positive number keeps its logarithm finite.
    logs = np.log(np.maximum(statistics.norm, np.finfo(float).tiny))
    matched = sorted(fit, key=lambda other: abs(logs[other] - logs[channel]))[:count]
    return ControlChannels(tuple(int(other) for other in random), tuple(matched))
