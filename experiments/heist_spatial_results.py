"""What `heist-spatial` finds at each hook point of each network, as values.

Axes: `pair` levels with a made-up place of the key.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from procscope.experiments.heist_pair_means import mean
from procscope.interventions.fake_study import FakeStudy, controlled
from procscope.interventions.fake_target import share_of_moving
from procscope.workbench.statistics import Interval


@dataclass(frozen=True, eq=False)
class FramesResult:
    """One hook point on single frames; see `fake_study.study_frames`."""

    study: FakeStudy
    found: Mapping[str, Any]

    @property
    def arms(self) -> list[str]:
        return list(self.found["arms"])

    @property
    def channels(self) -> list[int]:
        """The best tracker first."""
        return self.found["channels"]

    @property
    def moved(self) -> Float64[np.ndarray, " pair"]:
        """What really moving the key does to the log odds."""
        return np.array(self.found["moved"])

    def toward(self, arm: str) -> Float64[np.ndarray, " pair"]:
        return np.array(self.found["arms"][arm]["toward"])

    def share(self, arm: str) -> Interval:
        """Of the effect of moving the key."""
        return share_of_moving(self.toward(arm), self.moved)

    def difference(self, arm: str, other: str) -> Interval:
        """Of two arms' shares, paired."""
        return share_of_moving(self.toward(arm) - self.toward(other), self.moved)

    def mean(self, arm: str, column: str) -> Interval:
        """Mean of `switched` or `action_kl`, bootstrapped over pairs."""
        return mean(np.array(self.found["arms"][arm][column], dtype=np.float64))

    @property
    def quarter(self) -> int:
        """How many trackers a quarter of the channels is: the nearest of the counts that were patched."""
        wanted = controlled(len(self.channels))
        return min(self.study.counts, key=lambda count: abs(count - wanted))


@dataclass(frozen=True, eq=False)
class PlayResult:
    """One hook point in play; see `fake_study.study_play`."""

    study: FakeStudy
    found: Mapping[str, Any]

    @property
    def arms(self) -> list[str]:
        return list(self.found["arms"])

    def share(self, arm: str, outcome: str = "fake_first") -> Float64[np.ndarray, " pair"]:
        """Share of each pair's episodes in which the agent comes to the made-up place (`key_first`: the key) "
        "first."""
        return np.array(self.found["arms"][arm][outcome], dtype=np.float64) / self.study.repeats

    def reached(self, arm: str, outcome: str = "fake_first") -> Interval:
        found = mean(self.share(arm, outcome))
        return found._replace(low=max(found.low, 0.0), high=min(found.high, 1.0))

    def difference(self, arm: str, other: str, outcome: str = "fake_first") -> Interval:
        return mean(self.share(arm, outcome) - self.share(other, outcome))

    def best_spot(self) -> str:
        """The spot arm that gains most on the first half of the pairs."""
        spots = [arm for arm in self.arms if arm.startswith("spot ") and ":" not in arm]
        half = self.study.pairs // 2
        return max(spots, key=lambda arm: self.share(arm)[:half].mean())

    def over(self, arm: str, other: str) -> Interval:
        """The difference on the second half of the pairs: for arms that were chosen on the first."""
        half = self.study.pairs // 2
        return mean((self.share(arm) - self.share(other))[half:])


@dataclass(frozen=True, eq=False)
class SpatialStudy:
    """All results of one network."""

    model: str
    training: str
    frames: Mapping[str, FramesResult]
    """By hook point."""
    play: Mapping[str, PlayResult]

    @property
    def where(self) -> dict[str, Any]:
        return {"model": self.model, "training": self.training}
