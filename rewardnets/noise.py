"""Transitions of pure noise: what does a reward network make of pictures that mean nothing?

    frames, next_frames = noise_pairs(100, "different", rng)

Source: dissertation, section 5.5 and Table 5.1: every colour of every pixel drawn from a normal distribution with mean
0.5 and variance 1 and clipped to 0..1, so that 62% of them are black or white. Here rounded to bytes, as frames are.

Axes: `row col rgb` pictures from the top left.
"""

from typing import Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import UInt8

from procscope.envs.frames import FRAME_SIZE

Kind = Literal["different", "same"]
KINDS: tuple[Kind, ...] = get_args(Kind)


class NoisePairs(NamedTuple):
    """Frames and next frames."""

    frames: UInt8[np.ndarray, "picture 64 64 3"]
    next_frames: UInt8[np.ndarray, "picture 64 64 3"]


def noise_pairs(count: int, kind: Kind, rng: np.random.Generator) -> NoisePairs:
    """Pairs of noise: two pictures (`different`), or one twice (`same`). ValueError: fewer than one, another kind."""
    if count < 1 or kind not in KINDS:
        raise ValueError(f"expected at least one pair, different or same; given {count}, {kind!r}")
    shape = (count, FRAME_SIZE, FRAME_SIZE, 3)

    def drawn() -> np.ndarray:
        return np.rint(255 * np.clip(rng.normal(0.5, 1.0, shape), 0, 1)).astype(np.uint8)

    frames = drawn()
    return NoisePairs(frames, drawn() if kind == "different" else frames)
