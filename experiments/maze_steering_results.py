"""What `maze-steering` finds about each network, as values: shares, differences and their tests by hook point.

Axes: `level` the mazes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from procscope.experiments.maze_steering_setup import CLAIMED
from procscope.interventions.arm_comparisons import Test, exact_tests
from procscope.interventions.named_arms import UNTOUCHED
from procscope.interventions.steering_study import CONTROLS, VECTORS, arm_name
from procscope.workbench.mean_intervals import mean_interval
from procscope.workbench.statistics import Interval, paired_difference

GOAL = {"cheese": "cheese", "top-right": "corner"}
"""By vector, where its way leads: what its arms are judged by."""
_RESAMPLES = 2000
Found = Mapping[str, Mapping[str, Sequence[float | int]]]
"""By arm and column, a number a level."""


@dataclass(frozen=True, eq=False)
class PlaceResult:
    """One hook point of one network; see `procscope.interventions.steering_study`."""

    hook_point: str
    found: Mapping[str, Found]
    """By readout: choices, play (empty where the place was not played) and fields."""

    def came(self, readout: str, arm: str, goal: str) -> Bool[np.ndarray, " level"]:
        """Whether the way to the goal was taken (choices), or the mouse came there (play)."""
        return np.array(self.found[readout][arm][goal], dtype=bool)

    def values(self, readout: str, arm: str, column: str) -> Float[np.ndarray, " level"]:
        """Numbers of an arm: `to_removed` of choices; `change` and `to_removed` of fields."""
        return np.array(self.found[readout][arm][column], dtype=float)

    def change(self, readout: str, vector: str, strength: float | int) -> Interval:
        """How much more often than untouched the vector's goal is come to."""
        return self.difference(readout, vector, arm_name(vector, strength), UNTOUCHED)

    def over(self, readout: str, vector: str, control: str) -> Interval:
        """How much more often than with a control in place of the vector, at the claimed strength."""
        strength = CLAIMED[vector]
        arms = arm_name(vector, strength), arm_name(vector, strength, control)
        return self.difference(readout, vector, *arms)

    def difference(self, readout: str, vector: str, first: str, second: str) -> Interval:
        """How much more often the vector's goal is come to in one arm than in another, on the same mazes."""
        goal = GOAL[vector]
        return paired_difference(self.came(readout, first, goal), self.came(readout, second, goal))

    def like_removal(self, control: str = "own") -> Interval:
        """How much of what sets the moves apart from those without the cheese is gone when its vector is taken away.

        1 - D(arm) / D(untouched), D the mean divergence of the moves in the maze without the cheese: 1 if the mouse
        does what it would do without the cheese, 0 if the vector changes nothing of that, less if it leads elsewhere.
        """
        arm = arm_name("cheese", CLAIMED["cheese"], control)
        apart = (self.values("choices", name, "to_removed") for name in (arm, UNTOUCHED))
        return _gone(*apart)

    def field_over_noise(self, vector: str) -> Interval:
        """How much further the vector turns the arrows than noise of its norm, on average over mazes and cells."""
        arms = (arm_name(vector, CLAIMED[vector], control) for control in ("own", "noise"))
        first, second = (self.values("fields", arm, "change") for arm in arms)
        return mean_interval(first - second)

    def field_like_removal(self, control: str = "own") -> Interval:
        """`like_removal` of fields: of the mean length by which arrows differ from those without the cheese."""
        arm = arm_name("cheese", CLAIMED["cheese"], control)
        return _gone(*(self.values("fields", name, "to_removed") for name in (arm, UNTOUCHED)))


@dataclass(frozen=True, eq=False)
class SteeringStudy:
    """All results of one network."""

    model: str
    training: str
    strengths: tuple[float, ...]
    places: Sequence[PlaceResult]
    """In the order of the forward pass."""

    @property
    def where(self) -> dict[str, Any]:
        return {"model": self.model, "training": self.training}

    def played(self) -> list[PlaceResult]:
        """Those places at which vectors were added in play."""
        return [place for place in self.places if place.found["play"]]

    def tests(self, readout: str) -> dict[tuple[str, str, float], Test]:
        """McNemar's exact test of each arm against untouched, by hook point, vector and strength.

        Corrected for all hook points and strengths of one vector.
        """
        places = self.places if readout == "choices" else self.played()
        found: dict[tuple[str, str, float], Test] = {}
        for vector in VECTORS:
            keys = [(place, vector, strength) for place in places for strength in self.strengths]
            pairs = [
                tuple(
                    place.came(readout, arm, GOAL[vector]) for arm in (arm_name(vector, strength), UNTOUCHED)
                )
                for place, _, strength in keys
            ]
            for (place, _, strength), test in zip(keys, exact_tests(pairs), strict=True):  # pyright: ignore[reportArgumentType]
                found[place.hook_point, vector, strength] = test
        return found

    def rows(self) -> list[dict[str, Any]]:
        """Every hook point, vector and strength as a row of a table, with its tests and controls."""
        choice_tests, play_tests = self.tests("choices"), self.tests("play")
        rows = []
        for place in self.places:
            for vector in VECTORS:
                for strength in self.strengths:
                    key = (place.hook_point, vector, strength)
                    row: dict[str, Any] = {
                        "network": self.model,
                        "hook_point": place.hook_point,
                        "vector": vector,
                    }
                    row |= {"strength": strength} | _columns(
                        "choice", place.change("choices", vector, strength)
                    )
                    row |= {"choice p_holm": choice_tests[key].p_holm, "choice p_bh": choice_tests[key].p_bh}
                    for control in CONTROLS:
                        arms = arm_name(vector, strength), arm_name(vector, strength, control)
                        row[f"choice over {control}"] = place.difference("choices", vector, *arms).value
                    if key in play_tests:
                        row |= _columns("play", place.change("play", vector, strength))
                        row |= {"play p_holm": play_tests[key].p_holm, "play p_bh": play_tests[key].p_bh}
                    rows.append(row)
        return rows


def _columns(name: str, interval: Interval) -> dict[str, float]:
    return {f"{name} change": interval.value, f"{name} low": interval.low, f"{name} high": interval.high}


def _gone(arm: Float[np.ndarray, " level"], untouched: Float[np.ndarray, " level"]) -> Interval:
    """1 - mean(arm) / mean(untouched) with its percentile bootstrap interval over levels.

    Raises ValueError: the untouched network is not apart at all.
    """
    if not untouched.any():
        raise ValueError("the untouched network does in all these mazes what it does without the cheese")
    n = len(arm)
    drawn = np.random.default_rng(0).integers(n, size=(_RESAMPLES, n))
    rest = np.maximum(untouched[drawn].mean(axis=1), np.finfo(float).tiny)
    low, high = np.quantile(1 - arm[drawn].mean(axis=1) / rest, [0.025, 0.975])
    return Interval(1 - float(arm.mean() / untouched.mean()), float(low), float(high), n)
