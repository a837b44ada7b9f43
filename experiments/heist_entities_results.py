"""What `heist-entities` finds about each network, as values.

Units are chosen on the first half of all levels, by their mean score there, over all hook points; what is reported is
their score on the second half. Untrained networks and shuffled places go through the same choice.

Axes: `level`; `unit` of all hook points in a row; `agent` places of the agent in rooms.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64

from procscope.envs.heist.things import COLOURS
from procscope.interventions.direction_channels import DirectionChannels
from procscope.interventions.direction_readout import DirectionReadout
from procscope.probes.entity_study import scores_of
from procscope.probes.next_key import NextKeys
from procscope.workbench.mean_intervals import mean_interval
from procscope.workbench.statistics import Interval, bootstrap

KEYS = tuple(f"{colour} key" for colour in COLOURS)
LOCKS = tuple(f"{colour} lock" for colour in COLOURS)
THINGS = (*KEYS, *LOCKS, "gem")
TRAINED, SHUFFLED, UNTRAINED = "trained", "shuffled", "untrained"


ENGINE, ANY = "engine", "any"
"""Orders of key colours along the plan: the engine's, always the same, and random ones."""


class Unit(NamedTuple):
    """A channel or latent."""

    hook_point: str
    number: int

    def __str__(self) -> str:
        return f"{self.hook_point}/{self.number}"


class Judged(NamedTuple):
    """The unit that follows some things best on the levels that choose, and its scores on the others."""

    unit: Unit
    scores: Float64[np.ndarray, "level thing"]

    @property
    def least(self) -> Interval:
        """Mean over levels for the thing that the unit follows least, bootstrapped over levels."""
        if len(self.scores) < 2 or np.ptp(self.scores) == 0:
            raise ValueError(f"the unit scores {self.scores.mean():.3g} in each of {len(self.scores)} levels")
        return bootstrap(
            lambda drawn: float(drawn.mean(axis=0).min()), self.scores, rng=np.random.default_rng(0)
        )


@dataclass(frozen=True, eq=False)
class Tracked:
    """Scores of one network in one setting: [network or draw][level] as `study_level` gives them."""

    hook_points: tuple[str, ...]
    trained: Sequence[Mapping[str, Any]]
    untrained: Sequence[Sequence[Mapping[str, Any]]]

    def scores(
        self, things: Sequence[str], mass: str, measure: str, source: str, draw: int = 0
    ) -> Float64[np.ndarray, "level thing unit"]:
        """Every unit's, hook points in a row. `source`: trained, shuffled (its places), or untrained (the draw's)."""
        found = self.untrained[draw] if source == UNTRAINED else self.trained
        return np.array(
            [
                [
                    np.concatenate(
                        [
                            scores_of(level, thing, place, mass, measure, source == SHUFFLED)
                            for place in self.hook_points
                        ]
                    )
                    for thing in things
                ]
                for level in found
            ]
        )

    @cached_property
    def units(self) -> list[Unit]:
        """Of the trained network, in the order of `scores`."""
        return self._units(self.trained[0])

    def best(
        self,
        things: Sequence[str],
        mass: str,
        measure: str,
        source: str = TRAINED,
        draw: int = 0,
        hook_point: str | None = None,
    ) -> Judged:
        """The unit with the largest least mean over the things, chosen on the first half, judged on the second."""
        scores = self.scores(things, mass, measure, source, draw)
        units = self.units if source != UNTRAINED else self._units(self.untrained[draw][0])
        half = len(scores) // 2
        least = scores[:half].mean(axis=0).min(axis=0)
        if hook_point is not None:
            least = np.where([unit.hook_point == hook_point for unit in units], least, -np.inf)
        chosen = int(least.argmax())
        return Judged(units[chosen], scores[half:, :, chosen])

    def over(
        self,
        things: Sequence[str],
        mass: str,
        measure: str,
        source: str,
        hook_point: str | None = None,
    ) -> Interval:
        """How much more the best unit follows the things, on average over them, than the best of another source.

        The mean over all untrained draws is one source. Paired by level, bootstrapped over levels.
        """
        mine = self.best(things, mass, measure, hook_point=hook_point).scores.mean(axis=1)
        draws = len(self.untrained) if source == UNTRAINED else 1
        theirs = np.mean(
            [
                self.best(things, mass, measure, source, draw, hook_point).scores.mean(axis=1)
                for draw in range(draws)
            ],
            axis=0,
        )
        return mean_over_levels(mine - theirs)

    def agent_spread(self, thing: str, unit: Unit, mass: str) -> Interval:
        """Equivariance at the quarter of the agent's places where it is largest less the quarter where it is smallest.

        Places are ordered on the first half of the levels and judged on the second; rooms alone.
        """
        by_agent = np.array(
            [
                np.array(level[thing][unit.hook_point][mass]["by_agent"])[:, unit.number]
                for level in self.trained
            ]
        )
        half, quarter = len(by_agent) // 2, max(1, by_agent.shape[1] // 4)
        order = by_agent[:half].mean(axis=0).argsort()
        second = by_agent[half:]
        return mean_over_levels(
            second[:, order[-quarter:]].mean(axis=1) - second[:, order[:quarter]].mean(axis=1)
        )

    def followers(self, thing: str, measure: str = "overlap", mass: str = "change") -> list[Unit]:
        """Units that follow the thing better than any unit of any untrained network does, on both halves of "
        "levels."""
        bar = [
            max(
                self.scores([thing], mass, measure, UNTRAINED, draw)[part].mean(axis=0).max()
                for draw in range(self.draws)
            )
            for part in self._halves
        ]
        scores = self.scores([thing], mass, measure, TRAINED)[:, 0]
        above = np.all(
            [scores[part].mean(axis=0) > one for part, one in zip(self._halves, bar, strict=True)], axis=0
        )
        return [self.units[i] for i in np.flatnonzero(above)]

    @property
    def draws(self) -> int:
        return len(self.untrained)

    @property
    def _halves(self) -> tuple[slice, slice]:
        half = len(self.trained) // 2
        return slice(0, half), slice(half, None)

    def _units(self, level: Mapping[str, Any]) -> list[Unit]:
        of_thing = next(iter(level.values()))
        return [
            Unit(place, i)
            for place in self.hook_points
            for i in range(len(next(iter(of_thing[place].values()))["overlap"]))
        ]


class NextKeyUnit(NamedTuple):
    """The unit that says best which key comes next, and whether it is right on the levels that judge."""

    unit: Unit
    right: Float64[np.ndarray, " level"]


def best_next_key(read: Mapping[str, NextKeys]) -> NextKeyUnit:
    """The unit that is most often right at both stages on the first half of the levels, judged on the second."""
    best: NextKeyUnit | None = None
    most = -1.0
    for place, found in read.items():
        half = len(found.at_next) // 2
        right = found.right(found.signs(slice(0, half)))
        share = right[:half].mean(axis=0)
        unit = int(share.argmax())
        if share[unit] > most:
            most = float(share[unit])
            best = NextKeyUnit(Unit(place, unit), right[half:, unit].astype(np.float64))
    assert best is not None
    return best


@dataclass(frozen=True, eq=False)
class EntityStudy:
    """All results of one Heist network."""

    model: str
    training: str
    rooms: Tracked
    mazes: Tracked
    next_keys: Mapping[str, Mapping[str, NextKeys]]
    """By order of colours, then by hook point."""
    untrained_next_keys: Mapping[str, Sequence[Mapping[str, NextKeys]]]
    directions: DirectionChannels
    readouts: Mapping[str, DirectionReadout]
    """By direction, of the channel chosen for it."""
    untrained_readouts: Mapping[str, Sequence[DirectionReadout]]
    channels: Mapping[str, int]
    """By direction."""
    hook_point: str
    """Of the direction channels."""

    @property
    def where(self) -> dict[str, Any]:
        return {"model": self.model, "training": self.training}

    def next_key(self, colours: str) -> NextKeyUnit:
        """The best unit in levels with this order of colours."""
        return best_next_key(self.next_keys[colours])

    def next_key_over_untrained(self, colours: str) -> Interval:
        """Share of levels with both stages right, less the mean over untrained networks, each with its own best."""
        theirs = np.mean([best_next_key(read).right for read in self.untrained_next_keys[colours]], axis=0)
        return mean_over_levels(self.next_key(colours).right - theirs)


@dataclass(frozen=True, eq=False)
class CheeseStudy:
    """How a maze network's units follow the cheese."""

    model: str
    training: str
    mazes: Tracked


def mean_over_levels(values: Float64[np.ndarray, " level"]) -> Interval:
    """Mean with a bootstrap interval over levels. Raises ValueError: values that do not vary, or one level."""
    if len(values) < 2 or np.ptp(values) == 0:
        raise ValueError(f"{len(values)} levels with the same value {values.mean():.3g}: no interval")
    return mean_interval(values)


def unpaired_difference(
    first: Float64[np.ndarray, " level"], second: Float64[np.ndarray, " level"]
) -> Interval:
    """Mean of the first less mean of the second, levels of either drawn by themselves."""
    return bootstrap(
        lambda a, b: float(a.mean() - b.mean()), first, second, rng=np.random.default_rng(0), paired=False
    )
