"""Train a reward network on transitions, in a directory that a stopped training goes on from.

    train_reward(RewardConfig(network_options={"width": 1 / 16}, epochs=15), data, Path("training/coinrun-reward"))

A commit is made after every epoch, at the deadline, and every some minutes within an epoch. What follows depends on the
last commit alone, so that a training killed at any moment ends in the same weights.
"""

import time
from dataclasses import asdict
from pathlib import Path

import torch
from tqdm import tqdm

from procscope.agents.run_state import (
    RunState,
    optimiser_tensors,
    read_state,
    restore_optimiser,
    rows_from,
    table_of,
    write_curve,
    write_state,
)
from procscope.rewardnets.config import RewardConfig
from procscope.rewardnets.splits import Split
from procscope.rewardnets.trainer import EpochResult, RewardTrainer
from procscope.rewardnets.transitions import Transitions
from procscope.workbench.blocks import BlockStore
from procscope.workbench.checkpoint_header import CheckpointHeader
from procscope.workbench.checkpoints import save_checkpoint
from procscope.workbench.memory import keep_freed_memory

MINUTES_BETWEEN_COMMITS = 2.0

ARCHITECTURE = "reward-network"
"""Name under `procscope.architectures`."""


def train_reward(
    config: RewardConfig, data: Transitions, directory: Path, max_minutes: float = float("inf")
) -> Path:
    """Train, or go on training, in `directory`; returns the path of `network.safetensors`.

    Stops at the end, or when `max_minutes` are over; the same call goes on from there.
    Raises ValueError if `directory` holds a training with another config or other transitions, or if a side of the data
    has no transitions or all rewards alike.
    """
    keep_freed_memory()
    torch.set_num_threads(config.threads)
    directory.mkdir(parents=True, exist_ok=True)
    trainer = _read(config, data, directory) or RewardTrainer.start(config, data)
    begun = time.monotonic()
    deadline = begun + max_minutes * 60
    per_epoch = int(data.of(Split.TRAIN).sum())
    done = len(trainer.curve) * per_epoch + trainer.step_in_epoch * config.batch_size
    with tqdm(
        total=config.epochs * per_epoch,
        initial=done,
        unit="transition",
        unit_scale=True,
        mininterval=5,
    ) as progress:
        while not trainer.is_finished and time.monotonic() < deadline:
            commit_at = min(deadline, time.monotonic() + MINUTES_BETWEEN_COMMITS * 60)
            trainer.train(commit_at, progress)
            _write(trainer, directory)
    if not trainer.losses:
        _write(trainer, directory)
    return directory / "network.safetensors"


def data_hash(data: Transitions) -> str:
    """SHA-256 of a data set's contents: what tells a training that it goes on with the same transitions."""
    return BlockStore(Path(data.cache.path) / "blocks").contents_hash()


def _write(trainer: RewardTrainer, directory: Path) -> None:
    """Commit: one atomic file decides, the others are made from it."""
    parts = {
        "network": trainer.network.state_dict(),
        "optimiser": optimiser_tensors(trainer.optimiser),
        "best": trainer.best,
    }
    tensors = table_of(parts)
    tensors["losses"] = torch.tensor(trainer.losses, dtype=torch.float64)
    tensors["curve"] = torch.tensor(trainer.curve, dtype=torch.float64).reshape(-1, len(EpochResult._fields))
    facts = {"step_in_epoch": trainer.step_in_epoch, "seconds": trainer.seconds}
    write_state(directory, trainer.config, RunState(tensors, facts))
    save_checkpoint(directory / "network.safetensors", trainer.chosen_weights(), header_of(trainer))
    spent = sum(result.seconds for result in trainer.curve) + trainer.seconds
    write_curve(directory, trainer.curve, started=time.time() - spent)


def _read(config: RewardConfig, data: Transitions, directory: Path) -> RewardTrainer | None:
    state = read_state(directory, config)
    if state is None:
        return None
    trainer = RewardTrainer.start(config, data)
    trainer.network.load_state_dict(state.under("network"))
    restore_optimiser(trainer.optimiser, state.under("optimiser"))
    trainer.best = state.under("best")
    trainer.losses = state.tensors["losses"].tolist()
    trainer.curve = rows_from(EpochResult, state.tensors["curve"])
    trainer.step_in_epoch, trainer.seconds = state.facts["step_in_epoch"], state.facts["seconds"]
    return trainer


def header_of(trainer: RewardTrainer) -> CheckpointHeader:
    """What the network's file says about it."""
    config, source = trainer.config, trainer.data.cache.source
    environment = source["environment"]
    return CheckpointHeader(
        architecture=ARCHITECTURE,
        options=config.network_options,
        environment={
            "game": environment["game"],
            "mode": environment["mode"],
            **environment["engine_options"],
        },
        variant=tuple(environment["variants"]),
        level_seeds=tuple(environment["level_seeds"]),
        training={
            "method": "regression of the reward on transitions",
            "config": asdict(config),
            "transitions": {
                "actor": source["actor"],
                "sampling": source["sampling"],
                "seed": source["seed"],
                "n": len(trainer.data),
                "counts": trainer.data.cache.counts,
            },
            "epochs": len(trainer.curve),
            "frames": trainer.curve[-1].frames if trainer.curve else 0,
            "seconds": sum(result.seconds for result in trainer.curve) + trainer.seconds,
            "first_losses": trainer.losses[:100],
        },
    )
