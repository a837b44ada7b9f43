"""One run of imitation in memory: the network, its optimiser, and the round that both go through next.

When: through `train_imitation` (`training.py`), which keeps a run on disk.

Cost on one core, IMPALA (16, 32, 32): 350 frames/s of learning, beside making the samples.
"""

import dataclasses
import time
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool
from tqdm import tqdm

from procscope.activations.forward import to_input
from procscope.agents.experts.advice import expert_values
from procscope.agents.imitation.config import ImitationConfig
from procscope.agents.imitation.samples import Samples, Source, concatenate
from procscope.agents.imitation.sources import METHODS, make_source
from procscope.workbench.checkpoint_header import CheckpointHeader
from procscope.workbench.checkpoints import load_network
from procscope.workbench.plugins import load

_SHUFFLE = 2
"""Chance of a round's order is drawn apart from that of its samples."""


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
    source: Source
    curve: list[RoundResult]
    losses: list[float]

    @classmethod
    def start(cls, config: ImitationConfig, workers: int = 1) -> "Trainer":
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
        return cls(config, network, optimiser, make_source(config, workers), [], [])

    def round_samples(self, number: int) -> tuple[Samples, Bool[np.ndarray, "frame"]]:
        """The frames of a round in the order of learning, and which of them are new states of its own."""
        own, others = self.source.samples(number, self.network)
        n = len(own.actions) + len(others.actions)
        order = np.random.default_rng((self.config.seed, number, _SHUFFLE)).permutation(n)
        return Samples(*(column[order] for column in concatenate([own, others]))), order < len(own.actions)

    def play_round(self, progress: tqdm, batches: int | None = None) -> None:
        """Make one round's frames and learn from each of them once, or from the first `batches` only."""
        config, number, started = self.config, len(self.curve), time.monotonic()
        samples, is_own = self.round_samples(number)
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


def _copy_weights(source: torch.nn.Module, target: torch.nn.Module, name: str) -> None:
    try:
        target.load_state_dict(source.state_dict())
    except RuntimeError as error:
        first = " ".join(str(error).splitlines()[:2])  # it has a line for every tensor
        raise ValueError(
            f"start_from must be a network like the one to train; {name} is another. {first}"
        ) from error
