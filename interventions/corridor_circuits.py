"""Are there circuits of their own for the two kinds of corridor cells of a maze?

In the engine's mazes a cell with even x and odd y is a corridor in which one goes up or down, one with odd x and even y
one in which one goes left or right; cells with both even are rooms, where ways may part. The channel-121 study asks
whether a network has separate circuits for the two.

When to use: `study_corridors` for one network. A channel matters on a kind of cell if taking away what it says there
(its mean in its place) moves the choice: the divergence of the action probabilities. If the two kinds had circuits of
their own, the channels that matter on the one would not be those that matter on the other: `overlap`, the rank
correlation over channels. Three numbers beside it say what it means:

- `reliability`: the same correlation of one kind with itself, between two halves of the mazes: the highest to expect;
- `overlap` of corridors with rooms in which the same moves are right: whether a difference is one of cells or moves;
- `dissociation`: with the channels taken away that matter most on one kind (chosen on one half of the mazes), how much
  more the probability of the right move falls on that kind than on the other (on the other half).

Source: "Notes on the maze generator" of the channel-121 study, a question without a measurement.
Cost: the layers after the hook point once for each channel and frame; three frames a maze.

Axes: `level`, `channel`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64
from torch import nn

from procscope.activations.capture import capture
from procscope.activations.channel_statistics import channel_statistics
from procscope.envs.actions import Move, move_probabilities
from procscope.envs.level_frames import LevelFrames, frames_of_levels
from procscope.envs.maze import MazeLevel
from procscope.interventions.ablation import MeanAblation
from procscope.interventions.arms import run_arms
from procscope.interventions.effects import measure_effects
from procscope.workbench.mean_intervals import mean_interval
from procscope.workbench.rank_correlation import correlation_of_means
from procscope.workbench.statistics import Interval

KINDS = ("vertical", "horizontal", "room")
_PARITY = {"vertical": (0, 1), "horizontal": (1, 0), "room": (0, 0)}
"""Of x and y."""
Importance = Float64[np.ndarray, "level channel"]


@dataclass(frozen=True, eq=False)
class CorridorStudy:
    """How much each channel matters on each kind of cell."""

    importance: Mapping[str, Importance]
    """By kind: divergence in nats of the action probabilities with the channel at its mean."""
    room_is_vertical: Bool[np.ndarray, " level"]
    """Whether the right move in each maze's room is up or down."""
    drops: Mapping[tuple[str, str], Float64[np.ndarray, " half"]]
    """By the kind that channels were chosen for and the kind that they were taken away on: fall of the right move's
    probability, in the half of the mazes that they were not chosen on."""

    def overlap(self, one: str, other: str) -> Interval:
        """Rank correlation over channels of how much they matter on two kinds of cells, resampled by maze.

        A room counts by its right move: "vertical room", "horizontal room".
        """
        first, second = self._of(one), self._of(other)
        paired = len(first) == len(second)
        return correlation_of_means(first, second, paired=paired, rng=np.random.default_rng(0))

    def reliability(self, kind: str) -> Interval:
        """The same of one kind with itself, between every other maze and the rest."""
        mine = self._of(kind)
        even, odd = mine[: len(mine) // 2 * 2 : 2], mine[1::2]
        return correlation_of_means(even, odd, paired=False, rng=np.random.default_rng(0))

    def dissociation(self) -> Interval:
        """Mean of both kinds: how much further the right move falls on the kind that channels were chosen for."""
        gains = [
            self.drops[kind, kind] - self.drops[kind, other]
            for kind, other in (("vertical", "horizontal"), ("horizontal", "vertical"))
        ]
        return mean_interval(np.mean(gains, axis=0))

    def _of(self, kind: str) -> Importance:
        if kind in self.importance and kind != "room":
            return self.importance[kind]
        vertical = {"vertical room": True, "horizontal room": False}[kind]
        chosen = self.importance["room"][self.room_is_vertical == vertical]
        if len(chosen) < 2:
            raise ValueError(f"expected at least two rooms of the kind {kind!r}; there are {len(chosen)}")
        return chosen


def study_corridors(
    network: nn.Module,
    levels: Sequence[MazeLevel],
    hook_point: str,
    rng: np.random.Generator,
    *,
    share: float = 0.125,
) -> CorridorStudy:
    """Ablate every channel on a random cell of each kind in each maze.

    Args:
        levels: mazes with the engine's lattice, of at least 5 x 5 cells, each with a cheese; at least four.
        share: of the channels that are taken away together for the dissociation.

    Raises ValueError: fewer than four levels, or one that has no cell of some kind.
    """
    if len(levels) < 4:
        raise ValueError(f"expected at least four mazes, half of them to choose on; given {len(levels)}")
    shown = {kind: frames_of_levels([_at(level, kind, rng) for level in levels]) for kind in KINDS}
    everything = np.concatenate([one.frames for one in shown.values()])
    statistics = channel_statistics(
        capture(network, everything, [hook_point], dtype="float32").activations[hook_point]
    )
    arms = [(MeanAblation.of(statistics, hook_point, [channel]),) for channel in range(statistics.n_channels)]
    importance = {
        kind: measure_effects(network, [one.frames], arms).action_kl.T for kind, one in shown.items()
    }
    half = len(levels) // 2
    count = max(1, round(share * statistics.n_channels))
    drops = {}
    for kind in KINDS[:2]:
        chosen = np.argsort(-importance[kind][:half].mean(axis=0), kind="stable")[:count].tolist()
        arm = (MeanAblation.of(statistics, hook_point, chosen),)
        for other in KINDS[:2]:
            drops[kind, other] = _drop(network, shown[other], arm)[half:]
    is_vertical = np.isin(shown["room"].labels["best_move"], [Move.UP, Move.DOWN])
    return CorridorStudy(importance, is_vertical, drops)


def _drop(network: nn.Module, shown: LevelFrames, arm: tuple) -> Float64[np.ndarray, " level"]:
    """How much less probable the right move is under an arm, frame by frame."""
    best = np.asarray(shown.labels["best_move"])
    parts = [part.logits for part in run_arms(network, shown.frames, [(), arm])]
    chances = move_probabilities(np.concatenate(parts, axis=1).astype(np.float64))  # type: ignore[arg-type]
    untouched, changed = chances[:, np.arange(len(best)), best]
    return untouched - changed


def _at(level: MazeLevel, kind: str, rng: np.random.Generator) -> MazeLevel:
    """The level with the mouse on a random cell of a kind, other than the cheese's."""
    parity = _PARITY[kind]
    cells = [(x, y) for x, y in level.free_cells() if (x % 2, y % 2) == parity and (x, y) != level.cheese]
    if not cells:
        raise ValueError(f"expected a maze with a {kind} cell; there is none in\n{level}")
    return level.with_mouse(*cells[int(rng.integers(len(cells)))])
