"""What a policy learns from by imitation, and the interface of those who make it.

When: to teach another game: write a `Source` and name it in `SOURCES`.

Axes: `frame` samples.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Int64, UInt8

from procscope.agents.imitation.config import ImitationConfig
from procscope.agents.imitation.sequences import Sequences


class Samples(NamedTuple):
    """Frames with what the expert does there."""

    frames: UInt8[np.ndarray, "frame 64 64 3"]
    actions: Int64[np.ndarray, "frame"]
    """The expert's raw action."""
    steps_to_goal: Int64[np.ndarray, "frame"]
    """Steps of the expert's way to the goal, at least 1."""
    regrets: UInt8[np.ndarray, "frame choice"] | None = None
    """What each raw action would lose against the best one, in 255ths of what the state is worth; actions that the
    expert never takes lose all. None from experts that name one action and no more."""

    def take(self, index: slice | np.ndarray) -> "Samples":
        """Some of them: a range, indices, or a mask."""
        regrets = None if self.regrets is None else self.regrets[index]
        return Samples(self.frames[index], self.actions[index], self.steps_to_goal[index], regrets)


def concatenate(parts: Sequence[Samples]) -> Samples:
    """All samples in a row; no parts give no samples."""
    parts = [part for part in parts if len(part.actions)]
    if not parts:
        return Samples(np.zeros((0, 64, 64, 3), np.uint8), np.zeros(0, np.int64), np.zeros(0, np.int64))
    frames, actions, steps, regrets = zip(*parts, strict=True)
    known = [part for part in regrets if part is not None]
    return Samples(
        np.concatenate(frames),
        np.concatenate(actions),
        np.concatenate(steps),
        np.concatenate(known) if len(known) == len(parts) else None,
    )


class RoundSamples(NamedTuple):
    """What a round learns from, frame by frame."""

    own: Samples
    """New states that the network itself came to."""
    others: Samples
    """All others: states remembered from earlier rounds, and states of fresh levels."""


Round = RoundSamples | Sequences
"""What a source makes: frames by themselves, or for a network with a memory frames in a row."""


@runtime_checkable
class Source(Protocol):
    """Makes the samples of each round, from the config, the round's number and what it remembers alone."""

    def __init__(self, config: ImitationConfig) -> None: ...

    def samples(self, number: int, network: torch.nn.Module) -> Round:
        """The `config.round_frames` samples of a round."""
        ...

    def memory(self) -> dict[str, np.ndarray]:
        """What later rounds need to know of the rounds so far, as arrays to be saved."""
        ...

    def recall(self, memory: dict[str, np.ndarray]) -> None:
        """Take up what `memory` gave."""
        ...

    def close(self) -> None:
        """Free the games."""
        ...


def round_seed(seed: int, number: int) -> int:
    """A round's seed for level variants: the same run never gives two rounds the same one."""
    return seed * 1_000_003 + number


def is_static(config: ImitationConfig, number: int) -> bool:
    """Whether a round is one of the first, in which the network does not play yet."""
    return number < round(config.static_rounds * config.rounds)


def own_frames(config: ImitationConfig, number: int) -> int:
    """How many of a round's samples come from states that the network itself reaches: none in the first rounds."""
    return 0 if is_static(config, number) else round(config.own_share * config.round_frames)
