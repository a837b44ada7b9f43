"""Frames and the baseline that they are compared with, as a network takes them: for attributions to pixels.

A *baseline* is what stands for nothing: a number for all pixels (0 black, the default), a picture for all frames (their
mean, say), or one for each frame (the other half of a minimal pair). Attributions are relative to it: a pixel that has
the baseline's colour gets none.

Axes: `frame`; `rgb row col` as a network takes a frame, with values 0..255.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from procscope.activations.forward import read_network
from procscope.interventions.circuits.metrics import Metric
from procscope.interventions.circuits.plain_runs import device_of

Baseline = float | int | np.ndarray
"""One number, [row, col, rgb], or [frame, row, col, rgb]; 0..255."""

FRAMES_AT_ONCE = 64


class Pictures(NamedTuple):
    """Frames and baselines, on the network's device."""

    frames: Float[Tensor, "frame rgb row col"]
    baselines: Float[Tensor, "frame rgb row col"]


def network_pictures(network: nn.Module, frames: np.ndarray, baseline: Baseline) -> Pictures:
    """Both as floats with values 0..255.

    Transitions, as reward networks take them, are pictures of six channels: those of the frame, then of the next one.

    Raises ValueError: frames that are no pictures, or none; a baseline that fits them not, or leaves 0..255.
    """
    if frames.ndim != 4 or frames.dtype != np.uint8 or frames.shape[-1] not in (3, 6) or len(frames) == 0:
        raise ValueError(
            f"expected at least one uint8 picture [frame, row, col, rgb]; given shape {frames.shape} of {frames.dtype}"
        )
    base = np.asarray(baseline, dtype=np.float32)
    if base.shape not in ((), frames.shape[1:], frames.shape) or not (
        np.isfinite(base).all() and base.min() >= 0 and base.max() <= 255
    ):
        raise ValueError(
            f"expected a baseline of values from 0 to 255: a number, a picture {frames.shape[1:]} or one for each "
            f"frame {frames.shape}; given shape {base.shape}, values from {base.min():g} to {base.max():g}"
        )
    device = device_of(network)
    inputs = torch.from_numpy(frames).permute(0, 3, 1, 2).to(device).float()
    whole = np.broadcast_to(base, frames.shape).transpose(0, 3, 1, 2)
    baselines = torch.from_numpy(np.array(whole)).to(device)
    return Pictures(inputs, baselines.contiguous(memory_format=torch.channels_last))


def metric_of(
    network: nn.Module,
    inputs: Float[Tensor, "row rgb rows cols"],
    metric: Metric,
    numbers: Int[Tensor, " row"],
) -> Float[Tensor, " row"]:
    """The metric of each input, without gradients, some at a time."""
    with torch.inference_mode():
        parts = [
            metric.measured(
                read_network(network, inputs[at : at + FRAMES_AT_ONCE]), numbers[at : at + FRAMES_AT_ONCE]
            )
            for at in range(0, len(inputs), FRAMES_AT_ONCE)
        ]
        return torch.cat(parts)
