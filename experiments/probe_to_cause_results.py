"""What `probe-to-cause` finds, as values: a *dot* for each network, hook point and thing that is read.

Axes: `frame` those that count for a thing, one a level.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.stats import ttest_1samp

from procscope.experiments.probe_to_cause_handles import CONTROLS, PROBE, RANDOM, SHUFFLED
from procscope.experiments.probe_to_cause_setup import Cause, Kind
from procscope.probes.scores import Score
from procscope.probes.skill import Skill
from procscope.workbench.mean_intervals import bootstrap_means
from procscope.workbench.statistics import Interval

LEAST_FOLLOWING = 0.2
"""Correlation with a distance below which the value does not count as following it: then effects have no scale."""
ERASED = "erased"


class Place(NamedTuple):
    """Where a dot was measured."""

    model: str
    game: str
    hook_point: str
    depth: int
    """Of the hook point among those studied, from 0."""


@dataclass(frozen=True, eq=False)
class Dot:
    """One thing, read and steered along at one place."""

    place: Place
    cause: Cause
    found: Mapping[str, Any]
    """`measure_hook`, of this thing."""

    @property
    def kind(self) -> Kind:
        return self.cause.kind

    @property
    def where(self) -> dict[str, str]:
        """What tells its numbers from others."""
        return {
            "model": self.place.model,
            "game": self.place.game,
            "target": self.cause.name,
            "hook_point": self.place.hook_point,
        }

    @property
    def skill(self) -> Skill:
        """Of the probe."""
        return Skill(tuple(Score.from_json(one) for one in self.found["skill"]))

    def effects(self, strength: float, kind: str = PROBE) -> Float[np.ndarray, " frame"]:
        """Effects of steps, as shares of what would follow if the claim were true; NaN where a frame does not count.

        Raises ValueError: the value does not follow what is read, so that nothing would.
        """
        if abs(self.found["follows"]) < LEAST_FOLLOWING and self.kind == "value":
            raise ValueError(
                f"what the network says does not follow {self.cause.name!r}: correlation {self.found['follows']:.2f}"
            )
        return np.array(self.found["effects"][f"{strength:g}"][kind], dtype=float) / self.found["room"]

    def effect(self, strength: float, kind: str = PROBE) -> Interval:
        """The mean effect with its interval. Raises ValueError: undefined."""
        return _mean(self.effects(strength, kind))

    def excess(self, strength: float) -> Float[np.ndarray, " frame"]:
        """Effects beyond the mean of the controls', frame by frame."""
        return self.effects(strength) - np.mean([self.effects(strength, kind) for kind in CONTROLS], axis=0)

    def over_controls(self, strength: float) -> Interval:
        """The mean effect beyond controls. Raises ValueError: undefined."""
        return _mean(self.excess(strength))

    def p_value(self, strength: float) -> float:
        """Student's test that there is no effect beyond controls, two-sided. Raises ValueError: undefined."""
        excess = self.excess(strength)
        kept = excess[np.isfinite(excess)]
        if len(kept) < 2 or np.ptp(kept) == 0:
            raise ValueError(f"expected effects that vary in at least two frames, given {len(kept)}")
        return float(ttest_1samp(kept, 0).pvalue)  # pyright: ignore[reportAttributeAccessIssue]

    def lost(self, eraser: str = PROBE) -> Float[np.ndarray, " frame"]:
        """What is gone once the thing is erased: a frame's part of the share of the best move's probability, or of
        the slope on the target.

        Raises ValueError: there is no slope to lose.
        """
        kept = self.found[ERASED]
        before, after = (np.array(kept["outcome"][name], dtype=float) for name in ("untouched", eraser))
        if "target" in kept:
            if abs(self.found["follows"]) < LEAST_FOLLOWING:
                raise ValueError(
                    f"nothing follows {self.cause.name!r} in untouched frames, so nothing can be lost"
                )
            target = np.array(kept["target"], dtype=float)
            before, after = ((one - one.mean()) * (target - target.mean()) for one in (before, after))
        return (before - after) / before.mean()

    def erased(self, eraser: str = PROBE) -> Interval:
        """The share that is gone. Raises ValueError: undefined."""
        return _mean(self.lost(eraser))

    def erased_over_controls(self) -> Interval:
        """The same beyond erasing as many random directions, and what shuffled answers would have erased."""
        return _mean(self.lost() - np.mean([self.lost(kind) for kind in (RANDOM, SHUFFLED)], axis=0))


def dots_of(place: Place, causes: tuple[Cause, ...], found: Mapping[str, Any]) -> list[Dot]:
    """The dots of one hook point; things that could not be read there are left out."""
    return [
        Dot(place, cause, found[cause.name])
        for cause in causes
        if cause.name in found and "undefined" not in found[cause.name]
    ]


def _mean(values: Float[np.ndarray, " frame"]) -> Interval:
    kept = values[np.isfinite(values)]
    return bootstrap_means(kept[:, None], rng=np.random.default_rng(0))[0]
