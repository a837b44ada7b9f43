"""Any vector of gymnasium that resets within the step, for Stable-Baselines3: toy Ms. Pac-Man and the Atari game.

(The games of Procgen have `ProcgenVecEnv`, which also hands on level seeds and labels.)

Where an episode ends, its game's info holds `terminal_observation`, the last frame, and `TimeLimit.truncated`. Cost:
2 us a game and step.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvStepReturn


class SameStepVecEnv(VecEnv):
    """A gymnasium vector in `SAME_STEP` mode with the interface of Stable-Baselines3."""

    def __init__(self, env: VectorEnv) -> None:
        """Raises ValueError for a vector that resets in another way."""
        mode = env.metadata.get("autoreset_mode")
        if mode != AutoresetMode.SAME_STEP:
            raise ValueError(
                f"expected a vector with autoreset_mode SAME_STEP, as Stable-Baselines3 resets; given: {mode}"
            )
        self.vector = env
        self._actions = np.zeros(env.num_envs, np.int64)
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)

    def reset(self) -> np.ndarray:
        """Begin a new episode in every game; after `seed(n)`, as a new vector of seed n would."""
        observations, _ = self.vector.reset(seed=self._seeds[0])
        self.reset_infos = [{} for _ in range(self.num_envs)]
        self._reset_seeds()
        self._reset_options()
        return observations

    def step_async(self, actions: np.ndarray) -> None:
        """Note the actions; `step_wait` plays them."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Play the noted actions: observations, rewards (float32), whether episodes ended, an info per game."""
        observations, rewards, terminated, truncated, infos = self.vector.step(self._actions)
        ended = np.logical_or(terminated, truncated)
        per_game: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for index in np.flatnonzero(ended).tolist():
            per_game[index]["TimeLimit.truncated"] = bool(truncated[index] and not terminated[index])
            per_game[index]["terminal_observation"] = infos["final_obs"][index]
        return observations, np.asarray(rewards, np.float32), ended, per_game

    def close(self) -> None:
        """Free the games."""
        self.vector.close()

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """An attribute of the vector, once per game asked for."""
        return [getattr(self.vector, attr_name)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set an attribute of the vector."""
        setattr(self.vector, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: VecEnvIndices = None, **method_kwargs: Any
    ) -> list[Any]:
        """Call a method of the vector; its result stands for every game."""
        return [getattr(self.vector, method_name)(*method_args, **method_kwargs)] * self.num_envs

    def env_is_wrapped(self, wrapper_class: type, indices: VecEnvIndices = None) -> list[bool]:
        """False for every game."""
        return [False] * len(list(self._get_indices(indices)))

    def get_images(self) -> Sequence[np.ndarray | None]:
        """None for every game: what they see is in the observations."""
        return [None] * self.num_envs
