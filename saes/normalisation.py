"""The mean and the scale of a hook point's activations, which an autoencoder takes off and puts back on.

    y = (x - mean) / scale        scale² = mean over samples and inputs of (x - mean)²

So what is learned from has a mean squared length of the number of inputs, whatever the network and the layer, and one
learning rate and penalty fit all. One number scales every input: dividing each by its own spread would make a
rare, weak unit count as much as a strong one.

Cost: a pass over some blocks of the cache, up to `SAMPLES` samples.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32
from torch import Tensor

from procscope.activations.cache import ActivationCache
from procscope.saes.samples import read_samples

SAMPLES = 500_000
"""Measured on at most about so many samples, of blocks drawn at random."""
_AT_ONCE = 65_536


class Normalisation(NamedTuple):
    """What is taken off activations, and what they are divided by."""

    mean: Float32[Tensor, " input"]
    scale: float


def measure_normalisation(cache: ActivationCache, hook_point: str, seed: int = 0) -> Normalisation:
    """Mean and scale over blocks drawn at random.

    Raises ValueError: a value that is not finite, with its block and row; activations that never change.
    """
    order = np.random.default_rng((seed, 3)).permutation(cache.spec.n_blocks)
    n, total, squares = 0, None, 0.0
    shift = None
    for block in order.tolist():
        for part in read_samples(cache, hook_point, block).split(_AT_ONCE):
            values = part.double()
            shift = values.mean(dim=0) if shift is None else shift  # sums about it lose no digits
            values -= shift
            n += len(values)
            total = values.sum(dim=0) if total is None else total + values.sum(dim=0)
            squares += float(values.square().sum())
        if n >= SAMPLES:
            break
    assert total is not None
    assert shift is not None
    mean = total / n
    variance = (squares / n - float(mean.square().sum())) / len(mean)
    if variance <= 1e-12 * max(1e-30, float((mean + shift).square().mean())):
        raise ValueError(
            f"expected activations that change; {hook_point} is the same in all {n:,} samples read from {cache.path}, "
            "so there is nothing to learn. Choose another hook point"
        )
    return Normalisation((mean + shift).float(), float(np.sqrt(variance)))


def normalised(
    samples: Float32[Tensor, "sample input"], by: Normalisation
) -> Float32[Tensor, "sample input"]:
    """(samples - mean) / scale, in place."""
    return samples.sub_(by.mean.to(samples.device)).div_(by.scale)
