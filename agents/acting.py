"""From frames to actions: a network's logits in batches, and greedy or sampled choices from them.

Axes: `frame` frames of a batch; `action` the 15 raw actions.
"""

import numpy as np
import torch
from jaxtyping import Float32, Int64, UInt8

from procscope.activations.forward import to_input


@torch.inference_mode()
def policy_logits(
    network: torch.nn.Module, frames: UInt8[np.ndarray, "frame row col rgb"], batch_size: int = 256
) -> Float32[np.ndarray, "frame action"]:
    """Logits of every frame. The network is put into evaluation mode."""
    network.eval()
    device = next(network.parameters()).device
    parts = [
        network(to_input(frames[start : start + batch_size], device)).logits.float().cpu().numpy()
        for start in range(0, len(frames), batch_size)
    ]
    return np.concatenate(parts)


def sample_actions(
    logits: Float32[np.ndarray, "frame action"], rng: np.random.Generator
) -> Int64[np.ndarray, "frame"]:
    """One action per frame, drawn from the softmax of its logits (Gumbel's trick, one draw per logit)."""
    return (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)


def greedy_actions(logits: Float32[np.ndarray, "frame action"]) -> Int64[np.ndarray, "frame"]:
    """The action with the highest logit, per frame."""
    return logits.argmax(axis=1)
