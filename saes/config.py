"""What an autoencoder's training is made of. Equal configs on one machine's CPU give equal weights."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["top-k", "batch-top-k", "jump-relu", "l1"]

KINDS: tuple[Kind, ...] = ("top-k", "batch-top-k", "jump-relu", "l1")


@dataclass(frozen=True)
class SaeConfig:
    """Kind, size and optimisation. Raises ValueError for what cannot be trained, such as k larger than width."""

    kind: str = "top-k"
    """top-k: the k largest latents of each sample; batch-top-k: k on average over a batch, afterwards all above one
    threshold; jump-relu: all above thresholds that are learned so that k are on average; l1: a ReLU and a penalty."""

    width: int = 2048
    """Latents."""

    k: int = 32
    """Active latents a sample: exact for top-k, the mean of batch-top-k and the aim of jump-relu; not used by l1."""

    l1_weight: float = 5.0
    """Penalty of kind l1 on the sum of latents, beside the squared error summed over inputs (sae-lens' scale)."""

    l0_weight: float = 1.0
    """Of kind jump-relu: how strongly the number of active latents is drawn to k (Gemma Scope 2's quadratic)."""

    samples: int = 2_000_000
    """Samples to learn from in all; a cache with fewer is read several times, in another order each."""

    batch_size: int = 2048
    """Samples an optimiser step."""

    learning_rate: float = 1e-3
    """Adam's, at its highest; the study of Ms. Pac-Man's."""

    warm_up: float = 0.02
    """Share of the steps over which the learning rate rises, and the penalties of l1 and jump-relu with it."""

    decay: float = 0.2
    """Share of the steps, the last ones, over which the learning rate falls to 0."""

    aux_weight: float = 0.03125
    """Weight of the auxiliary loss of the top-k kinds, by which dead latents learn from what the live ones miss
    (Gao et al. 2024, appendix A.2: 1/32)."""

    dead_after: int = 100_000
    """A latent counts as dead in training when it was silent for so many samples."""

    positions_per_frame: int = 0
    """Of a map: positions drawn of each frame and pass; 0 for all."""

    by_norm: bool = False
    """Draw positions in proportion to the norm of what lies there beside the mean, instead of evenly."""

    pool_mb: int = 256
    """Activations in memory at once, which are mixed; frames of many blocks, drawn at random, lie in it together."""

    seed: int = 0
    """Of the first weights and of the order of samples."""

    threads: int = 1
    """Threads of torch on the CPU. Sums in another order round differently, so another number gives other weights."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"expected the kind {', '.join(KINDS)}; given {self.kind!r}")
        for name in ("width", "k", "samples", "batch_size", "dead_after", "pool_mb", "threads"):
            if getattr(self, name) < 1:
                raise ValueError(f"expected {name} to be at least 1; given {getattr(self, name)}")
        if self.k > self.width:
            raise ValueError(
                f"expected k to be at most the width, since no more latents can be active than there are; given "
                f"k = {self.k} and width = {self.width}"
            )
        if self.samples < self.batch_size:
            raise ValueError(
                f"expected samples for at least one batch of {self.batch_size}; given {self.samples}. Train on more "
                "samples or take a smaller batch_size"
            )
        if min(self.l1_weight, self.l0_weight, self.aux_weight, self.positions_per_frame, self.seed) < 0:
            raise ValueError(
                "expected l1_weight, l0_weight, aux_weight, positions_per_frame and seed from 0 on; given "
                f"{self.l1_weight}, {self.l0_weight}, {self.aux_weight}, {self.positions_per_frame}, {self.seed}"
            )
        if not (0 <= self.warm_up <= 1 and 0 <= self.decay <= 1 and self.warm_up + self.decay <= 1):
            raise ValueError(
                f"expected warm_up and decay to be shares that sum to at most 1; given {self.warm_up}, {self.decay}"
            )
        if not self.learning_rate > 0:
            raise ValueError(f"expected a learning_rate above 0; given {self.learning_rate}")
        if self.by_norm and not self.positions_per_frame:
            raise ValueError(
                "expected positions_per_frame from 1 on with by_norm: all positions of a frame cannot be drawn by "
                "their norm. Give how many are to be drawn"
            )

    @property
    def steps(self) -> int:
        """Optimiser steps in all."""
        return self.samples // self.batch_size

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        rising = (step + 1) / max(1.0, self.warm_up * self.steps)
        falling = (self.steps - step) / max(1.0, self.decay * self.steps)
        return self.learning_rate * min(1.0, rising, falling)

    def penalty_share(self, step: int) -> float:
        """Share of the penalties of l1 and jump-relu that counts at a step."""
        return min(1.0, (step + 1) / max(1.0, self.warm_up * self.steps))
