"""What each entity adds to all channels at its own place: one channel per entity, or a pattern over several?

When to use: to compare how a layer writes keys, locks and the gem. A thing's *vector* is the mean, over levels, of what
the channels at its place change by when the thing is taken away; it is compared with that of other things, and its
spread over channels is counted.

Source: notes on a Heist agent (S4): "identify a specific channel for each of the different entities".
Cost: two forward passes a level and thing.

Axes: `thing`, `channel`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64
from torch import nn

from procscope.activations.capture import capture
from procscope.envs.heist import HeistLevel
from procscope.envs.heist.things import COLOURS
from procscope.envs.level_frames import frames_of_levels
from procscope.envs.maze.geometry import MazeGeometry

THINGS = (*(f"{colour} key" for colour in COLOURS), *(f"{colour} lock" for colour in COLOURS), "gem")


class EntityVectors(NamedTuple):
    """Mean change at the thing's place, in standard deviations of each channel."""

    things: tuple[str, ...]
    vectors: Float64[np.ndarray, "thing channel"]

    @property
    def participation(self) -> Float64[np.ndarray, " thing"]:
        """Over how many channels each vector is spread: (sum of squares)² / sum of fourth powers; 1 for one channel."""
        squares = self.vectors**2
        return squares.sum(axis=1) ** 2 / np.maximum((squares**2).sum(axis=1), np.finfo(float).tiny)

    @property
    def cosines(self) -> Float64[np.ndarray, "thing other"]:
        """Likeness of the things' vectors."""
        unit = self.vectors / np.maximum(
            np.linalg.norm(self.vectors, axis=1, keepdims=True), np.finfo(float).tiny
        )
        return unit @ unit.T


def entity_vectors(
    network: nn.Module, levels: Sequence[HeistLevel], hook_point: str, center: float
) -> EntityVectors:
    """The vectors of all things that some level has.

    Args:
        center: where the middle of what a position looks at lies (`procscope.envs.maze.geometry`).

    Raises ValueError: no level, a hook point without maps, and as `capture`.
    """
    maps = _maps(network, levels, hook_point)
    size = maps.shape[-1]
    spread = np.maximum(maps.std(axis=(0, 2, 3)), np.finfo(float).tiny)
    geometry = MazeGeometry.of_frames(levels[0].size, levels[0].size)
    found = {}
    for thing in THINGS:
        rows = [i for i, level in enumerate(levels) if thing in level.occupied().values()]
        if not rows:
            continue
        without = _maps(network, [_without(levels[i], thing) for i in rows], hook_point)
        cells = [next(c for c, name in levels[i].occupied().items() if name == thing) for i in rows]
        spots = np.clip(geometry.cell_to_position(np.array(cells), size, center), 0, size - 1)
        change = maps[rows] - without
        found[thing] = change[np.arange(len(rows)), :, spots[:, 0], spots[:, 1]].mean(axis=0) / spread
    return EntityVectors(tuple(found), np.array(list(found.values())))


def _maps(
    network: nn.Module, levels: Sequence[HeistLevel], hook_point: str
) -> Float64[np.ndarray, "level channel row col"]:
    frames = frames_of_levels(levels).frames
    maps = capture(network, frames, [hook_point], dtype="float32").activations[hook_point].astype(np.float64)
    if maps.ndim != 4:
        raise ValueError(
            f"expected maps [channel, row, col] at {hook_point!r}; it has shape {maps.shape[1:]} per frame"
        )
    return maps


def _without(level: HeistLevel, thing: str) -> HeistLevel:
    if thing == "gem":
        return level.without_gem()
    colour, kind = thing.split()
    return level.without_key(colour, allow_unsolvable=True) if kind == "key" else level.without_locks(colour)
