"""Routes: ways through levels with what an expert says of them, as numbers from which the frames can be made again.

A route is a level (variant seed and level seed), the actions played from its start, and for each of them what the
expert would have done there. Level and actions fix every frame, so a hundred thousand labelled frames fit into some
hundred kB, and drawing them again costs little more than stepping.

When: in `search_source.py` and `coinrun_source.py`. Cost: 40 us a step of replay on one core.

Axes: `route` routes; `step` steps of all routes, one after the other.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64, UInt8, UInt16

from procscope.agents.imitation.samples import Samples
from procscope.envs.engine import Engine

NO_LABEL = 255
"""In place of a label: the step is played, but its frame is no sample."""

_NOTHING = 4

StatesOf = Callable[[Int64[np.ndarray, "route"], Int64[np.ndarray, "route"]], list[bytes]]
"""(variant seeds, level seeds) -> first states of the levels."""


class Way(NamedTuple):
    """What was played in one level, and what the expert says of it."""

    actions: Int64[np.ndarray, "step"]
    labels: Int64[np.ndarray, "step"]
    """The expert's raw actions, or `NO_LABEL`."""
    steps_to_goal: Int64[np.ndarray, "step"]
    """Of the expert's way from there."""
    regrets: UInt8[np.ndarray, "step choice"] | None = None
    """`Samples.regrets`, where the expert knows them."""


class Routes(NamedTuple):
    """Some routes. The steps of route r are those from `lengths[:r].sum()` on, `lengths[r]` of them."""

    variant_seeds: Int64[np.ndarray, "route"]
    level_seeds: Int64[np.ndarray, "route"]
    lengths: Int64[np.ndarray, "route"]
    actions: UInt8[np.ndarray, "step"]
    labels: UInt8[np.ndarray, "step"]
    steps_to_goal: UInt16[np.ndarray, "step"]
    regrets: UInt8[np.ndarray, "step choice"]
    """No columns where they are not known."""

    @classmethod
    def of(cls, variant_seed: int, level_seeds: Sequence[int], ways: Sequence[Way]) -> "Routes":
        """Routes from what was played in each of some levels."""
        columns = [
            np.concatenate([np.zeros(0, np.int64), *column]) for column in [*zip(*ways, strict=True)][:3]
        ]
        actions, labels, steps = columns or [np.zeros(0, np.int64)] * 3
        regrets = [way.regrets for way in ways if way.regrets is not None]
        return cls(
            np.full(len(ways), variant_seed, np.int64),
            np.array(level_seeds, np.int64).reshape(-1),
            np.array([len(way.actions) for way in ways], np.int64).reshape(-1),
            actions.astype(np.uint8),
            labels.astype(np.uint8),
            np.minimum(steps, np.iinfo(np.uint16).max).astype(np.uint16),
            np.concatenate(regrets) if regrets else np.zeros((len(steps), 0), np.uint8),
        )

    @classmethod
    def none(cls) -> "Routes":
        """No routes."""
        return cls.of(0, [], [])

    @property
    def labelled(self) -> Int64[np.ndarray, "route"]:
        """Frames of each route that the expert labelled."""
        before = np.concatenate([[0], (self.labels != NO_LABEL).cumsum()])
        ends = self.lengths.cumsum()
        return before[ends] - before[ends - self.lengths]

    def take(self, index: Int64[np.ndarray, "chosen"]) -> "Routes":
        """The routes with these indices."""
        ends = self.lengths.cumsum()
        parts = [np.arange(ends[route] - self.lengths[route], ends[route]) for route in index]
        steps = np.concatenate([np.zeros(0, np.int64), *parts])
        return Routes(
            self.variant_seeds[index],
            self.level_seeds[index],
            self.lengths[index],
            self.actions[steps],
            self.labels[steps],
            self.steps_to_goal[steps],
            self.regrets[steps],
        )

    def joined(self, others: "Routes") -> "Routes":
        """These routes and then the others."""
        if not len(self.lengths):
            return others
        return Routes(*(np.concatenate(both) for both in zip(self, others, strict=True)))


def replay(routes: Routes, engine: Engine, states_of: StatesOf) -> Samples:
    """The labelled frames of the routes, route by route, drawn by the engine, whose games are used as scratch."""
    starts = routes.lengths.cumsum() - routes.lengths
    is_labelled = routes.labels != NO_LABEL
    place = is_labelled.cumsum() - is_labelled
    frames = np.empty((int(is_labelled.sum()), *engine.frames.shape[1:]), np.uint8)
    for first in range(0, len(routes.lengths), engine.num_envs):
        chosen = np.arange(first, min(first + engine.num_envs, len(routes.lengths)))
        engine.set_states(
            states_of(routes.variant_seeds[chosen], routes.level_seeds[chosen]), range(len(chosen))
        )
        actions = np.full(engine.num_envs, _NOTHING, np.int32)
        for step in range(int(routes.lengths[chosen].max())):
            now = np.flatnonzero(step < routes.lengths[chosen])
            at = starts[chosen[now]] + step
            seen = is_labelled[at]
            frames[place[at[seen]]] = engine.frames[now[seen]]
            actions[now] = routes.actions[at]
            engine.act(actions)
    return Samples(
        frames,
        routes.labels[is_labelled].astype(np.int64),
        routes.steps_to_goal[is_labelled].astype(np.int64),
        routes.regrets[is_labelled] if routes.regrets.shape[1] else None,
    )
