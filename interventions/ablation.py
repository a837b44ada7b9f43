"""Ablations: put a constant where a channel's activation was, so that what it said of the frame is gone.

When to use: to ask whether a network needs a channel. `ZeroAblation` is the study's of channel 121 ("set to
zero at the layer just before Flatten"). Zero may lie far from anything that the channel ever shows, and then
damage does not mean that its message was used; `MeanAblation` leaves the size that later layers are used to
and removes the message alone. Report both.

    with applied(network, ZeroAblation("conv_out", channels=[21])):
        network(frames)
    MeanAblation.of(cached_channel_statistics(cache, "conv_out"), "conv_out", channels=[21])

Cost: one copy of the activation.

Axes: as in `intervention.py`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from procscope.activations.channel_statistics import ChannelStatistics
from procscope.interventions.intervention import Intervention


@dataclass(frozen=True)
class ZeroAblation(Intervention):
    """The chosen channels become 0."""

    kind: Literal["zero-ablation"] = field(default="zero-ablation", repr=False, kw_only=True)

    def replacement(self, chosen: Float[Tensor, "frame chosen ..."]) -> Float[Tensor, "frame chosen ..."]:
        return torch.zeros_like(chosen)


@dataclass(frozen=True)
class MeanAblation(Intervention):
    """Each chosen channel becomes its mean over a set of frames, the same at every position and in every frame.

    Raises ValueError: a number of means other than that of the channels, or one that is not finite.
    """

    means: Sequence[float] = field(kw_only=True)
    """One per chosen channel, in the order of `channels`; kept as a tuple.

    They are part of the value, so that a stored config says exactly what was done.
    """

    kind: Literal["mean-ablation"] = field(default="mean-ablation", repr=False, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "means", tuple(float(mean) for mean in self.means))
        expected = len(self.means) if self.channels is None else len(self.channels)
        if not self.means or len(self.means) != expected or not all(map(math.isfinite, self.means)):
            raise ValueError(
                f"expected one finite mean for each of the {expected} channels at {self.hook_point!r}, given "
                f"{list(self.means)}"
            )

    @classmethod
    def of(
        cls, statistics: ChannelStatistics, hook_point: str, channels: Sequence[int] | None = None
    ) -> "MeanAblation":
        """The ablation with the means that were measured at a hook point.

        Raises ValueError: a channel that the statistics do not have.
        """
        wanted = range(statistics.n_channels) if channels is None else channels
        if beyond := [channel for channel in wanted if not 0 <= channel < statistics.n_channels]:
            raise ValueError(
                f"expected channels from 0 to {statistics.n_channels - 1}, those of the statistics of "
                f"{hook_point!r}; given {beyond}"
            )
        return cls(hook_point, channels, means=[float(statistics.mean[channel]) for channel in wanted])

    def replacement(self, chosen: Float[Tensor, "frame chosen ..."]) -> Float[Tensor, "frame chosen ..."]:
        if chosen.ndim < 2 or chosen.shape[1] != len(self.means):
            raise ValueError(
                f"expected an activation of {len(self.means)} channels at {self.hook_point!r}, as many as "
                f"there are means; it has shape {tuple(chosen.shape)}"
            )
        means = torch.tensor(self.means, dtype=chosen.dtype, device=chosen.device)
        return means.reshape(1, -1, *(1,) * (chosen.ndim - 2)).expand_as(chosen)
