"""One run of DQN in memory: networks, optimiser, games and what is remembered of them, and the round that follows.

When: through `train_dqn` (`training.py`), which keeps a run on disk.

A *round* plays until some games have ended; after each of them come the optimiser steps and, every so many games, a
new target network. Between rounds nothing is pending, so what `state` gives, and the replay, is all that the rest of
the run depends on.
"""

import dataclasses
import time
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.type_aliases import TrainFreq, TrainFrequencyUnit

from procscope.agents.dqn.algorithm import EpisodicDQN, QPolicy
from procscope.agents.dqn.config import DQNConfig
from procscope.agents.dqn.games import SavableGames, make_games
from procscope.agents.dqn.replay import PictureReplay
from procscope.agents.recent_episodes import RecentEpisodes
from procscope.agents.run_state import RunState, optimiser_tensors, restore_optimiser, rows_from, table_of
from procscope.agents.starting_weights import starting_network
from procscope.envs.sb3_vectors import SameStepVecEnv
from procscope.workbench.checkpoint_header import CheckpointHeader
from procscope.workbench.devices import choose_device


class Round(NamedTuple):
    """One line of `curve.csv`."""

    round: int
    frames: int
    """Steps played so far, those of every game counted."""
    episodes: int
    """Games ended so far."""
    mean_return: float
    """Mean points of the last 256 games, random actions included."""
    mean_steps: float
    """Their mean length."""
    loss: float
    """Mean Huber loss of the round's optimiser steps; NaN in a round without."""
    exploration: float
    """Probability of a random action at the round's end."""
    seconds: float
    """Wall time of the round."""


class Trainer:
    """A run in progress."""

    def __init__(self, config: DQNConfig, device: str = "cpu", processes: bool = False) -> None:
        """A run before its first round. The global random states are left as they were.

        Raises ValueError: a device or emulator that is not there, or a network that is not fit for the game.
        """
        self.config, self.curve, self.started = config, list[Round](), time.time()
        self.rng = np.random.default_rng(config.seed)
        vector = make_games(config.game, config.envs, processes=processes)
        self.games = cast(SavableGames, vector)
        self.episodes = RecentEpisodes(SameStepVecEnv(vector))
        self.episodes.seed(config.seed)
        chosen = choose_device(device)
        network = starting_network(config.network, config.network_options, config.seed, config.start_from)
        self.model = EpisodicDQN(
            QPolicy,
            self.episodes,
            rng=self.rng,
            reward_divisor=config.reward_divisor,
            learning_rate=config.learning_rate,
            buffer_size=config.buffer_frames,
            batch_size=config.batch_size,
            gamma=config.discount,
            max_grad_norm=config.max_gradient_norm,
            replay_buffer_class=cast(Any, PictureReplay),
            replay_buffer_kwargs={"rng": self.rng},
            policy_kwargs={"network": network.to(chosen)},
            device=chosen,
        )
        self.model.set_logger(Logger(folder=None, output_formats=[]))
        self._callback = cast(BaseCallback, self.model._setup_learn(1)[1])  # this resets the games

    @property
    def network(self) -> torch.nn.Module:
        """The network that is trained."""
        return self.policy.q_net.network

    @property
    def policy(self) -> QPolicy:
        """Both networks and the optimiser."""
        return cast(QPolicy, self.model.policy)

    @property
    def replay(self) -> PictureReplay:
        """What is remembered."""
        return cast(Any, self.model.replay_buffer)

    @property
    def frames(self) -> int:
        """Steps played so far, those of every game counted."""
        return self.curve[-1].frames if self.curve else 0

    def play_round(self) -> Round:
        """Play one round and learn after each of its games; gives its line of the curve."""
        began, losses = time.monotonic(), list[float]()
        config, model = self.config, self.model
        assert model.env is not None
        end = min(self.episodes.ended + config.round_episodes, config.episodes)
        while self.episodes.ended < end:
            before = self.episodes.ended
            model.exploration_rate = config.exploration(before)
            model.collect_rollouts(
                model.env, self._callback, TrainFreq(1, TrainFrequencyUnit.STEP), cast(Any, self.replay)
            )
            for episode in range(before + 1, self.episodes.ended + 1):
                if self.replay.added * config.envs > config.learning_starts:
                    model.train(config.updates_per_episode, config.batch_size)
                    losses.append(float(model.logger.name_to_value["train/loss"]))
                if episode % config.target_every_episodes == 0:
                    self.policy.copy_to_target()
        self.curve.append(
            Round(
                round=len(self.curve),
                frames=self.replay.added * config.envs,
                episodes=self.episodes.ended,
                mean_return=self.episodes.mean_return,
                mean_steps=self.episodes.mean_steps,
                loss=float(np.mean(losses)) if losses else float("nan"),
                exploration=config.exploration(self.episodes.ended),
                seconds=time.monotonic() - began,
            )
        )
        return self.curve[-1]

    def state(self) -> RunState:
        """All that the rest of the run depends on, but for the replay."""
        parts: dict[str, dict[str, Any]] = {
            "network": self.network.state_dict(),
            "target": self.policy.q_net_target.network.state_dict(),
            "optimiser": optimiser_tensors(self.policy.optimizer),
            "games": self.games.save_games(),
            "episodes": self.episodes.save(),
        }
        return RunState(
            table_of(parts) | {"curve": torch.tensor(self.curve, dtype=torch.float64)},
            {"rng": self.rng.bit_generator.state, "started": self.started, "added": self.replay.added},
        )

    def restore(self, state: RunState) -> None:
        """Go on from what `state` gave; the replay is restored by `replay_files.read_replay`."""
        self.network.load_state_dict(state.under("network"))
        self.policy.q_net_target.network.load_state_dict(state.under("target"))
        restore_optimiser(self.policy.optimizer, state.under("optimiser"))
        self.episodes.restore(state.arrays_under("episodes"))
        self.model._last_obs = self.games.restore_games(state.arrays_under("games")).transpose(0, 3, 1, 2)
        self.rng.bit_generator.state = state.facts["rng"]
        self.started = state.facts["started"]
        self.curve = rows_from(Round, state.tensors["curve"])

    def header(self) -> CheckpointHeader:
        """What the network's file says about it."""
        config = self.config
        return CheckpointHeader(
            architecture=config.network,
            options=config.network_options,
            environment={"game": config.game},
            training={
                "method": "DQN",
                "config": dataclasses.asdict(config),
                "frames": self.frames,
                "episodes": self.episodes.ended,
                "seconds": sum(row.seconds for row in self.curve),
            },
        )

    def close(self) -> None:
        """Free the games."""
        self.episodes.close()
