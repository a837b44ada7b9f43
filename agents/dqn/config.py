"""What a DQN run is made of. Two runs with equal configs on one machine's CPU give equal networks."""

from dataclasses import dataclass, field
from typing import Any

GAMES = ("ms-pacman", "toy-pacman")


@dataclass(frozen=True)
class DQNConfig:
    """Deep Q-learning (Mnih et al. 2015, Human-level control) whose schedules count episodes.

    Defaults are the recipe of the SAE study's agents on Atari Ms. Pac-Man, as its public code has it, but for the
    number of games side by side, which is one there.
    """

    game: str = "ms-pacman"
    """One of `GAMES`."""
    network: str = "pacman-dqn"
    """Name of the architecture; its `logits` are the action values."""
    network_options: dict[str, Any] = field(default_factory=dict)
    """Options of the architecture."""
    start_from: str | None = None
    """Begin with the weights of this network (a name or a path) instead of new ones."""
    seed: int = 0
    """Seed of the initial weights, the games and everything drawn."""
    episodes: int = 20_000
    """Games in all."""
    envs: int = 16
    """Games played side by side."""
    buffer_frames: int = 50_000
    """Steps that are remembered, those of every game counted. A raw Atari frame takes 100 kB."""
    learning_starts: int = 2_000
    """Steps played before the first optimiser step."""
    updates_per_episode: int = 5
    """Optimiser steps after each game that ends."""
    batch_size: int = 256
    """Steps drawn for an optimiser step."""
    target_every_episodes: int = 20
    """Games after which the target network becomes a copy of the trained one."""
    learning_rate: float = 5e-4
    """Adam's learning rate."""
    discount: float = 0.98
    """Discount of rewards, gamma."""
    reward_divisor: float = 100.0
    """The points of the game are divided by this."""
    exploration_start: float = 0.2
    """Probability of a random action at first."""
    exploration_end: float = 0.05
    """The same later on."""
    exploration_share: float = 0.21
    """Share of the episodes over which it falls, in a straight line."""
    max_gradient_norm: float = 10.0
    """Gradients longer than this are shortened to it (Stable-Baselines3's own default)."""
    threads: int = 1
    """Threads of torch on the CPU. Sums in another order round differently, so another number gives another network."""

    def __post_init__(self) -> None:
        if self.game not in GAMES:
            raise ValueError(f"DQN plays {', '.join(GAMES)}; given: {self.game!r}")
        whole = "episodes envs learning_starts updates_per_episode batch_size target_every_episodes threads"
        for name in whole.split():
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; given: {getattr(self, name)}")
        if self.seed < 0:
            raise ValueError(f"seed must be 0 or more; given: {self.seed}")
        if self.buffer_frames < max(2 * self.envs, self.learning_starts):
            raise ValueError(
                "buffer_frames must hold at least learning_starts frames and two of every game; given: "
                f"{self.buffer_frames} for learning_starts={self.learning_starts}, envs={self.envs}"
            )
        shares = (self.exploration_start, self.exploration_end, self.exploration_share, self.discount)
        if min(shares) < 0 or max(shares) > 1:
            raise ValueError(
                "exploration_start, exploration_end, exploration_share and discount must be in [0, 1]; given: "
                f"{shares}"
            )
        if min(self.learning_rate, self.reward_divisor, self.max_gradient_norm) <= 0:
            raise ValueError(
                "learning_rate, reward_divisor and max_gradient_norm must be above 0; given: "
                f"{self.learning_rate}, {self.reward_divisor}, {self.max_gradient_norm}"
            )

    @property
    def round_episodes(self) -> int:
        """Games of a round, which is a line of the curve: about 400 lines in all."""
        return max(1, self.episodes // 400)

    def exploration(self, episode: int) -> float:
        """Probability of a random action after so many games."""
        fallen = min(1.0, episode / max(1.0, self.exploration_share * self.episodes))
        return self.exploration_start + fallen * (self.exploration_end - self.exploration_start)


PRESETS: dict[str, dict[str, Any]] = {
    "ms-pacman": {},
    "toy-pacman": {
        "network": "toy-pacman-dqn",
        "episodes": 4_000,
        "envs": 32,
        "learning_starts": 2_000,
        "updates_per_episode": 5,
        "batch_size": 128,
        "target_every_episodes": 40,
        "learning_rate": 1e-3,
        "exploration_start": 0.5,
        "exploration_end": 0.02,
        "exploration_share": 0.5,
    },
}
"""What differs from `DQNConfig`'s defaults for each game; for the toy chosen here, by the score after minutes."""
