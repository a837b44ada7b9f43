"""The two vectors of the maze studies, level by level: what the cheese adds to an activation, and the top-right corner.

When to use: to steer a maze policy with `Steer(..., per_frame=True)`, at any hook point.

- The *cheese vector* of a level: its activation less that of the same level without the cheese.
- The *top-right vector*: the activation with a way opened from the maze's top-right cell to that of the world, less the
  activation as it is. The cells round a small maze look like walls, so that the maze with the way is a larger maze in
  the same place of the picture; levels that fill their world have no such vector.

The mouse is where the level has it. A vector is a map with the level's own geometry in it: it is meant for that level,
wherever the mouse goes there.

Source: Turner, MacDiarmid et al. 2023, Understanding and controlling a maze-solving policy network (arXiv:2310.08043)
and the posts before it, which the channel-121 study builds on.
Cost: two forward passes a level for each vector, all hook points at once.

Axes: `level`, then those of the hook point.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32
from torch import nn

from procscope.activations.capture import capture
from procscope.envs.engine import scratch_engine
from procscope.envs.maze import MazeLevel

Vectors = dict[str, Float32[np.ndarray, "level channel *position"]]
"""By hook point."""


def cheese_vectors(network: nn.Module, levels: Sequence[MazeLevel], hook_points: Sequence[str]) -> Vectors:
    """Each level's activation with its cheese less the one without. Raises ValueError: a level without cheese."""
    bare = [i for i, level in enumerate(levels) if level.cheese is None]
    if bare:
        raise ValueError(f"expected levels with a cheese; those at {bare[:5]} have none")
    return activation_differences(network, levels, [level.without_cheese() for level in levels], hook_points)


def top_right_vectors(network: nn.Module, levels: Sequence[MazeLevel], hook_points: Sequence[str]) -> Vectors:
    """Each level's activation with a way to the world's top-right cell less the one without. Raises: as `with_way`."""
    return activation_differences(network, [with_way(level) for level in levels], levels, hook_points)


def with_way(level: MazeLevel) -> MazeLevel:
    """The level in a maze as large as its world, with a corridor on from its top-right cell: right, then up.

    Raises ValueError: the level fills its world, or its top-right cell is a wall.
    """
    margin, size = level.margin, level.size
    if margin == 0 or level.walls[-1, -1]:
        raise ValueError(
            f"expected a maze smaller than its world of {level.world} cells, with a free top-right cell; given one of "
            f"{size}, where that cell is {'a wall' if level.walls[-1, -1] else 'free'}"
        )
    walls = np.ones((level.world, level.world), bool)
    walls[margin : margin + size, margin : margin + size] = level.walls
    walls[margin + size - 1, margin + size :] = False
    walls[margin + size :, -1] = False
    cheese = None if level.cheese is None else (level.cheese[0] + margin, level.cheese[1] + margin)
    mouse = (level.mouse[0] + margin, level.mouse[1] + margin)
    return MazeLevel(**level.values() | {"walls": walls, "cheese": cheese, "mouse": mouse})


def activation_differences(
    network: nn.Module, first: Sequence[MazeLevel], second: Sequence[MazeLevel], hook_points: Sequence[str]
) -> Vectors:
    """The first levels' activations less the second's, pair by pair.

    Raises ValueError: no levels, or as many of one as not of the other.
    """
    if not first or len(first) != len(second):
        raise ValueError(f"expected pairs of levels, at least one; given {len(first)} and {len(second)}")
    engine = scratch_engine("maze", first[0].mode)
    one, two = (
        capture(
            network, engine.render([level.to_state() for level in levels]), list(hook_points), dtype="float32"
        )
        for levels in (first, second)
    )
    return {name: one.activations[name] - two.activations[name] for name in hook_points}
