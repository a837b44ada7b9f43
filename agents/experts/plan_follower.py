"""An actor that plans once and follows its plan for as long as the game does what was planned.

When: `EngineSearch` as a policy, in a vector environment or a cache. Planning takes 0.25 s, so it is done at the start
of an episode and where something else happened than was planned: another's action, or noise.

    actor = PlanFollower(EngineSearch("coinrun", "hard"))
    actions = actor.act(seen, rng)

Axes: `env` games of a vector.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float32, Int64

from procscope.activations.actors import Seen
from procscope.agents.experts.engine_search import NOTHING, EngineSearch
from procscope.envs.state.batch import read_batch


@dataclass
class _Following:
    """One game's plan and how far it was followed."""

    actions: Int64[np.ndarray, "step"] = field(default_factory=lambda: np.zeros(0, np.int64))
    expected: Float32[np.ndarray, "step xyvv"] = field(default_factory=lambda: np.zeros((0, 4), np.float32))
    """The agent's place and velocity before each of the actions."""
    at: int = 0

    def holds(self, motion: Float32[np.ndarray, "xyvv"]) -> bool:
        """Whether the game is where the next step of the plan begins."""
        return self.at < len(self.actions) and np.array_equal(self.expected[self.at], motion)


class PlanFollower:
    """Follows the plans of a search. One follower serves one vector of games."""

    def __init__(self, search: EngineSearch) -> None:
        self._search = search
        self._following: list[_Following] = []

    def act(self, seen: Seen, rng: np.random.Generator) -> Int64[np.ndarray, "env"]:
        """Actions 0..14; nothing where a plan finds no move."""
        states = list(seen.states)
        if len(self._following) != len(states):
            self._following = [_Following() for _ in states]
        batch = read_batch(states)
        motions = np.column_stack([batch.agent_xy, batch.agent_velocity])
        lost = [
            game
            for game, (following, motion) in enumerate(zip(self._following, motions, strict=True))
            if not following.holds(motion)
        ]
        if lost:
            plans = self._search.plan([states[game] for game in lost])
            courses = self._search.courses([states[game] for game in lost], plans)
            for game, plan, course in zip(lost, plans, courses, strict=True):
                self._following[game] = _Following(plan.actions, course)
        return np.array([self._next(following) for following in self._following], np.int64)

    @staticmethod
    def _next(following: _Following) -> int:
        if following.at == len(following.actions):
            return NOTHING
        following.at += 1
        return int(following.actions[following.at - 1])
