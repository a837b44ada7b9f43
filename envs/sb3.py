"""`ProcgenVecEnv`: the games of `vector.py` for Stable-Baselines3.

When: to train or run an agent of Stable-Baselines3 (`PPO("CnnPolicy", ProcgenVecEnv("maze", 64))`). Importing
this module imports Stable-Baselines3 and with it torch. Cost: that of `ProcgenVectorEnv`, and about 1 us per
game and step for the list of infos that Stable-Baselines3 wants.

Where an episode ends, its game's info holds `terminal_observation`, the true last frame;
`TimeLimit.truncated`, True where the timeout ended it, so that the learner bootstraps from the value of that
frame; `level_seed` of the level that ended, and with labels `terminal_labels`. Else it holds the `level_seed`
in play, and with labels the frame's `labels`. Observations are `[env, row, col, rgb]`; policies on pictures
get them transposed by Stable-Baselines3 itself.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvStepReturn

from procscope.envs.vector import ProcgenVectorEnv


class ProcgenVecEnv(VecEnv):
    """A vector of Procgen games with the interface of Stable-Baselines3."""

    def __init__(self, game: str | ProcgenVectorEnv, num_envs: int = 64, **options: Any) -> None:
        """Make the games, or adapt a vector of them.

        Args:
            game: the game's name, or a `ProcgenVectorEnv`; `num_envs` and options are then its own.
            num_envs: games in the vector.
            options: further arguments of `ProcgenVectorEnv`, such as `variants` or `level_seeds`.

        Raises:
            ValueError: as `ProcgenVectorEnv`; and when options are given beside a vector.
        """
        if isinstance(game, ProcgenVectorEnv):
            if options:
                raise ValueError(
                    f"give options to ProcgenVectorEnv itself; given beside one: {', '.join(options)}"
                )
            self._env = game
        else:
            self._env = ProcgenVectorEnv(game, num_envs, **options)
        self._actions = np.zeros(self._env.num_envs, np.int64)
        super().__init__(
            self._env.num_envs, self._env.single_observation_space, self._env.single_action_space
        )

    def reset(self) -> np.ndarray:
        """Begin a new episode in every game; after `seed(n)`, as a new vector of seed n would."""
        seed = None if self._seeds[0] is None else self._seeds[0] % 2**31
        frames, infos = self._env.reset(seed=seed)
        self.reset_infos = self._per_game(infos)
        self._reset_seeds()
        self._reset_options()
        return frames

    def step_async(self, actions: np.ndarray) -> None:
        """Note the actions; `step_wait` plays them."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Play the noted actions: frames, rewards (float32), whether episodes ended, an info per game."""
        frames, rewards, terminated, truncated, infos = self._env.step(self._actions)
        ended = terminated | truncated
        per_game = self._per_game(infos)
        for index in np.flatnonzero(ended).tolist():
            final, info = infos["final_info"], per_game[index]
            info["TimeLimit.truncated"] = bool(truncated[index])
            info["level_seed"] = int(final["level_seed"][index])
            if "final_obs" in infos:
                info["terminal_observation"] = infos["final_obs"][index]
            if "labels" in final:
                info["terminal_labels"] = _row(final["labels"], index)
        return frames, rewards.astype(np.float32), ended, per_game

    def close(self) -> None:
        """Free the games."""
        self._env.close()

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """An attribute of the vector, once per game asked for: the games have none of their own."""
        return [getattr(self._env, attr_name)] * len(self._chosen(indices))

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set an attribute of the vector. Raises ValueError when asked for some games only."""
        self._require_all(indices, f"set {attr_name}")
        setattr(self._env, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: VecEnvIndices = None, **method_kwargs: Any
    ) -> list[Any]:
        """Call a method of the vector; its result stands for every game. ValueError for some games only."""
        self._require_all(indices, f"call {method_name}")
        return [getattr(self._env, method_name)(*method_args, **method_kwargs)] * self.num_envs

    def env_is_wrapped(self, wrapper_class: type, indices: VecEnvIndices = None) -> list[bool]:
        """False for every game: none has a wrapper."""
        return [False] * len(self._chosen(indices))

    def get_images(self) -> Sequence[np.ndarray | None]:
        """The frames that the agents see."""
        return list(self._env.frames)

    def _per_game(self, infos: dict[str, Any]) -> list[dict[str, Any]]:
        per_game: list[dict[str, Any]] = [{"level_seed": seed} for seed in infos["level_seed"].tolist()]
        if "labels" in infos:
            for index, info in enumerate(per_game):
                info["labels"] = _row(infos["labels"], index)
        return per_game

    def _chosen(self, indices: VecEnvIndices) -> list[int]:
        return list(self._get_indices(indices))

    def _require_all(self, indices: VecEnvIndices, what: str) -> None:
        if sorted(self._chosen(indices)) != list(range(self.num_envs)):
            raise ValueError(f"cannot {what} in some games only: they are one vector. Leave out indices")


def _row(columns: dict[str, np.ndarray], index: int) -> dict[str, Any]:
    return {name: values[index].item() for name, values in columns.items()}
