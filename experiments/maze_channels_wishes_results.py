"""What `maze-channels-wishes` finds about each network, as values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from procscope.activations.channel_sums import ChannelSums
from procscope.envs.actions import Move
from procscope.interventions.channel_search import ChannelSearch
from procscope.interventions.corridor_circuits import CorridorStudy
from procscope.interventions.decision_squares import DecisionSquares
from procscope.interventions.direction_channels import DirectionChannels
from procscope.interventions.direction_readout import (
    DirectionReadout,
    direction_readout,
    precision_threshold,
)
from procscope.interventions.many_channels import ManyAblated
from procscope.workbench.statistics import Interval, wilson

DIRECTIONS = (Move.UP, Move.RIGHT)
"""Those whose channels the study looks into."""


@dataclass(frozen=True, eq=False)
class LatticeReadouts:
    """One direction's channel on mazes with the lattice and without, all channels' sums beside it."""

    channel: int
    with_lattice: ChannelSums
    without: ChannelSums
    direction: Move

    def readout(self, *, lattice: bool, channel: int | None = None) -> DirectionReadout:
        """The sums of a channel (this one by default), and where the direction is right."""
        read = self.with_lattice if lattice else self.without
        return direction_readout(read, self.channel if channel is None else channel, [self.direction])

    def best_without(self) -> Interval:
        """AUROC on mazes without the lattice of the channel that has the highest there: chosen on every other square,
        measured on the rest. Raises ValueError: one kind of square only."""
        chosen_on = np.arange(len(self.without.sums)) % 2 == 0
        first, second = self.without.where(chosen_on), self.without.where(~chosen_on)
        areas = []
        for channel in range(first.sums.shape[1]):
            areas.append(direction_readout(first, channel, [self.direction]).auroc.value)
        return direction_readout(second, int(np.argmax(areas)), [self.direction]).auroc

    def agreement(self, *, lattice: bool) -> Interval:
        """Share of the squares on which the mouse's most probable move is the right one."""
        read = self.with_lattice if lattice else self.without
        right = read.moves == read.labels["best_move"]
        return wilson(int(right.sum()), len(right))


@dataclass(frozen=True, eq=False)
class WishStudy:
    """All results of one network."""

    model: str
    training: str
    finder: DirectionChannels
    calibration: Mapping[Move, ChannelSums]
    """Random squares in distribution from which each direction is possible, to set thresholds."""
    decisions: Mapping[str, ChannelSums]
    """Decision squares, by distribution."""
    many: ManyAblated
    corridors: CorridorStudy
    lattice: Mapping[Move, LatticeReadouts]
    search: Mapping[str, ChannelSearch]
    """By hook point, in the order of the forward pass."""
    random_squares: ChannelSums
    """In distribution, at the study's layer: to measure channels that a search proposes."""
    hook_point: str

    @property
    def where(self) -> dict[str, Any]:
        return {"model": self.model, "training": self.training}

    @cached_property
    def searched(self) -> ChannelSearch:
        """The search at the study's layer."""
        return self.search[self.hook_point]

    def goes(self, distribution: str, target: str) -> Interval:
        """Share of decision squares at which the most probable move is the way to "cheese" or to "corner"."""
        read = self.decisions[distribution]
        wanted = read.labels["best_move" if target == "cheese" else "best_move_to_corner"]
        return wilson(int((read.moves == wanted).sum()), len(wanted))

    def points_to_corner(self, direction: Move) -> Interval:
        """Share of high decision squares out of distribution at which the direction's channel points to the corner.

        Of those where it points to cheese or corner. Raises ValueError: no threshold, or no high squares.
        """
        channel = self.finder.best([direction])
        threshold = precision_threshold(direction_readout(self.calibration[direction], channel, [direction]))
        high = DecisionSquares.of(self.decisions["out"], channel, direction).high(threshold)
        if not len(high):
            raise ValueError("at no decision square is the channel's sum above the threshold")
        return wilson(int(high.shows_corner.sum()), len(high))

    def areas(self, channels: Sequence[int]) -> list[float]:
        """AUROC of each channel for its own reading on random squares; those that are undefined are left out."""
        found = []
        for channel in channels:
            reading = self.finder.reading(channel)
            try:
                found.append(direction_readout(self.random_squares, channel, reading).auroc.value)
            except ValueError:  # read as no direction, or one that is never or always right
                continue
        return found
