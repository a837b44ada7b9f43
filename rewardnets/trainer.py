"""One training of a reward network in memory: the network, its optimiser, and the next step of both.

When: through `train_reward` (`training.py`), which keeps a training on disk.

Cost on one core: 36 transitions/s at width 1/8, 186 at 1/16, four times that with `shrink=2`.

Axes: `transition` of a batch.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from tqdm import tqdm

from procscope.rewardnets.config import RewardConfig
from procscope.rewardnets.network import RewardNetwork
from procscope.rewardnets.scores import predictions
from procscope.rewardnets.splits import Split
from procscope.rewardnets.transitions import TransitionBatch, Transitions
from procscope.workbench.devices import choose_device


class EpochResult(NamedTuple):
    """One line of `curve.csv`."""

    epoch: int
    frames: int
    """Transitions learned from so far."""
    loss: float
    """Mean squared error on the training transitions, each before it was learned from."""
    validation_loss: float
    floor: float
    """The validation loss of always guessing the mean training reward."""
    correlation: float
    """Of predicted and true rewards of the validation transitions; 0 where all predictions are alike."""
    seconds: float


@dataclass
class RewardTrainer:
    """A training in progress: everything that the next step depends on."""

    config: RewardConfig
    data: Transitions
    network: nn.Module
    optimiser: torch.optim.Adam
    curve: list[EpochResult] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    """Of every optimiser step."""
    best: dict[str, Tensor] = field(default_factory=dict)
    """Weights after the epoch with the lowest validation loss."""
    step_in_epoch: int = 0
    seconds: float = 0.0
    """Spent on the epoch so far."""
    _rest: Iterator[TransitionBatch] | None = field(default=None, init=False, repr=False)
    """What is left of the epoch, where it was begun in this process."""

    @classmethod
    def start(cls, config: RewardConfig, data: Transitions) -> "RewardTrainer":
        """A training before its first step. The global random state is left as it was."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            network: Any = RewardNetwork(**config.network_options)
            with torch.no_grad():
                network.head.bias.fill_(float(data.rewards[data.of(Split.TRAIN)].mean()))
        network = network.to(choose_device(config.device), memory_format=torch.channels_last)
        optimiser = torch.optim.Adam(network.parameters(), lr=config.learning_rate, fused=True)
        return cls(config, data, network, optimiser)

    @property
    def steps_per_epoch(self) -> int:
        return math.ceil(int(self.data.of(Split.TRAIN).sum()) / self.config.batch_size)

    @property
    def is_finished(self) -> bool:
        """Whether all epochs are over, or patience is."""
        patience = self.config.patience
        if len(self.curve) >= self.config.epochs:
            return True
        return patience is not None and len(self.curve) - 1 - self.best_epoch >= patience

    @property
    def best_epoch(self) -> int:
        """The epoch with the lowest validation loss, -1 before the first is over."""
        return min(range(len(self.curve)), key=lambda epoch: self.curve[epoch].validation_loss, default=-1)

    def train(self, deadline: float, progress: tqdm) -> None:
        """Go on with the epoch until it is over or the clock (`time.monotonic`) passes the deadline."""
        started = time.monotonic()
        if self._rest is None:
            order = int(np.random.SeedSequence([self.config.seed, len(self.curve)]).generate_state(1)[0])
            batches = self.data.batches(Split.TRAIN, self.config.batch_size, shuffle=order)
            self._rest = islice(batches, self.step_in_epoch, None)
        for batch in self._rest:
            self.losses.append(self.step(batch))
            self.step_in_epoch += 1
            progress.update(len(batch.rewards))
            progress.set_postfix(loss=f"{np.mean(self.losses[-50:]):.3f}", refresh=False)
            if time.monotonic() > deadline:
                break
        self.seconds += time.monotonic() - started
        if self.step_in_epoch == self.steps_per_epoch:
            self.finish_epoch()

    def step(self, batch: TransitionBatch) -> float:
        """Learn from some transitions once; returns their mean squared error before that."""
        device = next(self.network.parameters()).device
        pairs = torch.from_numpy(batch.pairs).permute(0, 3, 1, 2).to(device)
        actions = torch.from_numpy(batch.actions).long().to(device)
        rewards = torch.from_numpy(batch.rewards).float().to(device)
        loss = taken_loss(self.network(pairs).rewards, actions, rewards)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return loss.item()

    def finish_epoch(self) -> None:
        """Judge the epoch that is over on the validation transitions and add it to the curve."""
        started = time.monotonic()
        predicted = predictions(self.network, self.data, Split.VALIDATION)
        rewards = self.data.rewards[self.data.of(Split.VALIDATION)]
        mean = self.data.rewards[self.data.of(Split.TRAIN)].mean()
        self.curve.append(
            EpochResult(
                epoch=len(self.curve),
                frames=(len(self.curve) + 1) * int(self.data.of(Split.TRAIN).sum()),
                loss=float(np.mean(self.losses[-self.steps_per_epoch :])),
                validation_loss=float(((predicted - rewards) ** 2).mean()),
                floor=float(((rewards - mean) ** 2).mean()),
                correlation=float(np.corrcoef(predicted, rewards)[0, 1]) if np.ptp(predicted) else 0.0,
                seconds=self.seconds + time.monotonic() - started,
            )
        )
        self.step_in_epoch, self.seconds, self._rest = 0, 0.0, None
        if self.best_epoch == len(self.curve) - 1:
            self.best = {name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()}

    def chosen_weights(self) -> dict[str, Any]:
        """Those that the network's file gets: of the best epoch with patience, else the last ones."""
        return self.best if self.config.patience is not None and self.best else self.network.state_dict()


def taken_loss(
    rewards: Float[Tensor, "transition action"],
    actions: Tensor,
    true: Float[Tensor, "transition"],
) -> Float[Tensor, ""]:
    """Mean squared error of the rewards predicted for the actions that were taken."""
    return (rewards.gather(1, actions[:, None])[:, 0] - true).square().mean()
