"""How well an autoencoder gives a cache's activations back: fvu and l0 over a stated set of samples.

Cost: an encoding and a decoding of each sample; at most `SAMPLES` of them, of blocks drawn at random.

Axes: `sample`, `input`, `latent`.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float64

from procscope.activations.cache import ActivationCache
from procscope.saes.metrics import FvuSums
from procscope.saes.sae import Sae
from procscope.saes.samples import read_samples

SAMPLES = 500_000
_AT_ONCE = 8192


class Reconstruction(NamedTuple):
    """Scores over some samples of a cache."""

    fvu: float
    l0: float
    n_samples: int
    means: Float64[np.ndarray, " input"]
    """Of the activations, for mean-ablation."""

    @property
    def explained_variance(self) -> float:
        """1 - fvu."""
        return 1 - self.fvu


@torch.inference_mode()
def measure_reconstruction(
    sae: Sae, cache: ActivationCache, hook_point: str, *, seed: int = 0
) -> Reconstruction:
    """fvu and l0 over blocks drawn at random.

    Raises ValueError: other inputs than the autoencoder takes, values that are not finite or never change.
    """
    sums, active = FvuSums(), 0
    total = np.zeros(sae.n_inputs)
    for block in np.random.default_rng((seed, 8)).permutation(cache.spec.n_blocks).tolist():
        for part in read_samples(cache, hook_point, block).split(_AT_ONCE):
            samples = part.float().to(sae.b_enc.device)
            latents = sae.encode(samples)
            sums.add(samples.cpu().numpy(), sae.decode(latents).cpu().numpy())
            active += int((latents > 0).sum())
            total += samples.double().sum(dim=0).cpu().numpy()
        if sums.n >= SAMPLES:
            break
    return Reconstruction(sums.fvu, active / sums.n, sums.n, total / sums.n)
