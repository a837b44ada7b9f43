"""The steps that DQN learns from: the latest ones of every game, each picture kept once.

A step's next picture is the one of the step after it; where an episode ended that is the first of the next, which is
never looked at. So a frame takes its own bytes and no more, half of what Stable-Baselines3's buffer takes, and
minibatches come channels first in shape and last in memory, as views. An episode that was cut short by time counts as
ended there.

Axes: `step` steps of the vector, `env` its games, `row col rgb` pictures from the top left.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from stable_baselines3.common.buffers import BaseBuffer
from stable_baselines3.common.type_aliases import ReplayBufferSamples


class PictureReplay(BaseBuffer):
    """A ring of the latest steps. Minibatches are drawn from `rng`."""

    def __init__(
        self,
        buffer_size: int,
        observation_space: Any,
        action_space: Any,
        device: torch.device | str = "auto",
        n_envs: int = 1,
        optimize_memory_usage: bool = False,
        *,
        rng: np.random.Generator,
    ) -> None:
        """Args are those of Stable-Baselines3's `ReplayBuffer`, and:

        rng: draws the minibatches.
        """
        super().__init__(max(2, buffer_size // n_envs), observation_space, action_space, device, n_envs)
        self._rng = rng
        channels, rows, columns = self.obs_shape
        shape = (self.buffer_size, n_envs)
        self._frames = np.zeros((*shape, rows, columns, channels), np.uint8)
        self._actions = np.zeros(shape, np.int64)
        self._rewards, self._ended = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        self.added = 0
        """Steps of the vector added so far, forgotten ones included."""

    @property
    def first_kept(self) -> int:
        """Number of the oldest step that is kept."""
        return max(0, self.added - self.buffer_size)

    def size(self) -> int:
        """Steps of the vector that can be drawn: of the last one, the next picture is not known yet."""
        return max(0, min(self.added, self.buffer_size) - 1)

    def add(
        self,
        obs: UInt8[np.ndarray, "env rgb row col"],
        action: Int[np.ndarray, " env"],
        reward: Float[np.ndarray, " env"],
        ended: Bool[np.ndarray, " env"],
    ) -> None:
        """Keep one step of every game."""
        slot = self.added % self.buffer_size
        self._frames[slot] = obs.transpose(0, 2, 3, 1)
        self._actions[slot], self._rewards[slot], self._ended[slot] = action, reward, ended
        self.added += 1

    def sample(self, batch_size: int, env: Any = None) -> ReplayBufferSamples:
        """Random steps of random games."""
        steps = self.first_kept + self._rng.integers(self.size(), size=batch_size)
        return self._get_samples(steps * self.n_envs + self._rng.integers(self.n_envs, size=batch_size))

    def _get_samples(self, batch_inds: np.ndarray, env: Any = None) -> ReplayBufferSamples:
        """Steps by number, where games of one step are numbered on."""
        steps, games = np.divmod(batch_inds, self.n_envs)
        slots, following = steps % self.buffer_size, (steps + 1) % self.buffer_size

        def on_device(values: np.ndarray) -> torch.Tensor:
            return torch.from_numpy(values).to(self.device)

        def pictures(of: np.ndarray) -> torch.Tensor:
            return on_device(self._frames[of, games]).permute(0, 3, 1, 2)

        return ReplayBufferSamples(
            pictures(slots),
            on_device(self._actions[slots, games, None]),
            pictures(following),
            on_device(self._ended[slots, games, None]),
            on_device(self._rewards[slots, games, None]),
        )

    def steps(self, first: int, end: int) -> dict[str, np.ndarray]:
        """Copies of the steps with these numbers, which must be kept."""
        slots = np.arange(first, end) % self.buffer_size
        return {name: getattr(self, f"_{name}")[slots] for name in _COLUMNS}

    def put(self, first: int, steps: Mapping[str, np.ndarray]) -> None:
        """Keep what `steps` gave, from number `first` on, as the latest ones."""
        self.added = first + len(steps["actions"])
        slots = np.arange(first, self.added) % self.buffer_size
        for name in _COLUMNS:
            getattr(self, f"_{name}")[slots] = steps[name]


_COLUMNS = ("frames", "actions", "rewards", "ended")
