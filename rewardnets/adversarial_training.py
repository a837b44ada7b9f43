"""Adversarial training of a reward network, as the dissertation did it.

    train_adversarial(AdversarialConfig(RewardConfig(epochs=10, batch_size=256)), data, Path("training/adversarial"))

From epoch `first_epoch` on (counted from 1), each epoch begins with the highest-reward transitions, followed by 16
steps of gradient ascent on their predicted reward; they join the training data with reward 0 and stay there. As many
are made as 0.1% of the training transitions. From then on the gradient of a batch is clipped at the 99th percentile of
the norms in the epoch before the first were made.

What the text leaves open follows its authors' code: the examples' actions go through all 15 in turn, and the
highest-reward transitions are looked for among some of the training data (`candidates`; one batch there).

Source: dissertation, section 5.8. Of many schemes this one worked once for the authors: loss and robustness of every
epoch are kept in `adversarial.csv`.

Cost: that of the training, and `steps` passes for each example: 3% more.

Axes: `example` of the adversarial ones, in the order in which they were made.
"""

import time
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from procscope.agents.run_state import (
    RunState,
    optimiser_tensors,
    read_state,
    restore_optimiser,
    rows_from,
    table_of,
    write_state,
    write_table,
)
from procscope.rewardnets.attacks import Examples, ascend, rewards_of
from procscope.rewardnets.config import RewardConfig
from procscope.rewardnets.predict import predicted_rewards
from procscope.rewardnets.splits import Split
from procscope.rewardnets.trainer import EpochResult, RewardTrainer
from procscope.rewardnets.training import header_of
from procscope.rewardnets.transitions import TransitionBatch, Transitions
from procscope.workbench.checkpoint_header import CheckpointHeader
from procscope.workbench.checkpoints import save_checkpoint
from procscope.workbench.memory import keep_freed_memory

METHOD = "adversarial regression of the reward on transitions"


@dataclass(frozen=True)
class AdversarialConfig:
    """Defaults are the dissertation's."""

    reward: RewardConfig = field(default_factory=lambda: RewardConfig(epochs=10, batch_size=256))
    """The network and its training."""
    first_epoch: int = 5
    """The first that has adversarial examples, counted from 1."""
    share: float = 0.001
    """Examples made before each epoch, of the number of training transitions; at least one."""
    steps: int = 16
    """Of gradient ascent on each."""
    step_size: float = 0.05
    """Adam's learning rate in them."""
    percentile: float = 99.0
    """Of gradient norms, at which they are clipped."""
    candidates: int = 2048
    """Training transitions among which those of the highest predicted reward are looked for."""

    def __post_init__(self) -> None:
        if not 2 <= self.first_epoch <= self.reward.epochs:
            raise ValueError(
                f"expected the first epoch with adversarial examples from 2 to the last, {self.reward.epochs}: the one "
                f"before tells where gradients are clipped; given {self.first_epoch}"
            )
        if not (0 < self.share <= 1 and 0 < self.percentile <= 100) or min(self.steps, self.candidates) < 1:
            raise ValueError(
                "expected a share in (0, 1], a percentile in (0, 100], steps and candidates of at least 1; given "
                f"{self.share}, {self.percentile}, {self.steps}, {self.candidates}"
            )


class AdversarialEpoch(NamedTuple):
    """One line of `adversarial.csv`."""

    epoch: int
    """Counted from 0, as in `curve.csv`."""
    made: int
    """Examples made before it."""
    loss_when_made: float
    """Mean squared reward predicted for them then: the right one is 0."""
    loss_after: float
    """The same after the epoch."""
    loss_of_all: float
    """Of all examples made so far, after the epoch."""
    clipped_share: float
    """Of the epoch's steps."""


def train_adversarial(
    config: AdversarialConfig, data: Transitions, directory: Path, progress: str = ""
) -> Path:
    """Train, or go on training, in `directory`; returns the path of `network.safetensors`.

    A commit is made after every epoch. Raises ValueError: as `train_reward`.
    """
    keep_freed_memory()
    directory.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(config.reward.threads)
    training = _Training.read(config, data, directory)
    per_epoch = int(data.of(Split.TRAIN).sum())
    with tqdm(
        total=config.reward.epochs * per_epoch,
        initial=len(training.trainer.curve) * per_epoch,
        unit="transition",
        unit_scale=True,
        mininterval=5,
        desc=progress,
    ) as bar:
        while not training.trainer.is_finished:
            training.epoch(bar)
            training.write(directory)
    return directory / "network.safetensors"


@dataclass
class _Training:
    """A training between two epochs."""

    config: AdversarialConfig
    trainer: RewardTrainer
    pairs: Tensor
    """uint8 [example, row, col, 6]."""
    actions: Tensor
    norms: list[float] = field(default_factory=list)
    """Of the gradients of the last epoch."""
    limit: float = 0.0
    """At which they are clipped; 0 before that begins."""
    rows: list[AdversarialEpoch] = field(default_factory=list)

    @classmethod
    def read(cls, config: AdversarialConfig, data: Transitions, directory: Path) -> "_Training":
        trainer = RewardTrainer.start(config.reward, data)
        none = torch.zeros(0, 64, 64, 6, dtype=torch.uint8), torch.zeros(0, dtype=torch.int64)
        state = read_state(directory, config)
        if state is None:
            return cls(config, trainer, *none)
        trainer.network.load_state_dict(state.under("network"))
        restore_optimiser(trainer.optimiser, state.under("optimiser"))
        trainer.losses = state.tensors["losses"].tolist()
        trainer.curve = rows_from(EpochResult, state.tensors["curve"])
        trainer.best = state.under("best")
        rows = rows_from(AdversarialEpoch, state.tensors["rows"])
        found = cls(config, trainer, state.tensors["pairs"], state.tensors["actions"], rows=rows)
        found.norms, found.limit = state.tensors["norms"].tolist(), state.facts["limit"]
        return found

    def epoch(self, bar: "tqdm") -> None:
        """One epoch, with what is made before it."""
        trainer, number = self.trainer, len(self.trainer.curve)
        made = None
        if number + 1 >= self.config.first_epoch:
            if not self.limit:
                self.limit = float(np.percentile(self.norms, self.config.percentile))
            made = self._make(number)
            self.pairs = torch.cat([self.pairs, torch.from_numpy(made.pairs)])
            self.actions = torch.cat([self.actions, torch.from_numpy(made.actions)])
        started, self.norms = time.monotonic(), []
        order, places = np.random.SeedSequence([self.config.reward.seed, number]).generate_state(2)
        # Each example is in one batch of the epoch, drawn at random.
        joins = np.random.default_rng(int(places)).integers(trainer.steps_per_epoch, size=len(self.actions))
        batches = trainer.data.batches(Split.TRAIN, self.config.reward.batch_size, shuffle=int(order))
        for step, batch in enumerate(islice(batches, trainer.steps_per_epoch)):
            trainer.losses.append(self._step(batch, np.flatnonzero(joins == step)))
            bar.update(len(batch.rewards))
        trainer.seconds = time.monotonic() - started
        trainer.finish_epoch()
        self.rows.append(self._row(number, made))

    def _make(self, epoch: int) -> Examples:
        """The transitions of the highest predicted reward, after some steps of ascent."""
        config, data = self.config, self.trainer.data
        rng = np.random.default_rng([config.reward.seed, epoch, 1])
        train = np.flatnonzero(data.of(Split.TRAIN))
        count = max(1, round(config.share * len(train)))
        looked_at = np.sort(rng.permutation(train)[: max(config.candidates, count)])
        pairs = np.asarray(data.cache.frames[looked_at])
        rewards = predicted_rewards(self.trainer.network, pairs[..., :3], pairs[..., 3:])
        actions = np.arange(count) % rewards.shape[1]
        ranks = np.arange(count) // rewards.shape[1]
        best = np.argsort(-rewards, axis=0, kind="stable")[ranks, actions]
        return ascend(
            self.trainer.network,
            pairs[best],
            actions,
            steps=config.steps,
            learning_rate=config.step_size,
            seed=int(rng.integers(2**31)),
        )

    def _step(self, batch: TransitionBatch, examples: np.ndarray) -> float:
        """One update from a batch and the examples that join it; the loss of the batch alone."""
        trainer = self.trainer
        pairs, actions, rewards = (torch.from_numpy(np.asarray(each)) for each in batch)
        pairs = torch.cat([pairs, self.pairs[examples]]).permute(0, 3, 1, 2)
        actions = torch.cat([actions.long(), self.actions[examples]])
        rewards = torch.cat([rewards.float(), torch.zeros(len(examples))])
        device = next(trainer.network.parameters()).device
        predicted = trainer.network(pairs.to(device)).rewards.gather(1, actions.to(device)[:, None])[:, 0]
        errors = (predicted - rewards.to(device)).square()
        trainer.optimiser.zero_grad()
        errors.mean().backward()
        weights = list(trainer.network.parameters())
        norm = torch.nn.utils.clip_grad_norm_(weights, self.limit if self.limit else float("inf"))
        trainer.optimiser.step()
        self.norms.append(float(norm))
        return float(errors[: len(batch.rewards)].detach().mean())

    def _row(self, number: int, made: Examples | None) -> AdversarialEpoch:
        clipped = float(np.mean([norm > self.limit for norm in self.norms])) if self.limit else 0.0
        if made is None:
            return AdversarialEpoch(number, 0, 0.0, 0.0, 0.0, clipped)
        of_all = rewards_of(self.trainer.network, self.pairs.numpy(), self.actions.numpy()) ** 2
        return AdversarialEpoch(
            number,
            len(made.actions),
            float((made.rewards**2).mean()),
            float(of_all[-len(made.actions) :].mean()),
            float(of_all.mean()),
            clipped,
        )

    def write(self, directory: Path) -> None:
        """Commit: one atomic file decides, the others are made from it."""
        trainer = self.trainer
        parts: dict[str, Any] = {
            "network": trainer.network.state_dict(),
            "optimiser": optimiser_tensors(trainer.optimiser),
            "best": trainer.best,
        }
        tensors = table_of(parts) | {
            "pairs": self.pairs,
            "actions": self.actions,
            "norms": torch.tensor(self.norms, dtype=torch.float64),
            "losses": torch.tensor(trainer.losses, dtype=torch.float64),
            "curve": torch.tensor(trainer.curve, dtype=torch.float64),
            "rows": torch.tensor(self.rows, dtype=torch.float64),
        }
        write_state(directory, self.config, RunState(tensors, {"limit": self.limit}))
        write_table(directory / "curve.csv", EpochResult._fields, trainer.curve)
        write_table(directory / "adversarial.csv", AdversarialEpoch._fields, self.rows)
        save_checkpoint(directory / "network.safetensors", trainer.chosen_weights(), self._header())

    def _header(self) -> CheckpointHeader:
        plain = header_of(self.trainer)
        more = {"method": METHOD, "adversarial": asdict(replace(self.config, reward=RewardConfig()))}
        return replace(plain, training=plain.training | more)
