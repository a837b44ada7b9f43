"""The systematic search for direction channels: how much a pair changes a channel, against how much it varies anyway.

When to use: to look for direction channels at all hook points at once. The pair finder orders channels by their mean
difference within pairs, in units of activation, so that loud channels come first, and hook points cannot be compared.
Here the difference is divided by the channel's standard deviation over random mazes.

    found = search_channels(network, bases, squares, hook_points)
    found["conv_out"].standardised.argsort()[::-1][:10]

Beside it stands what two random mazes do: a channel whose pair difference exceeds their mean difference tells the two
mazes of a pair, which differ in one wall, better apart than it tells two mazes that have nothing in common.

Source: footnote 1 of the channel-121 study, where it is proposed and not done.
Cost: a forward pass a frame, all hook points at once.

Axes: `maze` base mazes; `orientation`, `side` as in `direction_channels.py`; `channel` units for a vector.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, UInt8
from torch import nn

from procscope.activations.capture import capture
from procscope.envs.level_frames import LevelFrames, frames_of_levels
from procscope.envs.maze.pairs import ORIENTATIONS, DirectionPair

_FRAMES_AT_ONCE = 64
"""All maps of all hook points of so many frames are held at once: some 100 MB for IMPALA 16-32-32."""


@dataclass(frozen=True, eq=False)
class ChannelSearch:
    """The channels of one hook point."""

    hook_point: str
    effects: Float64[np.ndarray, " channel"]
    """Mean absolute difference of the sums within the pairs."""
    spread: Float64[np.ndarray, " channel"]
    """Standard deviation of the sum over random mazes."""
    between_mazes: Float64[np.ndarray, " channel"]
    """Mean absolute difference of the sums of two random mazes."""

    @property
    def standardised(self) -> Float64[np.ndarray, " channel"]:
        """Effects in standard deviations; 0 for a channel that never varies."""
        return np.divide(self.effects, self.spread, out=np.zeros_like(self.effects), where=self.spread > 0)

    @property
    def stand_out(self) -> float:
        """Share of the channels that differ more within pairs than between two random mazes."""
        return float((self.effects > self.between_mazes).mean())


def search_channels(
    network: nn.Module,
    bases: Sequence[Sequence[DirectionPair]],
    squares: LevelFrames,
    hook_points: Sequence[str],
) -> dict[str, ChannelSearch]:
    """Search all hook points.

    Args:
        bases: base mazes, each as the four pairs of `direction_pairs`.
        squares: random mazes with the mouse on random squares, at least two.

    Raises ValueError: no base mazes, or fewer than two random ones.
    """
    if not bases or len(squares.frames) < 2:
        raise ValueError(
            f"expected at least one base maze and two random ones; given {len(bases)} and {len(squares.frames)}"
        )
    paired = frames_of_levels(
        [level for pairs in bases for pair in pairs for level in (pair.first, pair.second)]
    )
    of_pairs = _sums(network, paired.frames, hook_points)
    of_squares = _sums(network, squares.frames, hook_points)
    found = {}
    for name in hook_points:
        pairs = of_pairs[name].reshape(len(bases), len(ORIENTATIONS), 2, -1).astype(np.float64)
        random = of_squares[name].astype(np.float64)
        found[name] = ChannelSearch(
            name,
            np.abs(pairs[:, :, 0] - pairs[:, :, 1]).mean(axis=(0, 1)),
            random.std(axis=0),
            np.abs(random - np.roll(random, 1, axis=0)).mean(axis=0),
        )
    return found


def _sums(
    network: nn.Module, frames: UInt8[np.ndarray, "frame row col rgb"], hook_points: Sequence[str]
) -> dict[str, Float32[np.ndarray, "frame channel"]]:
    """The sum of every channel's map; of a vector, its units."""
    parts: dict[str, list[np.ndarray]] = {name: [] for name in hook_points}
    for start in range(0, len(frames), _FRAMES_AT_ONCE):
        read = capture(network, frames[start : start + _FRAMES_AT_ONCE], list(hook_points), dtype="float32")
        for name in hook_points:
            maps = read.activations[name]
            parts[name].append(maps.reshape(*maps.shape[:2], -1).sum(axis=2))
    return {name: np.concatenate(each) for name, each in parts.items()}
