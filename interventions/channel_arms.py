"""The arms that tell what one channel causes: untouched, zeroed, at its mean, and other channels zeroed.

When to use: to set up a study in play of a channel, then to hold its results. `plan_channel_arms` says what
is to be played, `procscope.interventions.paired_play` plays it, and the same structure holds the outcomes:

    plan = plan_channel_arms(network, channel, same_job, mazes, count=3, seed=0)
    found = play_arms(plan.all(), record.members(), workers=2)
    outcomes = plan.map(found)             # outcomes.zero, outcomes.random[7], ... [level]

Source: S3.zeroing has the first two arms; the others are controls that its author asked for or lacked.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from procscope.activations.capture import capture
from procscope.activations.channel_statistics import channel_statistics
from procscope.envs.engine import scratch_engine
from procscope.interventions.ablation import MeanAblation, ZeroAblation
from procscope.interventions.control_channels import control_channels
from procscope.interventions.intervention import Intervention
from procscope.interventions.paired_play import PlayedArm, PlayedMazes
from procscope.workbench.checkpoints import LoadedModel

Each = TypeVar("Each")
Other = TypeVar("Other")


@dataclass(frozen=True)
class ChannelArms(Generic[Each]):
    """Something for every arm of one channel: what to play, or what came of it."""

    original: Each
    zero: Each
    mean: Each
    random: Mapping[int, Each]
    """By control channel, zeroed in place of the one studied."""
    matched: Mapping[int, Each]
    """The same for channels of like norm."""

    def all(self) -> list[Each]:
        """Every arm's, the original first."""
        return [self.original, self.zero, self.mean, *self.random.values(), *self.matched.values()]

    def map(self, function: Callable[[Each], Other]) -> "ChannelArms[Other]":
        """The same arms, each with what the function makes of it."""
        return ChannelArms(
            function(self.original),
            function(self.zero),
            function(self.mean),
            {channel: function(arm) for channel, arm in self.random.items()},
            {channel: function(arm) for channel, arm in self.matched.items()},
        )


def plan_channel_arms(
    network: LoadedModel,
    channel: int,
    same_job: Collection[int],
    mazes: PlayedMazes,
    *,
    count: int,
    seed: int,
    hook_point: str = "conv_out",
) -> ChannelArms[PlayedArm]:
    """The arms of one channel on given mazes.

    The mean of the mean-ablation, and the norms of the controls, are over the first frames of these mazes
    themselves: what the layer's next readers meet there.

    Args:
        same_job: channels that are no controls since they do the same (see `control_channels`).
        count: controls of each kind.
        seed: of the draw of random controls and of the action noise.
    """
    frames = scratch_engine("maze").render(mazes.states(mouse_anywhere=True))
    activations = capture(network.network, frames, [hook_point], dtype="float32").activations[hook_point]
    statistics = channel_statistics(activations)
    controls = control_channels(channel, statistics, same_job, count, np.random.default_rng((seed, channel)))

    def arm(intervention: Intervention | None) -> PlayedArm:
        stored = None if intervention is None else intervention.to_config()
        return PlayedArm(network.name, network.weights_hash, mazes, stored, seed)

    def zeroed(each: int) -> PlayedArm:
        return arm(ZeroAblation(hook_point, channels=[each]))

    return ChannelArms(
        arm(None),
        zeroed(channel),
        arm(MeanAblation.of(statistics, hook_point, channels=[channel])),
        {each: zeroed(each) for each in controls.random},
        {each: zeroed(each) for each in controls.matched},
    )
