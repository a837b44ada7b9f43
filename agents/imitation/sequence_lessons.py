"""Frames in a row become optimiser steps of a recurrent network: truncated backpropagation through time.

When: through the trainer, where the source gives sequences.

A round's games are gone through once in the order of time, `SEQUENCE_FRAMES` frames at a time; in each of these
stretches, every game is taken once, some games to an optimiser step, in random order. A gradient reaches back to the
start of the stretch. What came before is remembered as it was when the network learned from the stretch before.
A round begins with an empty memory, and so does every episode.

Source: Williams & Peng 1990, An efficient gradient-based algorithm for on-line training of recurrent network
trajectories.

Axes: `time` frames of a stretch; `game` games of an optimiser step.
"""

from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from procscope.agents.experts.advice import expert_values
from procscope.agents.imitation.config import ImitationConfig
from procscope.agents.imitation.lessons import SHUFFLE, Lesson
from procscope.agents.imitation.sequences import SEQUENCE_FRAMES, Sequences


@runtime_checkable
class UnrollableNetwork(Protocol):
    """A recurrent network that takes frames in a row, such as `Drc`."""

    def initial_state(self, batch_size: int) -> Tensor:
        """The state before the first frames of so many episodes."""
        ...

    def unroll(self, frames: Tensor, state: Tensor, first: Tensor) -> Any:
        """Logits and value [time, game] of frames [time, game, …], and the state after the last."""
        ...


def sequence_lessons(
    config: ImitationConfig, network: nn.Module, played: Sequences, number: int
) -> Iterator[Lesson]:
    """The steps of a round. Each is run through the network when it is asked for, with the weights as they are then.

    Raises ValueError for a network that cannot be unrolled.
    """
    if not isinstance(network, UnrollableNetwork):
        raise ValueError(f"expected a network with initial_state and unroll; given: {type(network).__name__}")
    network.train()
    rng = np.random.default_rng((config.seed, number, SHUFFLE))
    steps, games = played.actions.shape
    state = network.initial_state(games)
    returns = expert_values(np.maximum(1, played.steps_to_goal).ravel(), config.discount).reshape(
        steps, games
    )
    for start in range(0, steps, SEQUENCE_FRAMES):
        stretch = slice(start, start + SEQUENCE_FRAMES)
        for chosen in rng.permutation(games).reshape(-1, config.batch_size // SEQUENCE_FRAMES):
            frames = torch.from_numpy(played.frames[stretch, chosen]).permute(0, 1, 4, 2, 3)
            index = torch.from_numpy(chosen)
            output = network.unroll(frames, state[index], torch.from_numpy(played.first[stretch, chosen]))
            state[index] = output.state.detach()
            taken = played.steps_to_goal[stretch, chosen] > 0
            if taken.any():
                is_own = np.broadcast_to(played.is_own[chosen], taken.shape)
                yield Lesson(
                    output.logits[torch.from_numpy(taken)],
                    output.value[torch.from_numpy(taken)],
                    played.actions[stretch, chosen][taken],
                    returns[stretch, chosen][taken],
                    is_own[taken],
                )
