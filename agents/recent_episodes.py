"""What became of the episodes that ended last: return, length, success. For the progress of a training.

Success is a reward above zero in the last step: in maze, heist and coinrun that is reaching the goal, whatever else
ends an episode there pays nothing.
"""

from collections.abc import Mapping

import numpy as np
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn

WINDOW = 256
"""Episodes that means are taken over."""

_FACTS = 3
"""Numbers kept of each: return, steps, success."""


class RecentEpisodes(VecEnvWrapper):
    """Watches the games pass through, and changes nothing."""

    def __init__(self, venv: VecEnv) -> None:
        super().__init__(venv)
        self._returns, self._steps = np.zeros(venv.num_envs), np.zeros(venv.num_envs)
        self._recent = np.full((WINDOW, _FACTS), np.nan)
        self.ended = 0
        """Episodes ended so far."""

    @property
    def mean_return(self) -> float:
        """Mean sum of rewards of the recent episodes; NaN before the first has ended."""
        return self._mean(0)

    @property
    def mean_steps(self) -> float:
        """Their mean length."""
        return self._mean(1)

    @property
    def success(self) -> float:
        """Share of them that ended with a reward."""
        return self._mean(2)

    def reset(self) -> VecEnvObs:
        """Begin all games."""
        self._returns[:], self._steps[:] = 0, 0
        return self.venv.reset()

    def step_wait(self) -> VecEnvStepReturn:
        """A step, noted."""
        observations, rewards, ended, infos = self.venv.step_wait()
        self._returns += rewards
        self._steps += 1
        for index in np.flatnonzero(ended).tolist():
            self._recent[self.ended % WINDOW] = self._returns[index], self._steps[index], rewards[index] > 0
            self.ended += 1
        self._returns[ended], self._steps[ended] = 0, 0
        return observations, rewards, ended, infos

    def save(self) -> dict[str, np.ndarray]:
        """All that is known, for `restore`."""
        return {
            "returns": self._returns.copy(),
            "steps": self._steps.copy(),
            "recent": self._recent.copy(),
            "ended": np.array(self.ended),
        }

    def restore(self, saved: Mapping[str, np.ndarray]) -> None:
        """Go on from what `save` gave."""
        self._returns, self._steps, self._recent = (
            saved[name].copy() for name in ("returns", "steps", "recent")
        )
        self.ended = int(saved["ended"])

    def _mean(self, fact: int) -> float:
        known = self._recent[: min(self.ended, WINDOW), fact]
        return float(known.mean()) if len(known) else float("nan")
