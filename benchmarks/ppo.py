"""Frames a second of PPO: against what its parts allow, and against plain Stable-Baselines3.

    python benchmarks/ppo.py [--device cpu] [--envs 32] [--steps 16] [--minibatches 4] [--seconds 120]

The parts, each measured alone: steps of the games with random actions; forward passes of the network over the games'
frames; optimiser steps on one minibatch that stays where it is. Plain Stable-Baselines3 is its `CnnPolicy` with the
same network, up to its hidden layer, as the features extractor, with its own buffer and reward normalisation. All play
the same game with the same numbers of frames, epochs and minibatches.

Bars: the whole loop at least 0.9 of its parts' sum, and at least 1.5 times plain Stable-Baselines3.
On a GPU ask for the sizes of a real run: --device cuda --envs 256 --steps 256 --widths 64 128 128.
"""

import argparse
from collections.abc import Callable, Sequence

import numpy as np
import torch
from gymnasium import spaces
from interleaved import interleave
from stable_baselines3 import PPO
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import VecNormalize

from procscope.activations.forward import to_input
from procscope.agents.networks.impala import Impala
from procscope.agents.ppo.config import PPOConfig
from procscope.agents.ppo.policy import NetworkPolicy
from procscope.agents.ppo.trainer import Trainer
from procscope.envs.sb3 import ProcgenVecEnv
from procscope.envs.vector import ProcgenVectorEnv
from procscope.workbench.memory import keep_freed_memory


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--envs", type=int, default=32)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--minibatches", type=int, default=4)
    parser.add_argument("--widths", type=int, nargs=3, default=(16, 32, 32))
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--seconds", type=float, default=120)
    options = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(options.threads)
    config = PPOConfig(
        envs=options.envs,
        rollout_steps=options.steps,
        minibatches=options.minibatches,
        network_options={"widths": list(options.widths)},
        variant=("cheese-top-right",),
        precision=options.precision,
        threads=options.threads,
    )
    trainer = Trainer(config, options.device)
    parts = {
        "environment steps alone": environment_steps(config),
        "forward passes alone": forward_passes(config, trainer),
        "updates alone": updates(config, trainer),
    }
    ways = parts | {
        "whole loop": waited_for(trainer.play_round),
        "plain Stable-Baselines3": waited_for(plain(config, options.device)),
    }
    rounds = interleave(ways, options.seconds, least_rounds=5)
    print(
        f"PPO, maze easy, IMPALA {tuple(options.widths)} on {options.device}, {config.envs} games x "
        f"{config.rollout_steps} steps, {config.epochs} epochs of {config.minibatches} minibatches; frames a second:"
    )
    for way in ways:
        print(f"  {rounds.rate(way, config.round_frames):>9,.0f}  {way}")
    for name, others, bar in (
        ("the whole loop against its parts", list(parts), 0.9),
        ("the whole loop against plain Stable-Baselines3", ["plain Stable-Baselines3"], 1.5),
    ):
        ratios = sum(rounds.seconds[other] for other in others) / rounds.seconds["whole loop"]
        low, median, high = np.quantile(ratios, [0.25, 0.5, 0.75])
        cpu_ratio = sum(rounds.cpu_seconds[other].sum() for other in others)
        cpu_ratio /= rounds.cpu_seconds["whole loop"].sum()
        print(f"{name}: {median:.3f}  ({low:.3f} to {high:.3f}), by CPU time {cpu_ratio:.3f}; bar {bar}")


def environment_steps(config: PPOConfig) -> Callable[[], None]:
    """A round's steps with random actions."""
    games = ProcgenVectorEnv(config.game, config.envs, variants=config.variant, final_obs=False)
    games.reset()
    actions = np.random.default_rng(0).integers(0, 15, (config.rollout_steps, config.envs))

    def play() -> None:
        for step in actions:
            games.step(step)

    return play


def forward_passes(config: PPOConfig, trainer: Trainer) -> Callable[[], None]:
    """A round's forward passes, over frames that stay the same, and one for the values after the last step."""
    policy = policy_of(trainer)
    frames = to_input(trainer.games.frames, policy.device)

    @torch.no_grad()
    def pass_frames() -> None:
        for _ in range(config.rollout_steps + 1):
            policy._forward(frames)

    return waited_for(pass_frames)


def updates(config: PPOConfig, trainer: Trainer) -> Callable[[], None]:
    """A round's optimiser steps, all on the same minibatch, at a learning rate of zero: nothing is learned."""
    policy = policy_of(trainer)
    repeats = -(-config.batch_size // config.envs)
    frames = trainer.games.frames.repeat(repeats, axis=0)[: config.batch_size]
    batch = to_input(frames, policy.device)
    optimiser = torch.optim.Adam(policy.network.parameters(), lr=0.0, fused=True)

    def update() -> None:
        for _ in range(config.epochs * config.minibatches):
            logits, values = policy._forward(batch)
            optimiser.zero_grad()
            (logits.log_softmax(dim=1)[:, 0].mean() + values.square().mean()).backward()
            torch.nn.utils.clip_grad_norm_(policy.network.parameters(), 0.5)
            optimiser.step()

    return waited_for(update)


def plain(config: PPOConfig, device: str) -> Callable[[], None]:
    """A round of Stable-Baselines3's own PPO."""
    games = ProcgenVecEnv(config.game, config.envs, variants=config.variant, final_obs=False)
    model = PPO(
        "CnnPolicy",
        VecNormalize(games, norm_obs=False, gamma=config.discount),
        learning_rate=config.learning_rate,
        n_steps=config.rollout_steps,
        batch_size=config.batch_size,
        n_epochs=config.epochs,
        gamma=config.discount,
        gae_lambda=config.gae_lambda,
        ent_coef=config.entropy_weight,
        policy_kwargs={
            "features_extractor_class": ImpalaFeatures,
            "features_extractor_kwargs": {"widths": config.network_options["widths"]},
            "net_arch": [],
            "normalize_images": False,  # the network divides by 255 itself
        },
        device=device,
    )
    model.set_logger(Logger(folder=None, output_formats=[]))
    callback = model._setup_learn(10**9)[1]

    def play_round() -> None:
        assert model.env is not None
        model.collect_rollouts(model.env, callback, model.rollout_buffer, model.n_steps)
        model.train()

    return play_round


class ImpalaFeatures(BaseFeaturesExtractor):
    """IMPALA up to its hidden layer, as Stable-Baselines3 wants to be given networks."""

    def __init__(self, observation_space: spaces.Space, widths: Sequence[int]) -> None:
        impala = Impala(widths)
        super().__init__(observation_space, impala.hidden)
        self.blocks = torch.nn.Sequential(impala.block1, impala.block2, impala.block3)
        self.weights_fc = impala.weights_fc

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Activations of the hidden layer."""
        return self.weights_fc(self.blocks(frames.float() / 255).relu().flatten(1)).relu()


def policy_of(trainer: Trainer) -> NetworkPolicy:
    """The trainer's policy by its own type."""
    policy = trainer.model.policy
    assert isinstance(policy, NetworkPolicy)
    return policy


def waited_for(work: Callable[[], object]) -> Callable[[], None]:
    """The same work, over when the GPU is done with it."""

    def whole() -> None:
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    return whole


if __name__ == "__main__":
    main()
