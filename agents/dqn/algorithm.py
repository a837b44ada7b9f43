"""Stable-Baselines3's DQN around a network of this project, with chance of its own and schedules left to its caller.

The loss, the optimiser step and the playing are Stable-Baselines3's. What differs: every game of the vector explores
for itself (theirs lets all games explore or none); all chance comes from one generator, which can be saved; and the
exploration rate and the target network change when the caller says so, so that they can follow episodes.

Axes: `env` games of the vector.
"""

import copy
from typing import Any, cast

import numpy as np
import torch
from gymnasium import spaces
from jaxtyping import Float, UInt8
from stable_baselines3 import DQN
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import Schedule
from torch import Tensor, nn

from procscope.activations.forward import read_network


class QValues(nn.Module):
    """A network's action values as a plain tensor."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, frames: UInt8[Tensor, "frame rgb row col"]) -> Float[Tensor, "frame action"]:
        """The action values of each frame."""
        return cast(Tensor, read_network(self.network, frames).logits)


class QPolicy(BasePolicy):
    """A network, the older copy that it is trained towards, and their optimiser."""

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Space,
        lr_schedule: Schedule,
        *,
        network: nn.Module,
    ) -> None:
        """Raises ValueError if the network has not one logit per action."""
        super().__init__(observation_space, action_space)
        self.q_net, self.q_net_target = (
            QValues(network),
            QValues(copy.deepcopy(network)).requires_grad_(False),
        )
        self.optimizer = torch.optim.Adam(network.parameters(), lr=lr_schedule(1), fused=True)
        device = next(network.parameters()).device
        frame = torch.zeros((1, *(observation_space.shape or ())), dtype=torch.uint8, device=device)
        with torch.no_grad():
            logits = read_network(network, frame).logits
        actions = action_space.n if isinstance(action_space, spaces.Discrete) else None
        if logits is None or logits.shape[1] != actions:
            raise ValueError(
                f"DQN needs a network with one logit for each of the {actions} actions; "
                f"{type(network).__name__} has {'none' if logits is None else logits.shape[1]}"
            )

    def copy_to_target(self) -> None:
        """Make the target network a copy of the trained one."""
        self.q_net_target.load_state_dict(self.q_net.state_dict())

    def _predict(self, observation: Any, deterministic: bool = True) -> Tensor:
        return self.q_net(observation).argmax(dim=1)


class EpisodicDQN(DQN):
    """DQN for pictures; set `exploration_rate` and call `policy.copy_to_target()` when it is time."""

    def __init__(
        self, *arguments: Any, rng: np.random.Generator, reward_divisor: float, **options: Any
    ) -> None:
        """Args are those of Stable-Baselines3's `DQN`, and:

        rng: draws actions.
        reward_divisor: rewards are divided by this before they are remembered.
        """
        self._rng, self._reward_divisor = rng, reward_divisor
        super().__init__(*arguments, target_update_interval=10**12, **options)

    def _sample_action(
        self, learning_starts: int, action_noise: Any = None, n_envs: int = 1
    ) -> tuple[np.ndarray, np.ndarray]:
        with torch.no_grad():
            frames = torch.as_tensor(self._last_obs, device=self.device)
            greedy = self.q_net(frames).argmax(dim=1).cpu().numpy()
        drawn = self._rng.integers(cast(spaces.Discrete, self.action_space).n, size=n_envs)
        actions = np.where(self._rng.random(n_envs) < self.exploration_rate, drawn, greedy)
        return actions, actions

    def _store_transition(
        self,
        replay_buffer: Any,
        buffer_action: np.ndarray,
        new_obs: Any,
        reward: np.ndarray,
        dones: np.ndarray,
        infos: list[dict[str, Any]],
    ) -> None:
        replay_buffer.add(self._last_obs, buffer_action, reward / self._reward_divisor, dones)
        self._last_obs = new_obs

    def _on_step(self) -> None:
        """Schedules are the caller's."""
