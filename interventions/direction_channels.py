"""The pair finder: which channels say in which direction the cheese is, found on minimal pairs of mazes.

When to use: first, whenever a study needs "the go-UP channel" of a network: channel numbers mean nothing in
another one. In each pair one wall stands in one of two places, which turns the first step to the cheese (in Heist, to
the next key) by a quarter; what a channel does differently is due to that. A channel's sum over its map is compared
(`procscope.activations.channel_sums`).

    finder = find_direction_channels(network, [direction_pairs(7, rng) for _ in range(50)])
    finder.best([Move.UP])                 # the channel of the largest effect that reads UP
    finder.rows()[:10]                     # the ten largest effects

Source: S3.pair-finder, the "Methods" of the channel-121 study: effect = mean over pairs and orientations of
|sum in the first maze - sum in the second|. The study looked at one pair; here there are many, and what is
said of a channel that was chosen on some is measured on others.
Cost: eight forward passes a base maze.

Axes: `maze` base mazes, `orientation` the four of `ORIENTATIONS`, `side` first or second maze of the pair,
`channel`, `direction` the four of `DIRECTIONS`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from torch import nn

from procscope.activations.channel_sums import channel_sums
from procscope.envs.actions import Move
from procscope.envs.heist.pairs import CornerPair
from procscope.envs.level_frames import frames_of_levels
from procscope.envs.maze.pairs import ORIENTATIONS, DirectionPair

DIRECTIONS = (Move.UP, Move.RIGHT, Move.DOWN, Move.LEFT)
Reading = tuple[Move, ...]
"""The directions that a channel's high sum stands for, in the order of `DIRECTIONS`."""


class ChannelRow(NamedTuple):
    """One channel in a table of the pair finder; sums are means over the mazes in which that step is right."""

    channel: int
    effect: float
    reading: str
    selectivity: float
    up: float
    right: float
    down: float
    left: float


@dataclass(frozen=True, eq=False)
class DirectionChannels:
    """Sums of every channel on every pair, and what they say."""

    sums: Float[np.ndarray, "maze orientation side channel"]

    @property
    def n_mazes(self) -> int:
        return len(self.sums)

    @property
    def n_channels(self) -> int:
        return self.sums.shape[-1]

    @cached_property
    def effects(self) -> Float[np.ndarray, " channel"]:
        """Mean absolute difference within the pairs: the study's order of channels."""
        return np.abs(self.sums[:, :, 0] - self.sums[:, :, 1]).mean(axis=(0, 1))

    @cached_property
    def sums_by_direction(self) -> Float[np.ndarray, "maze direction channel"]:
        """Mean sum where each direction is the right step: two mazes of the eight for each direction."""
        return np.stack(
            [
                np.mean(
                    [
                        self.sums[:, orientation, side]
                        for orientation, steps in enumerate(ORIENTATIONS)
                        for side in (0, 1)
                        if steps[side] is direction
                    ],
                    axis=0,
                )
                for direction in DIRECTIONS
            ],
            axis=1,
        )

    @cached_property
    def tuning(self) -> Float[np.ndarray, "direction channel"]:
        """`sums_by_direction` averaged over the mazes."""
        return self.sums_by_direction.mean(axis=0)

    def reading(self, channel: int) -> Reading:
        """The directions whose mean sum is above the middle between the channel's lowest and highest.

        Empty for a channel that does not tell the directions apart at all.
        """
        means = self.tuning[:, channel]
        high = means > (means.min() + means.max()) / 2
        return tuple(move for move, is_high in zip(DIRECTIONS, high, strict=True) if is_high)

    def selectivity(self, channel: int, reading: Sequence[Move]) -> float:
        """How far a reading stands out: (a - b) / (a + b) with a the lowest mean sum among its directions.

        b is the highest among the others. From -1 to 1 for a layer after a ReLU; 0 where both are equal.
        """
        return selectivity_of(self.tuning[:, channel], reading)

    def best(self, reading: Sequence[Move]) -> int:
        """The channel for a reading: of those read exactly so, the one of the largest effect, as in the study.

        Where none is read so, the one for which the reading stands out the most, in units of activation.
        """
        wanted = frozenset(reading)
        same = [c for c in range(self.n_channels) if frozenset(self.reading(c)) == wanted]
        if same:
            return max(same, key=lambda channel: self.effects[channel])
        inside = np.array([direction in wanted for direction in DIRECTIONS])
        contrast = self.tuning[inside].min(axis=0) - self.tuning[~inside].max(axis=0)
        return int(contrast.argmax())

    def strongest(self, count: int) -> list[int]:
        """The channels of the largest effect, the largest first."""
        return np.argsort(-self.effects, kind="stable")[:count].tolist()

    def rows(self) -> list[ChannelRow]:
        """Every channel, the largest effect first."""
        return [
            ChannelRow(
                channel,
                float(self.effects[channel]),
                reading_text(self.reading(channel)),
                self.selectivity(channel, self.reading(channel)),
                *map(float, self.tuning[:, channel]),
            )
            for channel in self.strongest(self.n_channels)
        ]


def find_direction_channels(
    network: nn.Module, bases: Sequence[Sequence[DirectionPair | CornerPair]], hook_point: str = "conv_out"
) -> DirectionChannels:
    """Sums of every channel at a hook point on given base mazes, each as four pairs.

    Args:
        bases: of mazes with a cheese (`direction_pairs`), or of Heist with a key (`corner_pairs`).

    Raises ValueError: no base mazes, or pairs that are not in the four orientations in their order.
    """
    for pairs in bases:
        given = tuple((pair.first_move, pair.second_move) for pair in pairs)
        if given != ORIENTATIONS:
            raise ValueError(
                f"expected pairs in the orientations {ORIENTATIONS}, as direction_pairs and corner_pairs; given {given}"
            )
    levels = [level for pairs in bases for pair in pairs for level in (pair.first, pair.second)]
    sums = channel_sums(network, frames_of_levels(levels), hook_point).sums
    return DirectionChannels(sums.reshape(len(bases), len(ORIENTATIONS), 2, -1))


def selectivity_of(means: Float[np.ndarray, " direction"], reading: Sequence[Move]) -> float:
    """(a - b) / (a + b): a the lowest mean sum among the reading's directions, b the highest of the others.

    0 for a reading of all four directions or of none, which stands out from nothing.
    """
    inside = np.array([direction in reading for direction in DIRECTIONS])
    if inside.all() or not inside.any():
        return 0.0
    a, b = float(means[inside].min()), float(means[~inside].max())
    return (a - b) / (a + b) if a + b else 0.0


def reading_text(reading: Sequence[Move]) -> str:
    """A reading as metrics name it: "up", "down-left"; "none" for an empty one."""
    return "-".join(move.name.lower() for move in DIRECTIONS if move in reading) or "none"
