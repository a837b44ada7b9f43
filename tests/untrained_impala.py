"""A small IMPALA that nobody trained, and frames of noise: for tests of what is done to a network, whatever it does."""

import numpy as np
import torch
from jaxtyping import UInt8

from procscope.agents.networks.impala import Impala


def untrained_impala(widths: tuple[int, int, int] = (2, 3, 8), loudness: float = 20) -> Impala:
    """The same weights at every call; the policy's last layer times `loudness`, so that its choices vary."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Impala(widths, hidden=16)
    with torch.no_grad():
        network.policy_head.weight.mul_(loudness)
    return network


def noise_frames() -> UInt8[np.ndarray, "frame row col rgb"]:
    """Five frames, the same at every call."""
    return np.random.default_rng(1).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)
