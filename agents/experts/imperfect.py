"""An actor that slips: for data in which most, but not all, episodes succeed.

When: reward networks and probes that must see failures too (the dissertation's Chapter 5 trains on such data), and
imitation, where the expert must be seen to recover from what it would never do itself. A slip is one random action
held for some steps: single random actions mostly cancel out, held ones lead astray.

    actor = Imperfect(GridExpert(), slip=0.05, longest_steps=6)

Axes: `env` games of a vector.
"""

import numpy as np
from jaxtyping import Int64

from procscope.activations.actors import Actor, Seen
from procscope.envs.actions import N_ACTIONS


class Imperfect:
    """Does what another actor does, except when it slips.

    Args:
        actor: whom it follows.
        slip: chance that a slip begins, per game and step.
        longest_steps: a slip lasts one to so many steps.
    """

    def __init__(self, actor: Actor, slip: float = 0.05, longest_steps: int = 6) -> None:
        if not 0 <= slip <= 1 or longest_steps < 1:
            raise ValueError(
                f"expected slip in [0, 1] and longest_steps from 1; given: {slip}, {longest_steps}"
            )
        self._actor, self._slip, self._longest = actor, slip, longest_steps
        self._left = np.zeros(0, np.int64)
        self._held = np.zeros(0, np.int64)

    def act(self, seen: Seen, rng: np.random.Generator) -> Int64[np.ndarray, "env"]:
        """Actions 0..14. Slips go on where they were, so one actor serves one vector of games."""
        n = len(seen.frames)
        if len(self._left) != n:
            self._left, self._held = np.zeros(n, np.int64), np.zeros(n, np.int64)
        begin = (self._left == 0) & (rng.random(n) < self._slip)
        self._left = np.where(begin, rng.integers(1, self._longest + 1, n), self._left)
        self._held = np.where(begin, rng.integers(0, N_ACTIONS, n), self._held)
        actions = np.where(self._left > 0, self._held, self._actor.act(seen, rng))
        self._left = np.maximum(self._left - 1, 0)
        return actions
