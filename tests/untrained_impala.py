"""A small IMPALA that nobody trained, and frames of noise: for tests of what is done to a network, whatever it does."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8

from procscope.agents.networks.impala import Impala
from procscope.workbench.checkpoints import CheckpointHeader, save_checkpoint


def untrained_impala(widths: tuple[int, int, int] = (2, 3, 8), loudness: float = 20, seed: int = 0) -> Impala:
    """The same weights at every call; the policy's last layer times `loudness`, so that its choices vary."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = Impala(widths, hidden=16)
    with torch.no_grad():
        network.policy_head.weight.mul_(loudness)
    return network


def saved_impala(path: Path, seed: int, variant: tuple[str, ...]) -> str:
    """Path of a file with such a network, which says that it was trained on a variant."""
    network = untrained_impala((4, 4, 8), loudness=200, seed=seed)
    header = CheckpointHeader("impala", {"widths": [4, 4, 8], "hidden": 16}, variant=variant)
    save_checkpoint(path, network, header)
    return str(path)


def noise_frames() -> UInt8[np.ndarray, "frame row col rgb"]:
    """Five frames, the same at every call."""
    return np.random.default_rng(1).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)
