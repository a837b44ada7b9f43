"""The updates of a training, and its checkpoint: what `training.py` runs, resumes and ends.

Boards are made a pool at a time from the config's seed and the pool's number, so that what an update sees depends on
its number alone: the checkpoint holds weights, the optimiser's moments and the curve, and no state of a random
generator.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from procscope.agents.run_state import (
    RunState,
    optimiser_tensors,
    read_state,
    restore_optimiser,
    table_of,
    write_state,
)
from procscope.imagination.network import Imaginer
from procscope.imagination.training_config import PREDICTION_LOSSES, ImaginerConfig
from procscope.imagination.worlds import Rollouts, read_codes

POOL = 1024
"""Sequences made at once."""
EVALUATE_EVERY = 50
"""Updates between two rows of the curve."""
COMMIT_EVERY = 500
"""Updates between two checkpoints."""
_EVALUATED = 64
_FINALLY_EVALUATED = 2048
_POOLS, _CURVE, _FINAL = range(3)
_CLIP = 1.0
_MOMENTS = (0.9, 0.99)


class Trainer:
    """A training between two updates.

    `curve` has a row every 50 updates: updates so far, loss, accuracy of the last state, then the similarity of each
    imagined state to the true state of the same number, -1 where the world has none between its first and last.
    """

    def __init__(self, config: ImaginerConfig) -> None:
        self.config = config
        self.network = config.network()
        self.optimiser = torch.optim.Adam(
            self.network.parameters(), config.learning_rate, betas=_MOMENTS, fused=True
        )
        self.updates = 0
        self.reached_at: int | None = None
        """Updates after which the curve first had the accuracy asked for."""
        self.seconds = 0.0
        """CPU time so far."""
        self.seconds_for_boards = 0.0
        self.curve: list[list[float]] = []
        self._pool: tuple[int, Rollouts] | None = None

    @property
    def is_finished(self) -> bool:
        """Whether the accuracy was reached long enough ago, or the updates are used up."""
        settled = self.reached_at is not None and self.updates >= self.reached_at + self.config.settle_updates
        return settled or self.updates >= self.config.max_updates

    def run(self, directory: Path) -> Iterator[int]:
        """Update until the training is finished, committing to `directory`; yields the number of updates."""
        while not self.is_finished:
            began = time.process_time()
            loss = self._update()
            if self.updates % EVALUATE_EVERY == 0:
                self._add_to_curve(loss)
            self.seconds += time.process_time() - began
            if self.updates % COMMIT_EVERY == 0:
                self.commit(directory)
            yield self.updates
        self.commit(directory)

    def final_accuracy(self) -> float:
        """Share of the last state's cells that are right, on 2,048 fresh sequences."""
        right = [
            float((self._read(part) == part.states[:, -1]).float().mean())
            for part in _parts(self._fresh(_FINAL, 0, _FINALLY_EVALUATED), 256)
        ]
        return float(np.mean(right))

    def commit(self, directory: Path) -> None:
        """Write the checkpoint."""
        tensors = table_of(
            {
                "network": self.network.state_dict(),
                "optimiser": optimiser_tensors(self.optimiser),
                "training": {"curve": torch.tensor(self.curve, dtype=torch.float64)},
            }
        )
        facts = {
            "updates": self.updates,
            "reached_at": self.reached_at,
            "seconds": self.seconds,
            "seconds_for_boards": self.seconds_for_boards,
        }
        write_state(directory, self.config, RunState(tensors, facts))

    def resume(self, directory: Path) -> None:
        """Go on from the checkpoint, if there is one. Raises ValueError: it is of another config."""
        state = read_state(directory, self.config)
        if state is None:
            return
        self.network.load_state_dict(state.under("network"))
        restore_optimiser(self.optimiser, state.under("optimiser"))
        self.curve = state.tensors["training.curve"].tolist()
        for name, value in state.facts.items():
            setattr(self, name, value)

    def _update(self) -> float:
        config = self.config
        loss, _ = losses(
            self.network, self._batch(), config.world.levels, config.autoencoder, config.prediction_loss
        )
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), _CLIP)
        self.optimiser.param_groups[0]["lr"] = self._learning_rate()
        self.optimiser.step()
        self.updates += 1
        return float(loss.detach())

    def _learning_rate(self) -> float:
        """Falls evenly to 0 once the accuracy is reached: what is measured should not hang on the last few updates."""
        settled = 0 if self.reached_at is None else self.updates - self.reached_at
        return self.config.learning_rate * max(0.0, 1 - settled / self.config.settle_updates)

    def _batch(self) -> Rollouts:
        began = time.process_time()
        batches = max(1, POOL // self.config.batch)
        number, place = divmod(self.updates, batches)
        if self._pool is None or self._pool[0] != number:
            self._pool = number, self._fresh(_POOLS, number, batches * self.config.batch)
        start = place * self.config.batch
        batch = self._pool[1].part(slice(start, start + self.config.batch))
        self.seconds_for_boards += time.process_time() - began
        return batch

    def _fresh(self, stream: int, number: int, n: int) -> Rollouts:
        world = self.config.world if stream == _POOLS else self.config.world.held_out()
        return world.rollouts(n, self.config.world_steps, board_generator(self.config.seed, stream, number))

    @torch.no_grad()
    def _read(self, rollouts: Rollouts) -> Tensor:
        return read_codes(self.network(rollouts.inputs), self.config.world.levels)

    def _add_to_curve(self, loss: float) -> None:
        rollouts = self._fresh(_CURVE, self.updates, _EVALUATED)
        accuracy = float((self._read(rollouts) == rollouts.states[:, -1]).float().mean())
        imagined = read_codes(self.network.imagine(rollouts.inputs), self.config.world.levels)
        similarity = [
            float((imagined[:, i] == rollouts.states[:, i + 1]).float().mean())
            if i + 1 < self.config.world_steps
            else -1.0
            for i in range(self.config.steps - 1)
        ]
        self.curve.append([float(self.updates), loss, accuracy, *similarity])
        if self.reached_at is None and accuracy >= self.config.accuracy:
            self.reached_at = self.updates


def board_generator(seed: int, stream: int, number: int) -> torch.Generator:
    """The random generator of one batch of boards, which depends on nothing but the three numbers."""
    drawn = np.random.SeedSequence([seed, stream, number]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(drawn) >> 1)


def losses(
    network: Imaginer,
    rollouts: Rollouts,
    levels: int,
    autoencoder: bool,
    prediction: str = PREDICTION_LOSSES[0],
) -> tuple[Tensor, Float[Tensor, "batch row col"]]:
    """The loss of a batch (see `training.py`) and its last states as the network gives them."""
    encoded = network.encode(rollouts.inputs)
    last = network.decode(network.roll(encoded)[-1])
    loss = prediction_loss(last, rollouts.targets(levels), prediction)
    if autoencoder:
        loss = (loss + F.mse_loss(network.decode(encoded), rollouts.inputs[:, 0])) / 2
    return loss, last


def prediction_loss(
    values: Float[Tensor, "batch row col"], target: Float[Tensor, "batch row col"], kind: str
) -> Tensor:
    """One of `PREDICTION_LOSSES`; the cross-entropy takes values above 0.5 for alive."""
    if kind == "squared":
        return F.mse_loss(values, target)
    return F.binary_cross_entropy_with_logits(values - 0.5, target)


def _parts(rollouts: Rollouts, size: int) -> Iterator[Rollouts]:
    for start in range(0, len(rollouts.inputs), size):
        yield rollouts.part(slice(start, start + size))
