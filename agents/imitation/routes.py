"""Routes: ways through levels that an expert labelled, as numbers from which their frames can be made again.

A route is a level (variant seed and level seed) and the actions played from its start: first those that lead to
where the expert was asked, then the expert's own to the goal. Level and actions fix every frame, so a hundred
thousand labelled frames fit into some hundred kB, and drawing them again costs little more than stepping.

When: in `search_source.py`. Cost: 40 us a frame of replay on one core.

Axes: `route` routes; `step` actions of all routes, one after the other.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64, UInt8

from procscope.agents.imitation.samples import Samples, concatenate
from procscope.envs.engine import Engine

_NOTHING = 4

StatesOf = Callable[[Int64[np.ndarray, "route"], Int64[np.ndarray, "route"]], list[bytes]]
"""(variant seeds, level seeds) -> first states of the levels."""


class Routes(NamedTuple):
    """Some routes. `actions` of route r are those from `lengths[:r].sum()` on, `lengths[r]` of them."""

    variant_seeds: Int64[np.ndarray, "route"]
    level_seeds: Int64[np.ndarray, "route"]
    asked: Int64[np.ndarray, "route"]
    """Steps after which the expert was asked: the actions from there on are its."""
    lengths: Int64[np.ndarray, "route"]
    """Steps in all; the last one reaches the goal."""
    actions: UInt8[np.ndarray, "step"]

    @classmethod
    def of(
        cls,
        variant_seed: int,
        level_seeds: Sequence[int],
        before: Sequence[np.ndarray],
        planned: Sequence[np.ndarray],
    ) -> "Routes":
        """Routes from the actions played before the expert was asked and those that it planned."""
        parts = [np.concatenate(both).astype(np.uint8) for both in zip(before, planned, strict=True)]
        return cls(
            np.full(len(parts), variant_seed, np.int64),
            np.array(level_seeds, np.int64).reshape(-1),
            np.array([len(part) for part in before], np.int64).reshape(-1),
            np.array([len(part) for part in parts], np.int64).reshape(-1),
            np.concatenate([np.zeros(0, np.uint8), *parts]),
        )

    @classmethod
    def none(cls) -> "Routes":
        """No routes."""
        return cls.of(0, [], [], [])

    @property
    def labelled(self) -> Int64[np.ndarray, "route"]:
        """Frames of each route that the expert labelled."""
        return self.lengths - self.asked

    def take(self, index: Int64[np.ndarray, "chosen"]) -> "Routes":
        """The routes with these indices."""
        ends = self.lengths.cumsum()
        parts = [self.actions[ends[route] - self.lengths[route] : ends[route]] for route in index]
        return Routes(
            self.variant_seeds[index],
            self.level_seeds[index],
            self.asked[index],
            self.lengths[index],
            np.concatenate([np.zeros(0, np.uint8), *parts]),
        )

    def joined(self, others: "Routes") -> "Routes":
        """These routes and then the others."""
        return Routes(*(np.concatenate(both) for both in zip(self, others, strict=True)))


def replay(routes: Routes, engine: Engine, states_of: StatesOf) -> Samples:
    """The labelled frames of the routes, route by route, drawn by the engine, whose games are used as scratch."""
    starts = routes.lengths.cumsum() - routes.lengths
    parts = []
    for first in range(0, len(routes.lengths), engine.num_envs):
        chosen = np.arange(first, min(first + engine.num_envs, len(routes.lengths)))
        engine.set_states(
            states_of(routes.variant_seeds[chosen], routes.level_seeds[chosen]), range(len(chosen))
        )
        lengths, asked = routes.lengths[chosen], routes.asked[chosen]
        at = np.minimum(np.arange(lengths.max())[:, None], lengths - 1)
        played = routes.actions[starts[chosen] + at]
        actions = np.full(engine.num_envs, _NOTHING, np.int32)
        labelled = lengths - asked
        offsets = labelled.cumsum() - labelled
        frames = np.empty((int(labelled.sum()), *engine.frames.shape[1:]), np.uint8)
        for step in range(int(lengths.max())):
            now = np.flatnonzero((step >= asked) & (step < lengths))
            frames[offsets[now] + step - asked[now]] = engine.frames[now]
            actions[: len(chosen)] = played[step]
            engine.act(actions)
        which = np.repeat(np.arange(len(chosen)), labelled)
        step = np.arange(len(which)) - offsets[which] + asked[which]
        parts.append(Samples(frames, played[step, which].astype(np.int64), lengths[which] - step))
    return concatenate(parts)
