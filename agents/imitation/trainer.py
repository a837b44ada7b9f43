"""One run of imitation in memory: the network, its optimiser, and the round that both go through next.

When: through `train_imitation` (`training.py`), which keeps a run on disk.

Cost on one core, IMPALA (16, 32, 32): 350 frames/s of learning, beside making the samples.
"""

import dataclasses
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from procscope.agents.imitation.config import ImitationConfig
from procscope.agents.imitation.lessons import Lesson, frame_lessons
from procscope.agents.imitation.samples import Source
from procscope.agents.imitation.sequence_lessons import sequence_lessons
from procscope.agents.imitation.sequences import Sequences
from procscope.agents.imitation.sources import METHODS, make_source
from procscope.agents.networks.batch_norm import BatchNormalised
from procscope.workbench.checkpoint_header import CheckpointHeader
from procscope.workbench.checkpoints import load_network
from procscope.workbench.plugins import load


class RoundResult(NamedTuple):
    """One line of `curve.csv`."""

    round: int
    frames: int
    """Frames learned from so far, this round included."""
    loss: float
    """Mean loss of the action: its cross-entropy, and what the policy is expected to lose where that is known."""
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
    source: Source
    curve: list[RoundResult]
    losses: list[float]

    @classmethod
    def start(cls, config: ImitationConfig, workers: int = 1) -> "Trainer":
        """A run before its first round. The global random state is left as it was."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            network: Any = load("procscope.architectures", config.network)(**config.network_options)
        if config.start_from is not None:
            _copy_weights(load_network(config.start_from).network, network, config.start_from)
        if config.batch_norm:
            network = BatchNormalised(network)
        network = network.to(memory_format=torch.channels_last)
        optimiser = torch.optim.AdamW(
            network.parameters(), lr=config.peak_learning_rate, weight_decay=config.weight_decay, fused=True
        )
        return cls(config, network, optimiser, make_source(config, workers), [], [])

    @property
    def policy(self) -> torch.nn.Module:
        """The network as it is written and plays: without batch normalisation."""
        return self.network.folded() if isinstance(self.network, BatchNormalised) else self.network

    def lessons(self, number: int) -> Iterator[Lesson]:
        """The optimiser steps of a round: each is run through the network, as it is then, when it is asked for."""
        made = self.source.samples(number, self.policy)
        if isinstance(made, Sequences):
            return sequence_lessons(self.config, self.network, made, number)
        return frame_lessons(self.config, self.network, made, number)

    def play_round(self, progress: tqdm, batches: int | None = None) -> None:
        """Make one round's frames and learn from each of them once, or from the first `batches` only."""
        config, number, started = self.config, len(self.curve), time.monotonic()
        parameters = list(self.network.parameters())
        losses, hits, is_own, value_errors = [], [], [], []
        for batch, lesson in enumerate(islice(self.lessons(number), batches)):
            for group in self.optimiser.param_groups:
                group["lr"] = config.learning_rate(number * config.batches_per_round + batch)
            actions = torch.from_numpy(lesson.actions)
            regrets = None if lesson.regrets is None else torch.from_numpy(lesson.regrets)
            loss = action_loss(config, lesson.logits, actions, regrets)
            value_loss = functional.mse_loss(lesson.value, torch.from_numpy(lesson.returns))
            self.optimiser.zero_grad()
            (loss + config.value_weight * value_loss).backward()
            torch.nn.utils.clip_grad_norm_(parameters, config.max_gradient_norm)
            self.optimiser.step()
            losses.append(loss.item())
            hits.append((lesson.logits.argmax(dim=1) == actions).numpy())
            is_own.append(lesson.is_own)
            value_errors.append(value_loss.item())
            progress.update(config.batch_size)
            if batch % 16 == 0:
                progress.set_postfix(loss=f"{np.mean(losses[-16:]):.3f}", refresh=False)
        hit, own = np.concatenate(hits), np.concatenate(is_own)
        self.losses += losses
        self.curve.append(
            RoundResult(
                round=number,
                frames=(number + 1) * config.round_frames,
                loss=float(np.mean(losses)),
                accuracy=float(hit.mean()),
                own_accuracy=float(hit[own].mean()) if own.any() else 0.0,
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
            environment={"game": config.game, "mode": config.mode, **config.engine_options},
            variant=config.variant,
            level_seeds=config.level_seeds,
            training={
                "method": METHODS[config.game],
                "config": dataclasses.asdict(config),
                "frames": len(self.curve) * config.round_frames,
                "seconds": sum(result.seconds for result in self.curve),
                "first_losses": self.losses[:100],
            },
        )


def action_loss(
    config: ImitationConfig, logits: Tensor, actions: Tensor, regrets: Tensor | None
) -> Float[Tensor, ""]:
    """How far the policy is from the expert.

    The cross-entropy of the expert's action; where it is known what every action would lose, that of a distribution
    which favours those that lose little, and what the policy is expected to lose.
    """
    if regrets is None:
        return functional.cross_entropy(logits, actions)
    regrets = regrets / 255
    entropy = functional.cross_entropy(logits, (-regrets / config.temperature).softmax(dim=1))
    loss = (logits.softmax(dim=1) * regrets).sum(dim=1).mean()
    return entropy + config.regret_weight * loss


def _copy_weights(source: torch.nn.Module, target: torch.nn.Module, name: str) -> None:
    try:
        target.load_state_dict(source.state_dict())
    except RuntimeError as error:
        first = " ".join(str(error).splitlines()[:2])  # it has a line for every tensor
        raise ValueError(
            f"start_from must be a network like the one to train; {name} is another. {first}"
        ) from error
