"""Colours as an environment shows them: their mean and how red, green and blue go together.

When to use: for pictures in an environment's own colours. In most frames red, green and blue rise and fall together, so
that an optimiser of all three at once mostly turns brightness up and down. It is given three numbers that are not
correlated in the environment instead, and these are mixed back:

    log-odds of a colour = log-odds of the mean colour + C^(1/2) z / (largest length of its columns)

with C the covariance of the environment's colours. Where z has unit covariance, the colours have C's.

    colours = Colours.of(cache.frames[:10_000])
    Fourier((3, 64, 64), colours=colours)

Source: decorrelated colours are Lucid's (Olah et al. 2017), with a fixed matrix from ImageNet and no mean; C^(1/2) over
10,000 frames of random play of the same game is the Heist notes' code (S4.decorrelation). The mean is ours.

Cost: 0.1 s for 10,000 frames.

Axes: `rgb`, `frame row col`.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

_LEAST = 1 / 510
"""Half of one of 255 steps: a mean of exactly black or white has no log-odds."""


@dataclass(frozen=True)
class Colours:
    """Mean and covariance of an environment's colours, on the scale 0 to 1."""

    mean: tuple[float, float, float]
    covariance: tuple[tuple[float, float, float], ...]

    @classmethod
    def of(cls, frames: UInt8[np.ndarray, "frame row col 3"]) -> "Colours":
        """Measured over every pixel of some frames. Raises ValueError: no frames, or frames of a single colour."""
        if len(frames) == 0:
            raise ValueError("expected at least one frame to measure colours of, given none")
        # Sums of whole numbers are exact in float64, and a frame at a time needs no copy of all of them.
        total, products, count = np.zeros(3), np.zeros((3, 3)), 0
        for part in np.array_split(frames, -(-len(frames) // 256)):
            values = part.reshape(-1, 3).astype(np.float64)
            total += values.sum(axis=0)
            products += values.T @ values
            count += len(values)
        mean = total / count
        covariance = products / count - np.outer(mean, mean)
        if covariance.trace() < 1e-6:
            raise ValueError("expected frames of several colours; every pixel is the same. Give other frames")
        return cls(tuple((mean / 255).tolist()), tuple(map(tuple, (covariance / 255**2).tolist())))

    def mixing(self) -> Float[np.ndarray, "rgb 3"]:
        """C^(1/2), scaled so that its longest column has length 1."""
        values, vectors = np.linalg.eigh(np.array(self.covariance))
        root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
        return root / np.linalg.norm(root, axis=0).max()

    def mixed(
        self, values: Float[Tensor, "picture channel row col"]
    ) -> Float[Tensor, "picture channel row col"]:
        """Log-odds of colours from uncorrelated numbers; the channels are frames of three."""
        mean = np.clip(self.mean, _LEAST, 1 - _LEAST)
        centre = torch.from_numpy(np.log(mean / (1 - mean))).to(values)
        frames = values.unflatten(1, (-1, 3))
        mixed = torch.einsum("ij,nfjrc->nfirc", torch.from_numpy(self.mixing()).to(values), frames)
        return (mixed + centre[:, None, None]).flatten(1, 2)
