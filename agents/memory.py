"""A policy at the side of several games: it hands a recurrent network its state of each game, and asks others plainly.

When to use: wherever a network that may have a memory plays episodes.

    memory = PolicyMemory(network, num_games=4)
    logits = memory.logits(frames, first=began)     # `began` where a frame is the first of its episode

Axes: `game` games played side by side, always the same ones in the same order; `action` raw actions.
"""

from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float32, UInt8
from torch import Tensor

from procscope.activations.forward import to_input
from procscope.agents.acting import policy_logits
from procscope.agents.networks.outputs import RecurrentOutput


@runtime_checkable
class RecurrentNetwork(Protocol):
    """A network that is given its state and returns the next one, such as `Drc`."""

    def initial_state(self, batch_size: int) -> Tensor: ...

    def __call__(self, frames: Tensor, state: Tensor, first: Tensor | None = None) -> RecurrentOutput: ...


class PolicyMemory:
    """What a network knows of some games that it plays: nothing, unless it is recurrent."""

    def __init__(self, network: torch.nn.Module, num_games: int) -> None:
        self.network = network.eval()
        self.device = next(network.parameters()).device
        self.state = network.initial_state(num_games) if isinstance(network, RecurrentNetwork) else None

    @torch.inference_mode()
    def logits(
        self, frames: UInt8[np.ndarray, "game row col rgb"], first: Bool[np.ndarray, "game"]
    ) -> Float32[np.ndarray, "game action"]:
        """Logits for the next frame of every game; a recurrent network's state moves on by one frame."""
        if self.state is None:
            return policy_logits(self.network, frames)
        begins = torch.from_numpy(first).to(self.device)
        output = self.network(to_input(frames, self.device), self.state, begins)
        self.state = output.state
        return output.logits.float().cpu().numpy()
