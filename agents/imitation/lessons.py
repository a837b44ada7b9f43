"""What an optimiser step learns from: what the network says of some frames, and what the expert does there.

When: between the source of a round and the trainer. Frames by themselves become lessons here, frames in a row in
`sequence_lessons.py`; the trainer need not know which.

Axes: `frame` labelled frames of the step; `action` raw actions.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64, UInt8
from torch import Tensor

from procscope.activations.forward import to_input
from procscope.agents.experts.advice import expert_values
from procscope.agents.imitation.config import ImitationConfig
from procscope.agents.imitation.samples import RoundSamples, concatenate

SHUFFLE = 2
"""Chance of a round's order is drawn apart from that of its samples."""


class Lesson(NamedTuple):
    """One optimiser step's worth."""

    logits: Float32[Tensor, "frame action"]
    """The network's, with their gradient."""
    value: Float32[Tensor, "frame"]
    actions: Int64[np.ndarray, "frame"]
    """The expert's raw actions."""
    returns: Float32[np.ndarray, "frame"]
    """Discounted return of following the expert."""
    is_own: Bool[np.ndarray, "frame"]
    """New states that the network itself came to."""
    regrets: UInt8[np.ndarray, "frame action"] | None = None
    """What each action would lose (`Samples.regrets`)."""


def frame_lessons(
    config: ImitationConfig, network: torch.nn.Module, made: RoundSamples, number: int
) -> Iterator[Lesson]:
    """A round's frames in random order, each once. Each step is run through the network when it is asked for."""
    own, others = made
    n = len(own.actions) + len(others.actions)
    order = np.random.default_rng((config.seed, number, SHUFFLE)).permutation(n)
    samples, is_own = concatenate([own, others]).take(order), order < len(own.actions)
    returns = expert_values(samples.steps_to_goal, config.discount)
    network.train()
    for start in range(0, n, config.batch_size):
        part = slice(start, start + config.batch_size)
        output = network(to_input(samples.frames[part]))
        regrets = None if samples.regrets is None else samples.regrets[part]
        yield Lesson(output.logits, output.value, samples.actions[part], returns[part], is_own[part], regrets)
