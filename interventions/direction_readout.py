"""Does a channel's sum tell the way to the cheese on mazes that it was not chosen on?

When to use: after the pair finder, on random squares of random mazes, in distribution and out of it. AUROC
says how well the sum ranks squares where a direction is right above those where it is not; the threshold that
stands in for the study's "above 30 it is almost certain" is the lowest that reaches a wanted precision on
other mazes.

Source: S3.sum-vs-direction, "The sum of channel 121 grouped by cheese position" (figure without numbers).
Cost: none beside the forward passes.

Axes: `frame` squares, one a level; `channel`; `position` row or column of a map.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Real
from torch import nn

from procscope.activations.capture import capture
from procscope.activations.channel_sums import ChannelSums
from procscope.envs.actions import Move
from procscope.envs.level_frames import LevelFrames
from procscope.envs.maze.geometry import IMPALA_CENTER, MazeGeometry
from procscope.envs.maze.value import WORLD_CELLS
from procscope.workbench.statistics import Interval, auroc, wilson


class DirectionReadout(NamedTuple):
    """One channel's sums on random squares, and whether its direction is the right step there."""

    sums: Float[np.ndarray, " frame"]
    is_right: Bool[np.ndarray, " frame"]

    @property
    def auroc(self) -> Interval:
        """How often the sum is higher where the direction is right than where it is not.

        Raises ValueError: fewer than two squares of either kind.
        """
        return auroc(self.sums, self.is_right)

    def precision_above(self, threshold: float) -> Interval:
        """Share of squares with a sum above the threshold where the direction is right.

        Raises ValueError: there are none.
        """
        above = self.sums > threshold
        if not above.any():
            raise ValueError(f"no square has a sum above {threshold:.3g}, so there is no precision")
        return wilson(int(self.is_right[above].sum()), int(above.sum()))

    def recall_above(self, threshold: float) -> Interval:
        """Share of squares where the direction is right whose sum is above the threshold.

        Raises ValueError: there are no such squares.
        """
        found = self.sums[self.is_right] > threshold
        return wilson(int(found.sum()), len(found))


def direction_readout(read: ChannelSums, channel: int, reading: Sequence[Move]) -> DirectionReadout:
    """One channel's sums beside "the next step to the cheese is in the reading"."""
    is_right = np.isin(read.labels["best_move"], [int(move) for move in reading])
    return DirectionReadout(read.sums[:, channel].astype(np.float64), is_right)


def precision_threshold(readout: DirectionReadout, precision: float = 0.99) -> float:
    """The lowest threshold above which at least a share `precision` of the squares has the direction right.

    It lies halfway between the lowest sum above it and the next one below. Measure what it does on other
    mazes than those that it was found on. Raises ValueError: not even the highest sums reach the precision.
    """
    order = np.argsort(-readout.sums, kind="stable")
    sums, right = readout.sums[order], readout.is_right[order]
    reached = right.cumsum() / np.arange(1, len(right) + 1) >= precision
    # A threshold cannot part equal sums.
    ends_run = np.append(sums[:-1] > sums[1:], True)
    places = np.flatnonzero(reached & ends_run)
    if not len(places):
        raise ValueError(
            f"no threshold on the sum reaches a precision of {precision} on {len(sums)} squares: the highest "
            f"sum is {sums[0]:.3g}, where the direction is {'right' if right[0] else 'wrong'}"
        )
    last = places[-1]
    return (
        float(sums[last] + sums[last + 1]) / 2
        if last + 1 < len(sums)
        else float(np.nextafter(sums[last], -np.inf))
    )


def shares_near_mouse(
    network: nn.Module,
    shown: LevelFrames,
    channel: int,
    hook_point: str = "conv_out",
    world: int = WORLD_CELLS["easy"],
) -> Float[np.ndarray, " frame"]:
    """The share of a channel's sum that lies within one position of the mouse's; NaN where the channel is silent.

    For IMPALA, whose positions look a little to the upper left (`IMPALA_CENTER`). A map without any pattern
    gives 9 of 64 in the middle of 8 x 8 positions, less at its edges.
    """
    maps = capture(network, shown.frames, [hook_point], dtype="float32").activations[hook_point][:, channel]
    labels = shown.labels
    mice = np.stack([labels["agent_x"], labels["agent_y"]], axis=1)
    geometry = MazeGeometry.of_frames(labels["maze_size"], world)
    return share_near(maps, geometry.cell_to_position(mice, maps.shape[-1], IMPALA_CENTER))


def share_near(
    maps: Real[np.ndarray, "frame position position"], places: Int[np.ndarray, "frame rowcol"], reach: int = 1
) -> Float[np.ndarray, " frame"]:
    """The share of each map's sum that lies within `reach` positions of a place, in rows and in columns.

    For a map after a ReLU; NaN where its sum is 0.
    """
    rows, columns = np.indices(maps.shape[1:])
    row, column = places[:, 0, None, None], places[:, 1, None, None]
    near = (np.abs(rows - row) <= reach) & (np.abs(columns - column) <= reach)
    totals = maps.sum(axis=(1, 2), dtype=np.float64)
    inside = (maps * near).sum(axis=(1, 2), dtype=np.float64)
    return np.divide(inside, totals, out=np.full(len(maps), np.nan), where=totals > 0)
