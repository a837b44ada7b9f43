"""Imitation: train a policy to do what an expert does, first on static frames, then on its own states.

A run is a directory. Each *round* makes a few thousand labelled frames (`imitation_data`), learns from each once
and is committed whole to `trainer.safetensors`: weights, optimiser, places to remember. A round depends on the
config and its number only, so a run killed at any moment goes on with the same command as if nothing had
happened. `network.safetensors` holds the weights reached so far, `curve.csv` a line a round, `losses.csv` the
loss of every optimiser step.

Cost on one core, IMPALA (16, 32, 32): 350 frames/s of learning, a fifth of the time again for making frames.
"""

import csv
import dataclasses
import io
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool
from safetensors import safe_open
from safetensors.torch import save
from tqdm import tqdm

from procscope.activations.forward import to_input
from procscope.agents.experts.shortest_path import expert_values
from procscope.agents.imitation_config import ImitationConfig
from procscope.agents.imitation_data import (
    Places,
    Samples,
    concatenate,
    own_samples,
    remembered_samples,
    static_samples,
)
from procscope.envs.engine import Engine, EngineOptions
from procscope.envs.variants import resolve_variants
from procscope.envs.vector import ProcgenVectorEnv
from procscope.workbench.atomic import write_bytes_atomically
from procscope.workbench.checkpoint_header import CheckpointHeader
from procscope.workbench.checkpoints import load_network, save_checkpoint
from procscope.workbench.memory import keep_freed_memory
from procscope.workbench.plugins import load

_STATIC, _OWN, _SHUFFLE, _REMEMBER = range(4)


class RoundResult(NamedTuple):
    """One line of `curve.csv`."""

    round: int
    frames: int
    """Frames learned from so far, this round included."""
    loss: float
    """Mean cross-entropy of the action."""
    accuracy: float
    """Share of frames on which the network's most probable action was the expert's, before learning from them."""
    own_accuracy: float
    """The same on its own new states alone; 0 in rounds without."""
    value_error: float
    """Root mean squared error of the value."""
    seconds: float
    """Wall time of the round."""


@dataclasses.dataclass
class Trainer:
    """A run in progress: everything that the next round depends on."""

    config: ImitationConfig
    network: torch.nn.Module
    optimiser: torch.optim.AdamW
    places: Places
    curve: list[RoundResult]
    losses: list[float]

    @classmethod
    def start(cls, config: ImitationConfig) -> "Trainer":
        """A run before its first round. The global random state is left as it was."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            network = load("procscope.architectures", config.network)(**config.network_options)
        if config.start_from is not None:
            _copy_weights(load_network(config.start_from).network, network, config.start_from)
        network = network.to(memory_format=torch.channels_last)
        optimiser = torch.optim.AdamW(
            network.parameters(), lr=config.peak_learning_rate, weight_decay=config.weight_decay, fused=True
        )
        return cls(config, network, optimiser, Places.none(), [], [])

    def round_samples(self, number: int, engine: Engine) -> tuple[Samples, Bool[np.ndarray, "frame"]]:
        """The frames of a round in the order of learning, and which of them are new states of its own."""
        config = self.config
        variants = resolve_variants(config.variant, config.game)
        variant_seed = round_seed(config.seed, number)
        seeds = range(*config.level_seeds)
        own, remembered = concatenate([]), concatenate([])
        if number >= round(config.static_rounds * config.rounds):
            memory = np.random.default_rng((config.seed, number, _REMEMBER))
            known = len(self.places.level_seeds)
            chosen = memory.choice(
                known, size=min(known, round(config.remembered_share * config.round_frames)), replace=False
            )
            remembered = remembered_samples(self.places.take(chosen), engine, variants)
            environment = ProcgenVectorEnv(
                config.game,
                config.own_games,
                mode=config.mode,
                variants=config.variant,
                level_seeds=seeds,
                seed=variant_seed,
                variant_seed=variant_seed,
                num_threads=config.threads,
                labels=True,
                final_obs=False,
                copy=False,
            )
            own, places = own_samples(
                round(config.own_share * config.round_frames),
                self.network,
                environment,
                variant_seed,
                np.random.default_rng((config.seed, number, _OWN)),
            )
            environment.close()
            self.places = Places(*(np.concatenate(both) for both in zip(self.places, places, strict=True)))
        static = static_samples(
            config.round_frames - len(own.actions) - len(remembered.actions),
            engine,
            variants,
            seeds,
            variant_seed,
            np.random.default_rng((config.seed, number, _STATIC)),
        )
        together = concatenate([own, remembered, static])
        order = np.random.default_rng((config.seed, number, _SHUFFLE)).permutation(config.round_frames)
        is_own = order < len(own.actions)
        return Samples(*(column[order] for column in together)), is_own

    def play_round(self, engine: Engine, progress: tqdm, batches: int | None = None) -> None:
        """Make one round's frames and learn from each of them once, or from the first `batches` only."""
        config, number, started = self.config, len(self.curve), time.monotonic()
        samples, is_own = self.round_samples(number, engine)
        values = expert_values(samples.steps_to_goal, config.discount)
        self.network.train()
        parameters = list(self.network.parameters())
        losses, hits, value_errors = [], [], []
        for batch in range(config.batches_per_round if batches is None else batches):
            part = slice(batch * config.batch_size, (batch + 1) * config.batch_size)
            for group in self.optimiser.param_groups:
                group["lr"] = config.learning_rate(number * config.batches_per_round + batch)
            output = self.network(to_input(samples.frames[part]))
            actions = torch.from_numpy(samples.actions[part])
            action_loss = torch.nn.functional.cross_entropy(output.logits, actions)
            value_loss = torch.nn.functional.mse_loss(output.value, torch.from_numpy(values[part]))
            self.optimiser.zero_grad()
            (action_loss + config.value_weight * value_loss).backward()
            torch.nn.utils.clip_grad_norm_(parameters, config.max_gradient_norm)
            self.optimiser.step()
            losses.append(action_loss.item())
            hits.append((output.logits.argmax(dim=1) == actions).numpy())
            value_errors.append(value_loss.item())
            progress.update(config.batch_size)
            if batch % 16 == 0:
                progress.set_postfix(loss=f"{np.mean(losses[-16:]):.3f}", refresh=False)
        hit = np.concatenate(hits)
        is_own = is_own[: len(hit)]
        self.losses += losses
        self.curve.append(
            RoundResult(
                round=number,
                frames=(number + 1) * config.round_frames,
                loss=float(np.mean(losses)),
                accuracy=float(hit.mean()),
                own_accuracy=float(hit[is_own].mean()) if is_own.any() else 0.0,
                value_error=float(np.sqrt(np.mean(value_errors))),
                seconds=time.monotonic() - started,
            )
        )

    def header(self) -> CheckpointHeader:
        """What the network's file says about it."""
        config = self.config
        return CheckpointHeader(
            architecture=config.network,
            options=config.network_options,
            environment={"game": config.game, "mode": config.mode},
            variant=config.variant,
            level_seeds=config.level_seeds,
            training={
                "method": "imitation of shortest paths with DAgger",
                "config": dataclasses.asdict(config),
                "frames": len(self.curve) * config.round_frames,
                "seconds": sum(result.seconds for result in self.curve),
                "first_losses": self.losses[:100],
            },
        )


def train_imitation(
    config: ImitationConfig,
    directory: Path,
    max_minutes: float = float("inf"),
    max_rounds: int | None = None,
) -> Path:
    """Train, or go on training, in `directory`; returns the path of `network.safetensors`.

    Stops after the round in which `max_minutes` are over, or after `max_rounds` rounds in all, at whatever
    learning rate the schedule has reached; the same call goes on from there.
    Raises ValueError if `directory` holds a run with another config, or `start_from` another network.
    """
    rounds = config.rounds if max_rounds is None else min(max_rounds, config.rounds)
    keep_freed_memory()
    torch.set_num_threads(config.threads)
    trainer = read_trainer(config, directory) or Trainer.start(config)
    engine = _level_engine(config)
    directory.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    total = rounds * config.round_frames
    done = len(trainer.curve) * config.round_frames
    with tqdm(total=total, initial=done, unit="frame", unit_scale=True, mininterval=5) as progress:
        while len(trainer.curve) < rounds and time.monotonic() - started < max_minutes * 60:
            trainer.play_round(engine, progress)
            write_trainer(trainer, directory)
    engine.close()
    return directory / "network.safetensors"


def first_losses(config: ImitationConfig, n: int = 100) -> list[float]:
    """The losses of a run's first `n` optimiser steps: the same for the same config on the same kind of machine.

    Raises ValueError if the first round has fewer steps.
    """
    if not 1 <= n <= config.batches_per_round:
        raise ValueError(f"n must be from 1 to the {config.batches_per_round} steps of a round; given: {n}")
    keep_freed_memory()
    torch.set_num_threads(config.threads)
    trainer, engine = Trainer.start(config), _level_engine(config)
    with tqdm(total=n * config.batch_size, unit="frame", unit_scale=True) as progress:
        trainer.play_round(engine, progress, batches=n)
    engine.close()
    return trainer.losses


def _copy_weights(source: torch.nn.Module, target: torch.nn.Module, name: str) -> None:
    try:
        target.load_state_dict(source.state_dict())
    except RuntimeError as error:
        first = " ".join(str(error).splitlines()[:2])  # it has a line for every tensor
        raise ValueError(
            f"start_from must be a network like the one to train; {name} is another. {first}"
        ) from error


def _level_engine(config: ImitationConfig) -> Engine:
    """The engine that makes levels and draws frames."""
    return Engine(
        EngineOptions(
            config.game,
            config.mode,
            num_envs=64,
            level_seeds=range(*config.level_seeds),
            num_threads=config.threads,
        )
    )


def round_seed(seed: int, number: int) -> int:
    """A round's seed for level variants: the same run never gives two rounds the same one."""
    return seed * 1_000_003 + number


def write_trainer(trainer: Trainer, directory: Path) -> None:
    """Commit a finished round: one atomic file decides, the others are made from it."""
    tensors: dict[str, torch.Tensor] = {}
    for name, tensor in trainer.network.state_dict().items():
        tensors[f"network.{name}"] = tensor.contiguous()
    for index, state in trainer.optimiser.state_dict()["state"].items():
        for key, tensor in state.items():
            tensors[f"optimiser.{index}.{key}"] = tensor.contiguous()
    for name, column in trainer.places._asdict().items():
        tensors[f"places.{name}"] = torch.from_numpy(np.ascontiguousarray(column))
    tensors["losses"] = torch.tensor(trainer.losses, dtype=torch.float64)
    tensors["curve"] = torch.tensor(trainer.curve, dtype=torch.float64)
    metadata = {"config": json.dumps(dataclasses.asdict(trainer.config), sort_keys=True)}
    write_bytes_atomically(directory / "trainer.safetensors", save(tensors, metadata))
    save_checkpoint(directory / "network.safetensors", trainer.network, trainer.header())
    write_bytes_atomically(directory / "curve.csv", _csv(RoundResult._fields, trainer.curve))
    write_bytes_atomically(directory / "losses.csv", _csv(("loss",), [(loss,) for loss in trainer.losses]))


def read_trainer(config: ImitationConfig, directory: Path) -> Trainer | None:
    """The run that `directory` holds after its last finished round; None if it holds none."""
    path = directory / "trainer.safetensors"
    if not path.exists():
        return None
    with safe_open(path, framework="pt") as file:
        found = json.loads((file.metadata() or {})["config"])
        wanted = json.loads(json.dumps(dataclasses.asdict(config)))
        differing = {key: (found.get(key), wanted[key]) for key in wanted if found.get(key) != wanted[key]}
        if differing:
            raise ValueError(
                f"{directory} holds a run with another config; (found, asked for) differ in {differing}. "
                "Give the run a directory of its own, or repeat the options it was started with"
            )
        tensors: dict[str, torch.Tensor] = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    trainer = Trainer.start(config)
    trainer.network.load_state_dict(_under("network.", tensors))
    state: dict[int, dict[str, Any]] = {}
    for key, tensor in _under("optimiser.", tensors).items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = tensor
    groups = trainer.optimiser.state_dict()["param_groups"]
    trainer.optimiser.load_state_dict({"state": state, "param_groups": groups})
    for parameter, moments in trainer.optimiser.state.items():
        for name in ("exp_avg", "exp_avg_sq"):
            # In the parameter's memory format, which the file does not keep.
            moments[name] = torch.empty_like(parameter).copy_(moments[name])
    trainer.places = Places(**{key: value.numpy() for key, value in _under("places.", tensors).items()})
    trainer.losses = tensors["losses"].tolist()
    trainer.curve = [RoundResult(int(row[0]), int(row[1]), *row[2:]) for row in tensors["curve"].tolist()]
    return trainer


def _under(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}


def _csv(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()
