"""What an agent sees at the start of given levels, with the truth of every frame: for studies that need no play.

    seeds = maze_seeds_of_size(15, 400, first_seed=TEST_SEEDS.start)
    shown = frames_from_seeds("maze", seeds, ["cheese-top-right", mouse_where_possible([Move.UP])])
    shown.frames, shown.labels["best_move"]

The variants decide where agent and goal are. A level's draws depend on its seed and `variant_seed` alone, so
the same seeds give the same levels with the same goals wherever the agent is, if the goal's variant comes first.
Cost: about 1 ms a frame, most of it making the level and drawing it.

Axes: `frame` one per level.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, UInt8

from procscope.envs.engine import scratch_engine
from procscope.envs.labels import Columns, label_states
from procscope.envs.level_supply import Variants
from procscope.envs.starting_states import starting_states

_LEVELS_AT_ONCE = 512
"""States are some 20 kB each; more at once would only take memory."""


class LevelFrames(NamedTuple):
    """First frames of some levels and their labels."""

    frames: UInt8[np.ndarray, "frame 64 64 3"]
    labels: Columns
    """The columns of `procscope.envs.labels`, each with one entry per frame."""

    def where(self, chosen: Bool[np.ndarray, " frame"]) -> "LevelFrames":
        """Those frames that are chosen, in order."""
        return LevelFrames(
            self.frames[chosen], {name: column[chosen] for name, column in self.labels.items()}
        )


def frames_from_seeds(
    game: str,
    level_seeds: Sequence[int],
    variants: Variants = (),
    *,
    variant_seed: int = 0,
    mode: str = "easy",
) -> LevelFrames:
    """First frames of the levels with these seeds after the variants.

    Raises ValueError: no seeds, or as `starting_states`.
    """
    parts = [
        starting_states(
            game,
            level_seeds[start : start + _LEVELS_AT_ONCE],
            mode=mode,
            variants=variants,
            variant_seed=variant_seed,
        )
        for start in range(0, max(len(level_seeds), 1), _LEVELS_AT_ONCE)
    ]
    return _joined([_shown(game, mode, part) for part in parts])


def frames_of_levels(levels: Sequence[Any]) -> LevelFrames:
    """First frames of given levels, as `MazeLevel`, of one game and mode; ValueError for none, or for several."""
    worlds = {(level.game, level.mode) for level in levels}
    if len(worlds) != 1:
        raise ValueError(
            f"expected levels of one game and mode; given: {len(levels)} levels of {sorted(worlds)}"
        )
    return _shown(*worlds.pop(), [level.to_state() for level in levels])


def _shown(game: str, mode: str, states: list[bytes]) -> LevelFrames:
    if not states:
        raise ValueError("expected at least one level to show; given: none")
    return LevelFrames(scratch_engine(game, mode).render(states), label_states(states))


def _joined(parts: list[LevelFrames]) -> LevelFrames:
    labels = {name: np.concatenate([part.labels[name] for part in parts]) for name in parts[0].labels}
    return LevelFrames(np.concatenate([part.frames for part in parts]), labels)
