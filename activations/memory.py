"""Networks at the side of games that go on: a recurrent one is handed its state of each game, others are asked plainly.

When to use: wherever a network that may have a memory plays episodes, or is read while somebody else plays them.

    memory = PolicyMemory(network, num_games=4)
    logits = memory.logits(frames, first=began)     # `began` where a frame is the first of its episode

A recurrent network is any with `initial_state(batch_size)` that is called with frames, the state and `first`, and
returns an output with the next `state` (`procscope.agents.networks.drc`). Where single frames are read (static samples
of a cache), each is taken for the first of an episode: a first step from an empty memory.

Cost: the forward pass; a state of the default `Drc` is 64 kB a game.

Axes: `game` games played side by side, always the same ones in the same order; `action` raw actions.
"""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int, UInt8
from torch import Tensor, nn

from procscope.activations.capture import ActivationType, Captured, capture
from procscope.activations.hooks import HookedModules


@runtime_checkable
class RecurrentNetwork(Protocol):
    """A network that is given its state and returns the next one, such as `Drc`."""

    def initial_state(self, batch_size: int) -> Tensor:
        """The state before the first frames of so many episodes."""
        ...

    def __call__(self, frames: Tensor, state: Tensor, first: Tensor | None = None) -> Any:
        """An output with logits, value and the next state."""
        ...


def is_recurrent(network: nn.Module) -> bool:
    """Whether a network has a state that must be carried from frame to frame."""
    return isinstance(_bare(network), RecurrentNetwork)


class PolicyMemory:
    """What a network knows of some games: nothing, unless it is recurrent.

    Args:
        network: run in evaluation mode and left as it is.
        num_games: games played side by side.
        hook_points: what `read` keeps.
        batch_size: frames a pass.
        dtype: of the activations that `read` keeps.
    """

    def __init__(
        self,
        network: nn.Module,
        num_games: int,
        hook_points: tuple[str, ...] = (),
        batch_size: int = 64,
        dtype: ActivationType = "float16",
    ) -> None:
        self.network, self._hook_points = network, hook_points
        self._batch_size = batch_size
        self._dtype: ActivationType = dtype
        bare = _bare(network)
        self.state = bare.initial_state(num_games) if isinstance(bare, RecurrentNetwork) else None

    @torch.inference_mode()
    def read(
        self,
        frames: UInt8[np.ndarray, "game row col rgb"],
        first: Bool[np.ndarray, "game"],
        games: Int[np.ndarray, "game"] | None = None,
    ) -> Captured:
        """What the network makes of the next frame of every game; a recurrent one's state moves on by one frame.

        Args:
            first: whether a frame is the first of its episode: what was before it is forgotten.
            games: numbers of the games that these frames are of, if not of all; the others stand still.
        """
        if self.state is None:
            return capture(self.network, frames, self._hook_points, self._batch_size, self._dtype)
        chosen = slice(None) if games is None else torch.as_tensor(games, device=self.state.device)
        captured = capture(
            self.network,
            frames,
            self._hook_points,
            self._batch_size,
            self._dtype,
            state=self.state[chosen],
            first=first,
        )
        assert captured.state is not None
        self.state[chosen] = captured.state
        return captured

    def logits(
        self,
        frames: UInt8[np.ndarray, "game row col rgb"],
        first: Bool[np.ndarray, "game"],
        games: Int[np.ndarray, "game"] | None = None,
    ) -> Float32[np.ndarray, "game action"]:
        """Logits alone, of the same. Raises ValueError for a network without logits."""
        return self.read(frames, first, games).logits_of(self.network)


@dataclass(frozen=True)
class Reader:
    """A network that is read, and where: of single frames, or at the side of games."""

    network: nn.Module | None
    """None reads nothing."""
    hook_points: tuple[str, ...]
    batch_size: int = 64
    dtype: ActivationType = "float16"

    @property
    def is_recurrent(self) -> bool:
        """Whether frames of a game must be read in their order, one after the other."""
        return self.network is not None and is_recurrent(self.network)

    def single_frames(self, frames: UInt8[np.ndarray, "frame row col rgb"]) -> Captured:
        """What the network makes of frames that have nothing before them: a recurrent one's memory is empty."""
        if self.network is None:
            return Captured({}, None, None)
        first = np.ones(len(frames), bool) if self.is_recurrent else None
        return capture(self.network, frames, self.hook_points, self.batch_size, self.dtype, first=first)

    def beside(self, num_games: int) -> PolicyMemory:
        """The network at the side of so many games, before their first frames."""
        assert self.network is not None, "nothing is read"
        return PolicyMemory(self.network, num_games, self.hook_points, self.batch_size, self.dtype)


def _bare(network: nn.Module) -> nn.Module:
    return network.model if isinstance(network, HookedModules) else network
