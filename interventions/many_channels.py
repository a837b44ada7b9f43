"""Take many channels away at once: does the mouse still head for the cheese?

When to use: for sets of channels that are thought to carry something together, on many mazes, with the same ablation of
as many other channels beside it. Three readouts, maze by maze:

- `change`: how far the arrows turn, on average over all free cells;
- `arrives`: whether one who follows the longest arrow of every cell, from the mouse's start, comes to the cheese;
- `found`: whether the mouse finds it in play.

Source: S3.zero16 of the channel-121 study, which zeroes 16 of 128 channels and looks at the vector field of one maze.
Its author calls the test weak, since some channels are never near 0: hence the mean and the minimum in place of zero.
Cost: for each maze the shared layers once for every cell, the later ones once for every cell and arm.

Axes: `level` the mazes whose fields are made; `played` those that are played.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64
from torch import nn

from procscope.activations.capture import capture
from procscope.activations.channel_statistics import ChannelStatistics, channel_statistics
from procscope.envs.actions import MOVE_STEPS, Move
from procscope.envs.level_frames import frames_of_levels
from procscope.envs.maze import MazeLevel
from procscope.interventions.ablation import MeanAblation, MinAblation, ZeroAblation
from procscope.interventions.intervention import Intervention
from procscope.interventions.named_arms import UNTOUCHED, NamedArm, plan_arms
from procscope.interventions.sweep import sweep_rollouts
from procscope.interventions.vector_field import VectorField, maze_fields

ABLATIONS = ("zero", "mean", "min")


@dataclass(frozen=True, eq=False)
class ManyAblated:
    """What became of every maze under every arm: "untouched", each of `ABLATIONS`, and their controls."""

    channels: tuple[int, ...]
    arms: tuple[NamedArm, ...]
    change: Mapping[str, Float64[np.ndarray, " level"]]
    """Mean length of the difference from the untouched field."""
    arrives: Mapping[str, Bool[np.ndarray, " level"]]
    found: Mapping[str, Bool[np.ndarray, " played"]]

    def controls(self, ablation: str) -> list[str]:
        """The names of an ablation's control arms."""
        return [arm.name for arm in self.arms if arm.control_of == ablation]


def ablate_many(
    network: nn.Module,
    channels: Sequence[int],
    levels: Sequence[MazeLevel],
    hook_point: str,
    *,
    played: Sequence[MazeLevel],
    seed: int,
    max_steps: int,
) -> ManyAblated:
    """Ablate the channels in three ways, and as many others, in the fields of some mazes and in the play of others.

    Means, minima and the norms that controls are matched by are of the first frames of all these mazes with the mouse
    on random squares. Raises ValueError: no mazes, or channels that the hook point does not have.
    """
    rng = np.random.default_rng(seed)
    seen = frames_of_levels([_anywhere(level, rng) for level in (*levels, *played)]).frames
    measured = channel_statistics(
        capture(network, seen, [hook_point], dtype="float32").activations[hook_point]
    )
    planned = plan_arms(
        ablations_of(measured, hook_point, channels),
        1,
        controls=True,
        statistics={hook_point: measured},
        seed=seed,
    )
    arms = {arm.name: arm.of(0) for arm in planned if arm.name != UNTOUCHED}
    change: dict[str, list[float]] = {arm.name: [] for arm in planned}
    arrives: dict[str, list[bool]] = {arm.name: [] for arm in planned}
    for level in levels:
        fields = maze_fields(network, level, arms)
        for name, field in fields.items():
            change[name].append(field.minus(fields[UNTOUCHED]).mean_length)
            arrives[name].append(follows_to_cheese(field, level))
    swept = sweep_rollouts(network, played, arms, seed=seed, max_steps=max_steps, controls=False)
    return ManyAblated(
        tuple(channels),
        planned,
        {name: np.array(each) for name, each in change.items()},
        {name: np.array(each) for name, each in arrives.items()},
        {name: swept.of(name).astype(bool) for name in arrives},
    )


def ablations_of(
    statistics: ChannelStatistics, hook_point: str, channels: Sequence[int]
) -> dict[str, Intervention]:
    """The three ablations of a set of channels, by name."""
    return {
        "zero": ZeroAblation(hook_point, channels),
        "mean": MeanAblation.of(statistics, hook_point, channels),
        "min": MinAblation.of(statistics, hook_point, channels),
    }


def follows_to_cheese(field: VectorField, level: MazeLevel) -> bool:
    """Whether the most probable move of each cell leads from the mouse to the cheese."""
    moves = field.probabilities.argmax(axis=1)
    cell, seen = level.mouse, set()
    while cell != level.cheese:
        at = field.at(cell)
        if cell in seen or moves[at] == Move.STAY or not field.open[at, moves[at]]:
            return False
        seen.add(cell)
        dx, dy = MOVE_STEPS[moves[at]].tolist()
        cell = (cell[0] + dx, cell[1] + dy)
    return True


def _anywhere(level: MazeLevel, rng: np.random.Generator) -> MazeLevel:
    cells = [cell for cell in level.free_cells() if cell != level.cheese]
    return level.with_mouse(*cells[int(rng.integers(len(cells)))])
