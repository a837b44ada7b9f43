"""What `heist-goals` finds about each network, as values.

Axes: `pair` levels whose key lies there or is held; `channel`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64

from procscope.experiments.heist_pair_means import mean
from procscope.interventions.carried import Carried
from procscope.interventions.fake_target import share_of_moving
from procscope.interventions.named_arms import UNTOUCHED
from procscope.probes.entity_vectors import EntityVectors
from procscope.probes.goal_rules import GoalRules
from procscope.probes.goal_switch import HELD, GoalEffect, GoalHandles, GoalPlay
from procscope.probes.guided_eigen import ProbeEigen
from procscope.workbench.statistics import Interval


class Erased(NamedTuple):
    """A probe's accuracy after directions of an earlier layer were erased."""

    directions: int
    guided: Float64[np.ndarray, " pair"]
    """The first eigenvectors."""
    random: Float64[np.ndarray, " pair"]
    """As many random directions."""


class DistanceScores(NamedTuple):
    """Held-out R² of ridge probes at one hook point, and of the same of an untrained network."""

    hook_point: str
    r2: Mapping[str, float]
    """Of "euclidean", "path", and "path beyond euclidean"."""
    untrained: Mapping[str, float]
    n: int


@dataclass(frozen=True, eq=False)
class GoalStudy:
    """All results of one network."""

    model: str
    training: str
    map_point: str
    handles: GoalHandles
    effects: Mapping[str, GoalEffect]
    play: Mapping[str, GoalPlay]
    circuits: Mapping[str, Mapping[str, Carried]]
    """By circuit, then by hook point."""
    vectors: EntityVectors
    untrained_vectors: EntityVectors
    eigen: ProbeEigen
    accuracy: Float64[np.ndarray, " pair"]
    """Of the probe, nothing erased."""
    erased: tuple[Erased, ...]
    distances: tuple[DistanceScores, ...]
    rules: GoalRules

    @property
    def where(self) -> dict[str, Any]:
        return {"model": self.model, "training": self.training}

    def share(self, arm: str) -> Interval:
        """Of the effect of really holding the key, on the log odds of the first moves."""
        one = self.effects[arm]
        return share_of_moving(one.toward, one.held_toward)

    def switched(self, arm: str) -> Interval:
        return mean(self.effects[arm].switched.astype(np.float64))

    def best_edit(self) -> str:
        """The arm that brings the agent most often to the gate first, on the first half of the pairs."""
        half = len(self.play[UNTOUCHED].gate_first) // 2
        return max(
            (arm for arm in self.play if arm not in (UNTOUCHED, HELD)),
            key=lambda arm: self.play[arm].gate_first[:half].mean(),
        )

    def over(self, arm: str, other: str, column: str, second_half: bool = False) -> Interval:
        """How much larger a column of `GoalPlay` is in one arm than in another, on all pairs or the second half."""
        one, two = (getattr(self.play[name], column) for name in (arm, other))
        return mean((one - two)[len(one) // 2 :] if second_half else one - two)

    def shared(self, things: tuple[str, ...], others: tuple[str, ...]) -> float:
        """Mean cosine between the vectors of two kinds of things, without a thing's own."""
        found = self.vectors.things
        rows = [found.index(each) for each in things if each in found]
        columns = [found.index(each) for each in others if each in found]
        pairs = [self.vectors.cosines[i, j] for i in rows for j in columns if i != j]
        if not pairs:
            raise ValueError(f"none of the levels has both {things} and {others}")
        return float(np.mean(pairs))
