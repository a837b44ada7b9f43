"""One run of PPO in memory: network, optimiser and games, and the round that they go through next.

When: through `train_ppo` (`training.py`), which keeps a run on disk.

A *round* plays every game for some steps, then learns from all of them. Between rounds nothing is pending, so what
`state` gives is all that the rest of the run depends on.
"""

import dataclasses
import time
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.utils import LinearSchedule

from procscope.agents.ppo.config import PPOConfig
from procscope.agents.ppo.policy import NetworkPolicy
from procscope.agents.ppo.rewards import ScaledRewards
from procscope.agents.ppo.rollouts import PictureRollouts
from procscope.agents.recent_episodes import RecentEpisodes
from procscope.agents.run_state import RunState, optimiser_tensors, restore_optimiser, rows_from, table_of
from procscope.agents.starting_weights import starting_network
from procscope.envs.sb3 import ProcgenVecEnv
from procscope.envs.vector import ProcgenVectorEnv
from procscope.workbench.checkpoint_header import CheckpointHeader
from procscope.workbench.devices import choose_device


class Round(NamedTuple):
    """One line of `curve.csv`."""

    round: int
    frames: int
    """Frames learned from so far, this round included."""
    episodes: int
    """Episodes ended so far."""
    success: float
    """Share of the last 256 episodes that ended with a reward; NaN before the first has ended."""
    mean_return: float
    """Their mean sum of rewards."""
    mean_steps: float
    """Their mean length."""
    policy_loss: float
    value_loss: float
    entropy: float
    """Of the policy, in nats."""
    kl: float
    """From the policy that played to the one that learned, in nats, estimated on the last pass."""
    clipped: float
    """Share of frames whose probability ratio was beyond the clip."""
    explained_variance: float
    """Of the returns, by the values predicted before learning."""
    learning_rate: float
    seconds: float
    """Wall time of the round."""


class Trainer:
    """A run in progress."""

    def __init__(self, config: PPOConfig, device: str = "cpu") -> None:
        """A run before its first round. The global random states are left as they were.

        Raises ValueError: a device that is not there, or a network that is not fit for PPO.
        """
        self.config, self.curve, self.started = config, list[Round](), time.time()
        self.rng = np.random.default_rng(config.seed)
        self.games = ProcgenVectorEnv(
            config.game,
            config.envs,
            mode=config.mode,
            variants=config.variant,
            level_seeds=range(*config.level_seeds),
            seed=config.seed,
            variant_seed=config.seed,
            final_obs=False,
            **config.engine_options,
        )
        self.episodes = RecentEpisodes(ProcgenVecEnv(self.games))
        self.rewards = ScaledRewards(self.episodes, config.discount) if config.scale_rewards else None
        chosen = choose_device(device)
        network = starting_network(config.network, config.network_options, config.seed, config.start_from)
        rate = config.learning_rate
        self.model = PPO(
            cast(Any, NetworkPolicy),  # it has what PPO calls, without the parts of their actor-critic
            self.rewards or self.episodes,
            learning_rate=LinearSchedule(rate, 0.0, 1.0) if config.anneal else rate,
            n_steps=config.rollout_steps,
            batch_size=config.batch_size,
            n_epochs=config.epochs,
            gamma=config.discount,
            gae_lambda=config.gae_lambda,
            clip_range=config.clip,
            ent_coef=config.entropy_weight,
            vf_coef=config.value_weight,
            max_grad_norm=config.max_gradient_norm,
            rollout_buffer_class=PictureRollouts,
            rollout_buffer_kwargs={"rng": self.rng},
            policy_kwargs={
                "network": network.to(chosen),
                "rng": self.rng,
                "bfloat16": _in_bfloat16(config.precision, chosen),
                "compiled": chosen.type == "cuda",
            },
            device=chosen,
        )
        self.model.set_logger(Logger(folder=None, output_formats=[]))
        self._callback = cast(BaseCallback, self.model._setup_learn(config.steps)[1])  # this resets the games

    @property
    def network(self) -> torch.nn.Module:
        """The network that is trained."""
        return cast(NetworkPolicy, self.model.policy).network

    @property
    def frames(self) -> int:
        """Frames learned from so far."""
        return len(self.curve) * self.config.round_frames

    def play_round(self) -> Round:
        """Play and learn from one round; gives its line of the curve."""
        started, model = time.monotonic(), self.model
        assert model.env is not None
        model.collect_rollouts(model.env, self._callback, model.rollout_buffer, model.n_steps)
        model._update_current_progress_remaining(self.frames, self.config.rounds * self.config.round_frames)
        model.train()
        found = model.logger.name_to_value
        self.curve.append(
            Round(
                round=len(self.curve),
                frames=self.frames + self.config.round_frames,
                episodes=self.episodes.ended,
                success=self.episodes.success,
                mean_return=self.episodes.mean_return,
                mean_steps=self.episodes.mean_steps,
                policy_loss=float(found["train/policy_gradient_loss"]),
                value_loss=float(found["train/value_loss"]),
                entropy=-float(found["train/entropy_loss"]),
                kl=float(found["train/approx_kl"]),
                clipped=float(found["train/clip_fraction"]),
                explained_variance=float(found["train/explained_variance"]),
                learning_rate=float(found["train/learning_rate"]),
                seconds=time.monotonic() - started,
            )
        )
        model.logger.name_to_value.clear()
        return self.curve[-1]

    def state(self) -> RunState:
        """All that the rest of the run depends on."""
        parts: dict[str, dict[str, Any]] = {
            "network": self.network.state_dict(),
            "optimiser": optimiser_tensors(self.model.policy.optimizer),
            "games": self.games.save_games(),
            "episodes": self.episodes.save(),
            "rewards": self.rewards.save() if self.rewards else {},
            "last": {"starts": self.model._last_episode_starts},
        }
        return RunState(
            table_of(parts) | {"curve": torch.tensor(self.curve, dtype=torch.float64)},
            {"rng": self.rng.bit_generator.state, "started": self.started},
        )

    def restore(self, state: RunState) -> None:
        """Go on from what `state` gave."""
        model = self.model
        self.network.load_state_dict(state.under("network"))
        restore_optimiser(model.policy.optimizer, state.under("optimiser"))
        self.episodes.restore(state.arrays_under("episodes"))
        if self.rewards:
            self.rewards.restore(state.arrays_under("rewards"))
        frames = self.games.restore_games(state.arrays_under("games"))
        model._last_obs = frames.transpose(0, 3, 1, 2)
        model._last_episode_starts = state.arrays_under("last")["starts"].astype(bool)
        self.rng.bit_generator.state = state.facts["rng"]
        self.started = state.facts["started"]
        self.curve = rows_from(Round, state.tensors["curve"])
        model.num_timesteps, model._n_updates = self.frames, len(self.curve) * self.config.epochs

    def header(self) -> CheckpointHeader:
        """What the network's file says about it."""
        config = self.config
        return CheckpointHeader(
            architecture=config.network,
            options=config.network_options,
            environment={"game": config.game, "mode": config.mode, **config.engine_options},
            variant=config.variant,
            level_seeds=config.level_seeds,
            training={
                "method": "PPO",
                "config": dataclasses.asdict(config),
                "frames": self.frames,
                "seconds": sum(row.seconds for row in self.curve),
            },
        )

    def close(self) -> None:
        """Free the games."""
        self.games.close()


def _in_bfloat16(precision: str, device: torch.device) -> bool:
    """On CUDA tensor cores make it several times faster; many CPUs only emulate it, and are slower for it."""
    return precision == "bfloat16" or (precision == "auto" and device.type == "cuda")
