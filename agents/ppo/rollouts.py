"""The steps of a round, kept for learning: pictures as they come, in one block of bytes on the device that learns.

Stable-Baselines3's own buffer keeps pictures channels first, so that every step turns them round, minibatches are in
the order that convolutions are slow in, and another copy of all of them is made before the first pass. This one keeps
`[step, env, row, col, rgb]` and gives minibatches as views with the channels in front.

Cost: memory for the pictures, steps x envs x 12 kB, 0.8 GB for 256 x 256.
"""

from collections.abc import Generator
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int, Shaped, UInt8
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.type_aliases import RolloutBufferSamples
from torch import Tensor


class PictureRollouts(RolloutBuffer):
    """A rollout buffer of pictures. Its order of passing through them is drawn from `rng`."""

    def __init__(self, *arguments: Any, rng: np.random.Generator, **options: Any) -> None:
        """Args are those of Stable-Baselines3's `RolloutBuffer`, and:

        rng: draws the order of the frames in each pass.
        """
        self._rng = rng
        self._pictures: UInt8[Tensor, "step env row col rgb"] | None = None
        super().__init__(*arguments, **options)

    def reset(self) -> None:
        """Make room for a new round."""
        shape = (self.buffer_size, self.n_envs)
        if self._pictures is None:
            channels, rows, columns = self.obs_shape
            self._pictures = torch.empty(
                (*shape, rows, columns, channels), dtype=torch.uint8, device=self.device
            )
        self.actions = np.zeros((*shape, 1), np.int64)
        self.rewards, self.returns, self.episode_starts, self.values, self.log_probs, self.advantages = (
            np.zeros(shape, np.float32) for _ in range(6)
        )
        self.pos, self.full, self.generator_ready = 0, False, False

    def add(
        self,
        obs: UInt8[np.ndarray, "env rgb row col"],
        action: Int[np.ndarray, "env 1"],
        reward: Float[np.ndarray, " env"],
        episode_start: Bool[np.ndarray, " env"],
        value: Float32[Tensor, " env"],
        log_prob: Float32[Tensor, " env"],
    ) -> None:
        """Keep one step of every game."""
        assert self._pictures is not None
        self._pictures[self.pos].copy_(torch.from_numpy(obs.transpose(0, 2, 3, 1)))
        self.actions[self.pos], self.rewards[self.pos] = action, reward
        self.episode_starts[self.pos] = episode_start
        self.values[self.pos], self.log_probs[self.pos] = value.cpu().numpy(), log_prob.cpu().numpy()
        self.pos += 1
        self.full = self.pos == self.buffer_size

    def get(self, batch_size: int | None = None) -> Generator[RolloutBufferSamples, None, None]:
        """Every frame once, in random order, in minibatches (by default one of all)."""
        assert self._pictures is not None
        assert self.full
        frames = self.buffer_size * self.n_envs
        pictures = self._pictures.flatten(0, 1)
        columns = [
            torch.from_numpy(column.reshape(-1)).to(self.device)
            for column in (self.actions, self.values, self.log_probs, self.advantages, self.returns)
        ]
        order = torch.from_numpy(self._rng.permutation(frames)).to(self.device)
        for chosen in order.split(batch_size or frames):
            yield RolloutBufferSamples(
                pictures[chosen].permute(0, 3, 1, 2), *(column[chosen] for column in columns)
            )

    def to_torch(self, array: Shaped[np.ndarray, "..."], copy: bool = True) -> Tensor:
        """An array on the buffer's device."""
        return torch.from_numpy(array.copy() if copy else array).to(self.device)
