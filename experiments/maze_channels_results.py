"""What `maze-channels` finds about each network, as values: the numbers and figures of the report are made of these."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from procscope.activations.channel_sums import ChannelSums
from procscope.envs.actions import Move
from procscope.envs.maze.pairs import DirectionPair
from procscope.interventions.channel_arms import ChannelArms
from procscope.interventions.decision_squares import DecisionSquares, TwoByTwo, pooled, two_by_two
from procscope.interventions.direction_channels import DirectionChannels
from procscope.interventions.direction_readout import DirectionReadout, precision_threshold

CHEESE = {"in": "cheese-top-right", "out": "cheese-outside-top-right"}
"""Variant of each distribution."""
REGION_CELLS = 5


@dataclass(frozen=True, eq=False)
class ChannelStudy:
    """One channel of one network, read as one direction."""

    direction: Move
    channel: int
    calibration: DirectionReadout
    """On mazes of their own, in distribution, to set the threshold."""
    readouts: Mapping[str, DirectionReadout]
    """By distribution."""
    near_mouse: Float[np.ndarray, " frame"]
    """Share of the sum near the mouse on the squares of the in-distribution readout; NaN where silent."""
    decisions: Mapping[str, DecisionSquares]
    """By distribution."""
    found: ChannelArms[Bool[np.ndarray, " level"]]
    """Whether the cheese was found, by arm."""

    @cached_property
    def threshold(self) -> float:
        """The lowest sum above which the direction is right on 99% of other squares in distribution.

        Raises ValueError: there is none.
        """
        return precision_threshold(self.calibration)

    def table(self, distribution: str) -> TwoByTwo:
        """The study's table of decision squares with a high sum."""
        return two_by_two(self.high(distribution))

    def high(self, distribution: str) -> DecisionSquares:
        return self.decisions[distribution].high(self.threshold)

    def pooled(self, size: int) -> DecisionSquares:
        """High squares of both distributions as if the cheese were anywhere."""
        rng = np.random.default_rng(self.channel)
        return pooled(self.high("in"), self.high("out"), size, REGION_CELLS, rng)


@dataclass(frozen=True, eq=False)
class NetworkStudy:
    """All results of one network."""

    model: str
    training: str
    """Variant that it was trained on."""
    finder: DirectionChannels
    """Sums on the pairs that channels are chosen by."""
    check: DirectionChannels
    """Sums on other pairs, that chosen channels are measured by."""
    example: Sequence[DirectionPair]
    """The first of those other pairs, in the four orientations."""
    top: Mapping[int, DirectionReadout]
    """The ten channels of the largest effect on random squares in distribution, each by its own reading."""
    random_squares: Mapping[str, ChannelSums]
    """By distribution, random squares: corridors nearly all."""
    decision_squares: Mapping[str, ChannelSums]
    channels: Sequence[ChannelStudy]

    @property
    def where(self) -> dict[str, Any]:
        return {"model": self.model, "training": self.training}


class ChannelEntry(NamedTuple):
    """A line of the table of all channels."""

    network: str
    channel: int
    reading: str
    effect: float
    selectivity: float
    up: float
    right: float
    down: float
    left: float
    auroc_on_random_mazes: str


def reading_rows(study: NetworkStudy, name: str) -> list[ChannelEntry]:
    """Every channel of a network with any effect, the largest first."""
    rows = []
    for row in study.finder.rows():
        area = ""
        if row.channel in study.top:
            try:
                area = f"{study.top[row.channel].auroc.value:.3f}"
            except ValueError:  # one kind of square only
                area = "undefined"
        if row.effect > 0:
            tuning = (row.up, row.right, row.down, row.left)
            rows.append(
                ChannelEntry(name, row.channel, row.reading, row.effect, row.selectivity, *tuning, area)
            )
    return rows
