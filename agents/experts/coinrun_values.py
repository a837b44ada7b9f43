"""What every state of a CoinRun level is worth to an agent whose hand slips now and then, and so what to do in it.

When: to teach CoinRun, mode easy (`coinrun_expert.py`). A plan says what to do along one way, and when it jumps is
arbitrary within some steps; these values say what to do wherever an agent comes, the same in all states that look
alike, and keep away from edges that a slip would push it over.

    values = solve(World.of(states), Agents.of(states))
    advice = values.advise(agents)                     # agents anywhere near the ways from `states`

How: the states that can be reached are collected by breadth-first search with the model of `envs/coinrun/dynamics.py`,
one for each small box of (x, y, vx, vy); their values are those of value iteration (Bellman 1957), with the goal worth
1, each step `discount`, in `slip` of the steps a random jump key and in a few a random action. What is asked later is
worth the mean of the boxes around it, looked up one step ahead.

Left out are states that the search comes to more than `slack` steps after the first in their column (long waits and
long ways back) or after the goal.

Cost: 0.1 s a level on one core, 10,000 states; asking, 25 us a state in batches of hundreds.

Axes: `agent` agents asked about; `action` the six of `ACTIONS`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64

from procscope.envs.coinrun.cells import WORLD_CELLS
from procscope.envs.coinrun.dynamics import Agents, World, stepped, supported

RIGHT, NOTHING, LEFT, RIGHT_UP, UP, LEFT_UP = 7, 4, 1, 8, 5, 2
ACTIONS = np.array([RIGHT, NOTHING, LEFT, RIGHT_UP, UP, LEFT_UP])
"""Raw actions that differ, in the order of preference among equals. Up counts on the ground alone."""

SLIP = 0.2
"""Chance per step that the jump key is pressed or not by chance. Were the keys of the way to go to slip as often, the
agent would jump all the time: in the air its speed is safe."""
ANY_SLIP = 0.05
"""Chance per step of a random action."""
DISCOUNT = 0.99
SLACK = 20
"""Steps."""
TOLERANCE = 0.005
"""Of two actions the preferred one is taken unless the other is worth more by this share."""
LEAST_WORTH = 0.5
IDLE_KEY = 0.02
"""Loss of a key that does nothing."""

_X, _Y, _VX, _VY = 6, 4, 16, 5
"""Boxes per cell, and per cell a step. Heights and upward speeds are few: those of jumps and falls from whole cells."""
_SWEEPS = 30
_HOPELESS = 0.01

_XS, _VXS, _YS, _VYS = 1024, 64, 1024, 32
_LEVEL = _XS * _VXS * _YS * _VYS
"""Boxes that a level may have."""

_DEAD, _WON, _CLOSED = -1, -2, -3
"""In place of a following state; the last is of states that are not followed further."""


class Opinion(NamedTuple):
    """What is best for some agents."""

    actions: Int64[np.ndarray, "agent"]
    """Raw actions."""
    values: Float64[np.ndarray, "agent"]
    """Discounted chance to reach the goal, slips and all: 1 a step before it."""
    regrets: Float64[np.ndarray, "agent action"]
    """What each of `ACTIONS` would lose against the best, as a share of the value, or of `LEAST_WORTH` where the value
    is less: an agent that is nearly lost has little to lose. Keys of jumps do nothing in the air; they lose `IDLE_KEY`
    there, so that they are not pressed for nothing."""
    known: Bool[np.ndarray, "agent"]
    """Its state is near those collected; the rest means little where it is not."""
    hopeful: Bool[np.ndarray, "agent"]
    """The value is not next to nothing, as it is for an agent that falls into a pit."""

    @property
    def stakes(self) -> Float64[np.ndarray, "agent"]:
        """What the worst action would lose."""
        return self.regrets.max(axis=1)


@dataclass(frozen=True)
class StateValues:
    """Values of the states of some levels. Made by `solve`."""

    world: World
    boxes: Int64[np.ndarray, "box"]
    """Numbers of the boxes, in order; those of a level follow each other."""
    values: Float64[np.ndarray, "box"]
    tolerance: float

    @classmethod
    def joined(cls, parts: Sequence["StateValues"]) -> "StateValues":
        """Those of one level each, made with one tolerance, as those of several, numbered in order."""
        first = parts[0].world
        return cls(
            World(np.concatenate([part.world.cells for part in parts]), first.width, first.size),
            np.concatenate([part.boxes + level * _LEVEL for level, part in enumerate(parts)]),
            np.concatenate([part.values for part in parts]),
            parts[0].tolerance,
        )

    def split(self) -> list["StateValues"]:
        """Those of each level, in order."""
        levels = len(self.world.cells) // self.world.size
        bounds = np.searchsorted(self.boxes, np.arange(levels + 1) * _LEVEL)
        cells = self.world.cells.reshape(levels, self.world.size)
        return [
            StateValues(
                World(cells[level], self.world.width, self.world.size),
                self.boxes[low:high] - level * _LEVEL,
                self.values[low:high],
                self.tolerance,
            )
            for level, (low, high) in enumerate(pairwise(bounds.tolist()))
        ]

    def advise(self, agents: Agents) -> Opinion:
        """The best action of each agent, one step ahead from exactly where it is.

        An action that changes nothing is never the best: whether to stay is a question of rounding.
        """
        n = len(agents.x)
        on_ground = supported(self.world, agents)
        who = np.concatenate([np.repeat(np.arange(n), 3), np.repeat(np.flatnonzero(on_ground), 3)])
        action = np.tile([0, 1, 2], len(who) // 3)
        action[3 * n :] += 3
        before = agents.take(who)
        after, ends = stepped(self.world, before, ACTIONS[action])
        value, found = self._read(after)
        worth = np.zeros((n, len(ACTIONS)))
        still = (after.x == before.x) & (after.y == before.y) & (before.vx == 0) & (before.vy == 0)
        worth[who, action] = np.where(ends.won, 1.0, np.where(ends.died | still, 0.0, value))
        sure = np.ones(n, bool)
        sure[who[~(found | ends.won | ends.died)]] = False
        worth[~on_ground, 3:] = worth[~on_ground, :3]
        best = worth.max(axis=1)
        chosen = (worth >= (1 - self.tolerance) * best[:, None]).argmax(axis=1)
        regrets = (best[:, None] - worth) / np.maximum(best, LEAST_WORTH)[:, None]
        regrets[~on_ground, 3:] = np.minimum(regrets[~on_ground, 3:] + IDLE_KEY, 1)
        return Opinion(ACTIONS[chosen], best, regrets, sure, best > _HOPELESS)

    def _read(self, agents: Agents) -> tuple[Float64[np.ndarray, "agent"], Bool[np.ndarray, "agent"]]:
        """Mean value of the boxes around each agent, by nearness; whether there is any.

        Of the four boxes nearest in place and speed sideways, or where none of them was collected, of those up to
        three boxes away.
        """
        x, vx = agents.x * _X - 0.5, agents.vx * _VX
        rest = _box_rest(self.world, agents)
        value, found = self._mean(rest, x, vx, 1)
        missing = np.flatnonzero(~found)
        if len(missing):
            value[missing], found[missing] = self._mean(rest[missing], x[missing], vx[missing], 3)
        return value, found

    def _mean(
        self, rest: np.ndarray, x: np.ndarray, vx: np.ndarray, reach: int
    ) -> tuple[Float64[np.ndarray, "agent"], Bool[np.ndarray, "agent"]]:
        """Mean value of the boxes less than `reach` away in x and vx, by nearness."""
        left, slow = np.floor(x).astype(np.int64), np.floor(vx).astype(np.int64)
        total, weights = np.zeros(len(x)), np.zeros(len(x))
        for right in range(1 - reach, reach + 1):
            for fast in range(1 - reach, reach + 1):
                box = _box(rest, left + right, slow + fast)
                at = np.minimum(np.searchsorted(self.boxes, box), len(self.boxes) - 1)
                weight = (reach - np.abs(left + right - x)) * (reach - np.abs(slow + fast - vx)) + 1e-6
                weight *= self.boxes[at] == box
                total += weight * self.values[at]
                weights += weight
        return total / np.maximum(weights, 1e-9), weights > 0


def solve(
    world: World,
    roots: Agents,
    *,
    slip: float = SLIP,
    discount: float = DISCOUNT,
    slack: int = SLACK,
    tolerance: float = TOLERANCE,
) -> StateValues:
    """Values of the states that agents may come to from the given ones, in each of the worlds.

    The more states of an agent's way are given, the surer its neighbourhood is collected: `slack` counts from each.
    """
    boxes, layers = _collected(world, roots, slack)
    values = _valued(layers, slip, discount)
    open_ = np.concatenate([layer[0] != _CLOSED for layer in layers])
    order = np.argsort(boxes)
    order = order[open_[order]]
    return StateValues(world, boxes[order], values[order].astype(np.float64), tolerance)


def _collected(world: World, roots: Agents, slack: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Boxes of the states that can be reached, and layer by layer the states that follow them, by action.

    A layer's array has a row for each action and a column for each of its states; it holds numbers of states, in the
    order in which they were come to, or one of `_DEAD`, `_WON`, `_CLOSED`.
    """
    boxes, first = np.unique(_boxes(world, roots), return_index=True)
    layer = roots.take(first)
    known, number = boxes, np.arange(len(boxes))
    found, layers = [boxes], []
    levels = len(world.cells) // world.size
    came = np.full((levels, WORLD_CELLS + 2), np.iinfo(np.int64).max - slack)
    won_at = came[:, 0].copy()
    while len(layer.x):
        depth = len(layers)
        column = np.clip(np.floor(layer.x).astype(int), 0, WORLD_CELLS) + 1
        np.minimum.at(came, (layer.level, column), depth)
        going = (depth <= came[layer.level, column] + slack) & (depth <= won_at[layer.level] + slack)
        on_ground = supported(world, layer)
        every, ground = np.flatnonzero(going), np.flatnonzero(going & on_ground)
        who = np.concatenate([np.repeat(every, 3), np.repeat(ground, 3)])
        action = np.concatenate([np.tile([0, 1, 2], len(every)), np.tile([3, 4, 5], len(ground))])
        after, ends = stepped(world, layer.take(who), ACTIONS[action])
        np.minimum.at(won_at, after.level[ends.won], depth)
        alive = np.flatnonzero(~(ends.won | ends.died))
        box, first, which = np.unique(
            _boxes(world, after.take(alive)), return_index=True, return_inverse=True
        )
        place = np.searchsorted(known, box)
        at = np.minimum(place, len(known) - 1)
        fresh = known[at] != box
        n = len(number)
        numbers = np.where(fresh, n - 1 + fresh.cumsum(), number[at])
        following = np.where(ends.won, _WON, _DEAD)
        following[alive] = numbers[which]
        successors = np.full((len(ACTIONS), len(going)), _CLOSED)
        successors[action, who] = following
        in_air = going & ~on_ground
        successors[3:, in_air] = successors[:3, in_air]
        layers.append(successors)
        found.append(box[fresh])
        known = np.insert(known, place[fresh], box[fresh])
        number = np.insert(number, place[fresh], numbers[fresh])
        layer = after.take(alive[first[fresh]])
    return np.concatenate(found), layers


def _valued(layers: list[np.ndarray], slip: float, discount: float) -> np.ndarray:
    """Values of the states by value iteration, the last layers first in each sweep."""
    ends = np.cumsum([layer.shape[1] for layer in layers])
    values = np.zeros(ends[-1] + 3, np.float32)
    values[_WON] = 1 / discount
    for _ in range(_SWEEPS):
        for layer, end in zip(reversed(layers), reversed(ends), strict=True):
            worth = values[layer]
            run, jump = worth[:3], worth[3:]
            best = np.maximum(run, jump)
            best += slip / 2 * (np.minimum(run, jump) - best)
            worth = best.max(axis=0) * (1 - ANY_SLIP) + worth.mean(axis=0) * ANY_SLIP
            values[end - layer.shape[1] : end] = discount * worth
    return values[:-3]


def _boxes(world: World, agents: Agents) -> Int64[np.ndarray, "agent"]:
    """The number of each agent's box."""
    x, vx = np.floor(agents.x * _X), np.round(agents.vx * _VX)
    return _box(_box_rest(world, agents), x.astype(np.int64), vx.astype(np.int64))


def _box_rest(world: World, agents: Agents) -> Int64[np.ndarray, "agent"]:
    """What a box's number has of all but the place and speed sideways."""
    vy = np.floor(agents.vy * _VY + 0.25).astype(np.int64) + 8
    vy = np.where(supported(world, agents), 31, vy)
    return (agents.level * _YS + np.floor(agents.y * _Y).astype(np.int64) + 16) * _VYS + vy


def _box(rest: np.ndarray, x: np.ndarray, vx: np.ndarray) -> np.ndarray:
    return (rest * _XS + x + 16) * _VXS + vx + 32
