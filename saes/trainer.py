"""One training under way: learner, optimiser, dead latents, and where in the stream of samples it is.

`training.py` runs it in a directory. Everything that the next step depends on is in `state`, so that a training that
was stopped goes on with the same bits on a CPU.

Axes: `latent`.
"""

import time
from typing import NamedTuple

import torch
from jaxtyping import Int64
from torch import Tensor

from procscope.activations.cache import ActivationCache
from procscope.agents.run_state import RunState, optimiser_tensors, restore_optimiser, rows_from, table_of
from procscope.saes.config import SaeConfig
from procscope.saes.learners import make_learner
from procscope.saes.normalisation import Normalisation, measure_normalisation, normalised
from procscope.saes.sae import Sae
from procscope.saes.samples import CacheSamples

ROUND_STEPS = 50
"""Optimiser steps whose means make a line of the curve."""


class Round(NamedTuple):
    """Means over the steps since the line before."""

    frames: int
    """Samples learned from so far (under the name that curves have for what they are drawn against)."""
    fvu: float
    """Fraction of variance unexplained, of the batches: squared error over squared distance from the mean."""
    other_loss: float
    """Auxiliary loss or penalties."""
    l0: float
    """Active latents a sample."""
    dead: int
    """Latents silent for `dead_after` samples."""
    learning_rate: float
    seconds: float


class Trainer:
    """A training from its first step, or from where `restore` puts it."""

    def __init__(
        self, config: SaeConfig, cache: ActivationCache, hook_point: str, device: torch.device
    ) -> None:
        self.config, self.device = config, device
        self.cache, self.hook_point = cache, hook_point
        shape = cache.activations(hook_point).shape[1:]
        self.learner = make_learner(config, int(shape[0]), device)
        self.optimiser = torch.optim.Adam(
            self.learner.parameters, lr=config.learning_rate, betas=(0.9, 0.999), fused=True
        )
        self.normalisation = measure_normalisation(cache, hook_point, config.seed)
        self.silent: Int64[Tensor, " latent"] = torch.zeros(config.width, dtype=torch.int64)
        """Samples since each latent was active."""
        self.step = 0
        self.curve: list[Round] = []
        self.started = time.time()
        self.samples = self._samples()

    def _samples(self) -> CacheSamples:
        return CacheSamples(
            self.cache,
            self.hook_point,
            batch_size=self.config.batch_size,
            seed=self.config.seed,
            pool_bytes=self.config.pool_mb * 2**20,
            positions_per_frame=self.config.positions_per_frame,
            by_norm=self.config.by_norm,
            center=self.normalisation.mean,
        )

    def play_round(self) -> Round:
        """Some steps, and a line of the curve."""
        began = time.perf_counter()
        n = min(
            ROUND_STEPS, self.config.steps - self.step
        )  # a round is never cut, so that curves do not differ
        sums = torch.zeros(4, dtype=torch.float64)
        for _ in range(n):
            batch = normalised(next(self.samples).to(self.device), self.normalisation)
            size = float(batch.square().sum() / len(batch))
            dead = (self.silent >= self.config.dead_after).to(self.device)
            rate = self.config.rate(self.step)
            for group in self.optimiser.param_groups:
                group["lr"] = rate
            found = self.learner.step(batch, dead, self.config.penalty_share(self.step))
            self.optimiser.step()
            self.learner.after_step()
            self.silent += len(batch)
            self.silent[found.fired] = 0
            self.step += 1
            sums += torch.tensor([found.mse, size, found.other, found.l0], dtype=torch.float64)
        mse, size, other, l0 = (sums / n).tolist()
        self.curve.append(
            Round(
                self.step * self.config.batch_size,
                mse / size,
                other,
                l0,
                int((self.silent >= self.config.dead_after).sum()),
                self.config.rate(self.step - 1),
                time.perf_counter() - began,
            )
        )
        return self.curve[-1]

    def sae(self) -> Sae:
        """The autoencoder as it is now."""
        return self.learner.sae(self.normalisation)

    def state(self) -> RunState:
        """All that the rest of the training depends on."""
        parts = {
            "learner": self.learner.tensors(),
            "optimiser": optimiser_tensors(self.optimiser),
            "trainer": {
                "silent": self.silent,
                "mean": self.normalisation.mean,
                "scale": torch.tensor(self.normalisation.scale, dtype=torch.float64),
                "curve": torch.tensor(self.curve, dtype=torch.float64).reshape(-1, len(Round._fields)),
            },
        }
        return RunState(table_of(parts), {"step": self.step, "started": self.started})

    def restore(self, state: RunState) -> None:
        """Go on from there."""
        self.learner.restore(state.under("learner"))
        restore_optimiser(self.optimiser, state.under("optimiser"))
        own = state.under("trainer")
        self.silent = own["silent"].clone()
        self.normalisation = Normalisation(own["mean"].clone(), float(own["scale"]))
        self.curve = rows_from(Round, own["curve"])
        self.step, self.started = state.facts["step"], state.facts["started"]
        self.samples = self._samples().at(self.step)
