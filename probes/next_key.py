"""Which units say of a key that it comes next? Levels with three keys at two stages, each unit read at the keys.

When to use: to tell "a key lies here" from "the key to be fetched lies here". At either stage of `Stages` the next key
and the one after it lie in the same picture; from the first stage to the second the roles move on by a key. A unit that
is loud at one colour, or near the agent's start, is right at one stage; one that follows the plan at both. In the
engine's levels the plan takes blue, green, red, so that a unit that ranks colours so is right at both as well:
`procscope.envs.heist.pairs.recoloured` exchanges them.

    read = read_next_keys(network, [stages_of(level) for level in levels], "conv_out")
    read.right(unit_sign)                        # [level, unit]: louder at the next key at both stages

Source: notes on a Heist agent (S4): "channels that track the current objective"; the stages are ours.
Cost: two frames a level.

Axes: `level`, `stage`, `unit`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int
from torch import nn

from procscope.activations.capture import capture
from procscope.activations.encoding import Encoder, encoded
from procscope.envs.heist.pairs import Stages
from procscope.envs.level_frames import frames_of_levels
from procscope.envs.maze.geometry import MIDDLE, MazeGeometry

CHANCE = 0.25
"""Share of levels in which a unit without any relation is right at both stages."""


@dataclass(frozen=True, eq=False)
class NextKeys:
    """What every unit shows at the next key and at the one after it."""

    at_next: Float64[np.ndarray, "level stage unit"]
    at_later: Float64[np.ndarray, "level stage unit"]

    def signs(self, levels: slice) -> Int[np.ndarray, " unit"]:
        """1 for units that are louder at the next key on average over some levels, else -1."""
        gain = (self.at_next - self.at_later)[levels].mean(axis=(0, 1))
        return np.where(gain >= 0, 1, -1)

    def right(self, signs: Int[np.ndarray, " unit"]) -> Bool[np.ndarray, "level unit"]:
        """Whether each unit, taken with its sign, is larger at the next key than at the later one at both stages."""
        return ((self.at_next - self.at_later) * signs > 0).all(axis=1)


def read_next_keys(
    network: nn.Module,
    stages: Sequence[Stages],
    hook_point: str,
    *,
    center: float = MIDDLE,
    encoder: Encoder | None = None,
) -> NextKeys:
    """Mean of each unit within one position of the keys.

    Args:
        center: where the middle of what a position looks at lies (`procscope.envs.maze.geometry`).

    Raises ValueError: no levels, a hook point without square maps, and as `capture`.
    """
    levels = [level for one in stages for level in one.levels]
    shown = frames_of_levels(levels)
    maps = capture(network, shown.frames, [hook_point], dtype="float32").activations[hook_point]
    if maps.ndim != 4 or maps.shape[2] != maps.shape[3]:
        raise ValueError(
            f"expected square maps [channel, row, col] at {hook_point!r}; it has shape {maps.shape[1:]} per frame. "
            "Choose a hook point before the flattening"
        )
    if encoder is not None:
        maps = encoded(encoder, maps)
    geometry = MazeGeometry.of_frames(levels[0].size, levels[0].size)
    size = maps.shape[-1]
    at = []
    for cells in ([one.next_key for one in stages], [one.later_key for one in stages]):
        spots = geometry.cell_to_position(np.array(cells).reshape(-1, 2), size, center)
        at.append(mean_near(maps, np.clip(spots, 0, size - 1)).reshape(len(stages), 2, -1))
    return NextKeys(*at)


def mean_near(
    maps: Float[np.ndarray, "frame unit row col"], spots: Int[np.ndarray, "frame rowcol"], reach: int = 1
) -> Float64[np.ndarray, "frame unit"]:
    """Mean of each map over the positions at most `reach` rows and columns from a spot, one spot a frame."""
    rows, cols = np.indices(maps.shape[-2:])
    row, col = spots[:, 0, None, None], spots[:, 1, None, None]
    near = ((np.abs(rows - row) <= reach) & (np.abs(cols - col) <= reach)).astype(np.float64)
    return np.einsum("furc,frc->fu", maps, near, optimize=True) / near.sum(axis=(1, 2))[:, None]
