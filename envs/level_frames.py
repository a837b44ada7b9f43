"""What an agent sees at the start of given levels, with the truth of every frame: for studies that need no play.

    seeds = maze_seeds_of_size(15, 400, first_seed=TEST_SEEDS.start)
    shown = frames_from_seeds("maze", seeds, ["cheese-top-right", mouse_where_possible([Move.UP])])
    shown.frames, shown.labels["best_move"]

The variants decide where cheese and mouse are; the two below put the mouse where the study of direction
channels wants it. A level's draws depend on its seed and `variant_seed` alone, so the same seeds give the
same mazes with the same cheeses whatever the mouse does, if the cheese's variant comes first.
Cost: about 1 ms a frame, most of it making the level and drawing it.

Axes: `frame` one per level.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, UInt8

from procscope.envs.actions import MOVE_STEPS, Move
from procscope.envs.engine import scratch_engine
from procscope.envs.labels import Columns, label_states
from procscope.envs.level_supply import Variants
from procscope.envs.maze import MazeLevel
from procscope.envs.starting_states import starting_states
from procscope.envs.variants import LevelFunction

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


def frames_of_levels(levels: Sequence[MazeLevel]) -> LevelFrames:
    """First frames of given mazes, which must be of one mode. Raises ValueError: none, or of several modes."""
    modes = {level.mode for level in levels}
    if len(modes) != 1:
        raise ValueError(f"expected levels of one mode; given: {len(levels)} levels of modes {sorted(modes)}")
    return _shown("maze", modes.pop(), [level.to_state() for level in levels])


def mouse_where_possible(moves: Sequence[Move]) -> LevelFunction:
    """A variant that puts the mouse on a random free cell from which one of the moves is possible.

    It is never the cheese's cell. As footnote 5 of the channel-121 study, "in a random square where move UP is
    legal". The variant raises ValueError for a level without such a cell; made with no moves, so does this.
    """
    if not moves:
        raise ValueError("expected at least one move that is to be possible; given: none")

    def mouse_on_random_square(level: MazeLevel, rng: np.random.Generator) -> MazeLevel:
        padded = np.pad(~level.walls, 1)
        possible = np.zeros_like(level.walls)
        for move in moves:
            dx, dy = MOVE_STEPS[move].tolist()
            possible |= padded[1 + dy : 1 + dy + level.size, 1 + dx : 1 + dx + level.size]
        candidates = [(x, y) for x, y in level.free_cells() if possible[y, x] and (x, y) != level.cheese]
        if not candidates:
            names = " or ".join(move.name for move in moves)
            raise ValueError(
                f"expected a free cell from which {names} is possible; the maze has none:\n{level}"
            )
        return level.with_mouse(*candidates[rng.integers(len(candidates))], allow_unsolvable=True)

    return mouse_on_random_square


def mouse_at_decision_square(level: MazeLevel, rng: np.random.Generator) -> MazeLevel:
    """The mouse where the ways to the cheese and to the top-right corner part; unmoved if they do not.

    The label `at_decision_square` tells which.
    """
    square = level.decision_square() if level.is_solvable() else None
    return level if square is None else level.with_mouse(*square)


def _shown(game: str, mode: str, states: list[bytes]) -> LevelFrames:
    if not states:
        raise ValueError("expected at least one level to show; given: none")
    return LevelFrames(scratch_engine(game, mode).render(states), label_states(states))


def _joined(parts: list[LevelFrames]) -> LevelFrames:
    labels = {name: np.concatenate([part.labels[name] for part in parts]) for name in parts[0].labels}
    return LevelFrames(np.concatenate([part.frames for part in parts]), labels)
