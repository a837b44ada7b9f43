"""Which directions of an earlier layer move a probe's score: an eigen-analysis of its gradients.

When to use: once a probe has found a concept in a later layer, to break what feeds it into few directions of an earlier
one. A bilinear layer has an eigendecomposition towards a probe in its weights; here, for any network, the gradients of
the score with respect to the earlier map are taken at every frame and position, and the matrix of their mean products
over channels is decomposed: its first eigenvectors are the channel patterns to which the score is most sensitive.

    found = probe_eigen(network, frames, "fc", probe_weights, "block2.res2")
    found.shares[:3], found.directions[0]        # Erase.directions("block2.res2", found.directions[:3], center=...)

Source: "perform an eigendecomposition towards the probe" of Pearce et al. 2024 (arXiv:2412.00944), which the notes on a
Heist agent ask for; for networks with ReLUs, the active subspaces of Constantine 2015.
Cost: a forward and a backward pass of all frames, and an eigendecomposition of channels x channels.

Axes: `frame`, `unit` of the probe's layer, `channel` of the earlier one, `direction` the largest eigenvalue first.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float64, UInt8
from torch import Tensor, nn

from procscope.activations.capture import evaluation_mode
from procscope.activations.forward import Reading, to_input
from procscope.activations.hooks import HookPoint
from procscope.interventions.apply import with_hook_points
from procscope.interventions.circuits.gradients import trace

_FRAMES_AT_ONCE = 64


class ProbeEigen(NamedTuple):
    """Directions of the earlier layer, and how much each moves the score."""

    directions: Float64[np.ndarray, "direction channel"]
    """Of length 1, orthogonal."""
    shares: Float64[np.ndarray, " direction"]
    """Of the mean squared gradient; they add up to 1."""

    @property
    def participation(self) -> float:
        """How many directions the gradient is spread over: (sum of shares)² / sum of squared shares."""
        return float(1 / (self.shares**2).sum())


def probe_eigen(
    network: nn.Module,
    frames: UInt8[np.ndarray, "frame row col rgb"],
    probe_point: str,
    weights: Float[np.ndarray, " unit"],
    hook_point: str,
) -> ProbeEigen:
    """Decompose the gradients of a probe's score.

    Args:
        probe_point: a vector that comes after `hook_point`.
        weights: the probe's.

    Raises ValueError: no frames, another number of units than weights, gradients that are all 0, and as `trace`.
    """
    if not len(frames):
        raise ValueError("expected at least one frame, given none")
    device = next(network.parameters()).device
    reads = torch.from_numpy(np.asarray(weights, dtype=np.float32)).to(device)
    total: np.ndarray | float = 0.0
    kept: dict[str, Tensor] = {}

    def keep(activation: Tensor, /, *, hook: HookPoint) -> None:
        kept["probed"] = activation

    def score(_: Reading) -> Tensor:
        if kept["probed"].shape[1:] != reads.shape:
            raise ValueError(
                f"expected a weight for each of the {tuple(kept['probed'].shape[1:])} units at {probe_point!r}; given "
                f"{tuple(reads.shape)}"
            )
        return kept["probed"] @ reads

    hooked = with_hook_points(network, [probe_point, hook_point])
    with evaluation_mode(network), hooked.hooks([(probe_point, keep)]):
        for start in range(0, len(frames), _FRAMES_AT_ONCE):
            part = to_input(frames[start : start + _FRAMES_AT_ONCE], device)
            gradient = trace(hooked, part, [hook_point], score).gradients()[hook_point].cpu().numpy()
            rows = np.moveaxis(gradient, 1, -1).reshape(-1, gradient.shape[1]).astype(np.float64)
            total = total + rows.T @ rows
    values, vectors = np.linalg.eigh(total)
    values = np.maximum(values[::-1], 0)
    if values.sum() <= 0:
        raise ValueError(f"the probe's score does not depend on {hook_point!r}: all gradients are 0")
    return ProbeEigen(vectors[:, ::-1].T, values / values.sum())
