"""Rewards divided by how much returns vary, estimated as the games go on.

The same numbers as Stable-Baselines3's `VecNormalize(norm_obs=False)`, which copies every observation twice on the
way; and its statistics can be saved as arrays.
"""

from collections.abc import Mapping

import numpy as np
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn

_LONGEST = 10.0
_EPSILON = 1e-8


class ScaledRewards(VecEnvWrapper):
    """Divides rewards by the standard deviation of the discounted returns so far, and cuts them off at ±10."""

    def __init__(self, venv: VecEnv, discount: float) -> None:
        super().__init__(venv)
        self._discount = discount
        self._statistics = RunningMeanStd(shape=())
        self._returns = np.zeros(venv.num_envs)

    def reset(self) -> VecEnvObs:
        """Begin all games; returns begin anew, what is known of them stays."""
        self._returns = np.zeros(self.num_envs)
        return self.venv.reset()

    def step_wait(self) -> VecEnvStepReturn:
        """A step with scaled rewards."""
        observations, rewards, ended, infos = self.venv.step_wait()
        self._returns = self._returns * self._discount + rewards
        self._statistics.update(self._returns)
        scaled = np.clip(rewards / np.sqrt(self._statistics.var + _EPSILON), -_LONGEST, _LONGEST)
        self._returns[ended] = 0
        return observations, scaled.astype(np.float32), ended, infos

    def save(self) -> dict[str, np.ndarray]:
        """Statistics and running returns, for `restore`."""
        known = self._statistics
        return {
            "mean": np.asarray(known.mean),
            "var": np.asarray(known.var),
            "count": np.asarray(known.count),
            "returns": self._returns.copy(),
        }

    def restore(self, saved: Mapping[str, np.ndarray]) -> None:
        """Go on from what `save` gave."""
        known = self._statistics
        known.mean, known.var = np.array(saved["mean"]), np.array(saved["var"])
        known.count = float(saved["count"])
        self._returns = saved["returns"].copy()
