"""Which channels of a place, or latents, say where the cheese is, or a key of Heist: on levels with it and without.

When to use: to choose channels for retargeting, on other levels than those that are then played.

    found = track_goal(network, levels, "block2.res1")          # the cheese
    found = track_key(network, heist_levels, "block2.res1")     # the one key of each level
    found.strongest(4)                      # channels
    found.at_goal[4], found.concentration[4]

A channel tracks the cheese if the cheese changes it at the cheese's position, by much of what it ever varies, and
nowhere else. Its *response* is the mean change at that position in units of the channel's standard deviation; its
*concentration* the share of the change (in size) that lies within one position. A channel whose change is spread out
gets no credit for being loud: channels are ordered by response times concentration.

Source: the eleven cheese channels of Turner, MacDiarmid et al. 2023 (arXiv:2310.08043), chosen there by eye.
Cost: two forward passes a level.

Axes: `level`; `channel` or latent; `row col` of the map.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int
from torch import nn

from procscope.activations.capture import capture
from procscope.activations.encoding import Encoder, encoded
from procscope.envs.frames import FRAME_SIZE
from procscope.envs.heist import HeistLevel
from procscope.envs.level_frames import frames_of_levels
from procscope.envs.maze import MazeLevel
from procscope.envs.maze.geometry import MazeGeometry
from procscope.interventions.direction_readout import share_near

REACH = 1
"""Positions next to the cheese's that count as its own."""


@dataclass(frozen=True, eq=False)
class GoalTracking:
    """What the cheese does to each channel of one hook point."""

    hook_point: str
    map_size: int
    """Rows, and columns, of the map."""
    response: Float64[np.ndarray, " channel"]
    """Mean change at the cheese's position, signed, in standard deviations of the channel over positions and levels."""
    concentration: Float64[np.ndarray, " channel"]
    """Mean share of the change within one position of the cheese; 0 for a channel that the cheese does not change."""
    at_goal: Float64[np.ndarray, " channel"]
    """Mean activation at the cheese's position."""
    mean: Float64[np.ndarray, " channel"]
    """Mean activation over all positions, without the cheese."""
    concentrations: Float64[np.ndarray, "level channel"]
    """Level by level, NaN where the cheese changes nothing."""

    @property
    def chance(self) -> float:
        """Concentration of a change that is spread evenly over the map."""
        return (2 * REACH + 1) ** 2 / self.map_size**2

    @property
    def center(self) -> float:
        """Where the middle of what a position looks at lies (`procscope.envs.maze.geometry`), for IMPALA's pools."""
        return center_of(self.map_size)

    def strongest(self, count: int) -> list[int]:
        """The channels that track the cheese best, the best first."""
        return np.argsort(-np.abs(self.response) * self.concentration, kind="stable")[:count].tolist()


def center_of(map_size: int) -> float:
    """The `center` of IMPALA's maps: pools of 3 at stride 2 put position i over the pixel at which its unit begins."""
    return 0.5 * map_size / FRAME_SIZE


def track_goal(
    network: nn.Module, levels: Sequence[MazeLevel], hook_point: str, encoder: Encoder | None = None
) -> GoalTracking:
    """Compare the maps of levels with their cheese and without.

    Args:
        encoder: an SAE, whose latents are then looked at in place of channels.

    Raises ValueError: fewer than two levels, one without cheese, or a hook point that has no maps.
    """
    if len(levels) < 2 or any(level.cheese is None for level in levels):
        raise ValueError(f"expected at least two levels, all with a cheese; given {len(levels)}")
    shown = frames_of_levels(levels)
    frames = shown.frames, frames_of_levels([level.without_cheese() for level in levels]).frames
    with_, without = (_maps(network, each, hook_point, encoder) for each in frames)
    size = with_.shape[-1]
    goals = np.stack([shown.labels["goal_x"], shown.labels["goal_y"]], axis=1).astype(np.int64)
    geometry = MazeGeometry.of_frames(shown.labels["maze_size"].astype(np.int64), levels[0].world)
    return _tracking(hook_point, with_, without, geometry.cell_to_position(goals, size, center_of(size)))


def track_key(
    network: nn.Module, levels: Sequence[HeistLevel], hook_point: str, center: float | None = None
) -> GoalTracking:
    """Compare the maps of levels with their one key and with none, neither held.

    Args:
        center: where the middle of what a position looks at lies (`procscope.envs.maze.geometry`); by default as
            IMPALA's pools put it.

    Raises ValueError: fewer than two levels, one with another number of keys, or a hook point that has no maps.
    """
    if len(levels) < 2 or any(len(level.keys) != 1 for level in levels):
        raise ValueError(f"expected at least two levels with one key each; given {len(levels)}")
    bare = [level.without_key(level.keys[0].colour, allow_unsolvable=True) for level in levels]
    with_, without = (_maps(network, frames_of_levels(each).frames, hook_point) for each in (levels, bare))
    size = with_.shape[-1]
    cells = np.array([level.keys[0].cell for level in levels])
    geometry = MazeGeometry.of_frames(levels[0].size, levels[0].size)
    spots = geometry.cell_to_position(cells, size, center_of(size) if center is None else center)
    return _tracking(hook_point, with_, without, spots)


def _maps(
    network: nn.Module, frames: np.ndarray, hook_point: str, encoder: Encoder | None = None
) -> Float64[np.ndarray, "level channel row col"]:
    captured = capture(network, frames, [hook_point], dtype="float32").activations[hook_point]
    maps = (captured if encoder is None else encoded(encoder, captured)).astype(np.float64)
    if maps.ndim != 4 or maps.shape[2] != maps.shape[3]:
        raise ValueError(
            f"expected square maps [channel, row, col] at {hook_point!r}; it has shape {maps.shape[1:]} per frame. "
            "Choose a hook point before the flattening"
        )
    return maps


def _tracking(
    hook_point: str,
    with_: Float64[np.ndarray, "level channel row col"],
    without: Float64[np.ndarray, "level channel row col"],
    spots: Int[np.ndarray, "level rowcol"],
) -> GoalTracking:
    """From the maps with the goal and without, and the position of the goal, which is moved into the map."""
    n_levels, n_channels, size, _ = with_.shape
    change = with_ - without
    spots = np.clip(spots, 0, size - 1)
    at = (np.arange(n_levels), slice(None), spots[:, 0], spots[:, 1])
    spread = without.std(axis=(0, 2, 3))
    near = np.stack([share_near(np.abs(change[:, c]), spots, REACH) for c in range(n_channels)], axis=1)
    response = np.divide(change[at].mean(axis=0), spread, out=np.zeros(n_channels), where=spread > 0)
    present = np.isfinite(near)
    counted = np.maximum(present.sum(axis=0), 1)
    return GoalTracking(
        hook_point,
        size,
        response,
        np.where(present, near, 0).sum(axis=0) / counted,
        with_[at].mean(axis=0),
        without.mean(axis=(0, 2, 3)),
        near,
    )
