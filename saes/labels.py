"""What is true of samples: the statements that latents are compared with.

When to use: `monosemanticity.py` does. A statement is a probe's expression over a cache's labels (docs/probes.md) that
is true or false, or has classes, of which each makes a statement of its own:

    best_move                       best_move == 0, best_move == 1, ...
    distance_to_goal_cells <= 2
    here(goal_row, goal_col)        of each position of a map

`default_statements` and `default_places` pick those that a cache's labels allow. Statements that are true of next to
no sample, or of nearly all, say nothing and are left out.

Axes: `sample` a frame or a position of it, `label`.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from procscope.activations.cache import ActivationCache
from procscope.envs.actions import Move
from procscope.probes.expressions import parse
from procscope.probes.levels import Levels
from procscope.probes.targets import read_targets

RAREST = 20
"""Samples of which a statement must be true, and must be false, to count."""

_EVERYWHERE = (
    "best_move",
    "distance_to_goal_cells <= 1",
    "distance_to_goal_cells <= 4",
    "at_decision_square",
    "best_move_to_corner",
    "agent_moving",
    "goal_visible",
    "agent_row < 32",
    "agent_col < 32",
    "goal_row < agent_row",
    "goal_col < agent_col",
    "next_target_kind",
    "next_target_colour",
    "on_ground",
    "facing_right",
    "hazard_kind",
    "hazard_distance_euclidean < 3",
)
_MOVES = re.compile(r"best_move\w*$")
_THINGS = ("agent", "goal", "key_blue", "key_green", "key_red", "lock_blue", "lock_green", "lock_red")


class Statements(NamedTuple):
    """Which statements are true of which samples."""

    names: tuple[str, ...]
    true: Bool[np.ndarray, "sample label"]
    frames: Int[np.ndarray, " frame"]
    """Rows of the cache whose samples these are, in order; of a map, all positions of each."""
    levels: Levels
    """Of the frames."""

    @property
    def samples_per_frame(self) -> int:
        return len(self.true) // len(self.frames)


def default_statements(cache: ActivationCache) -> tuple[str, ...]:
    """Expressions about frames that a cache's labels allow."""
    known = set(cache.label_columns)
    return tuple(text for text in _EVERYWHERE if set(parse(text).columns) <= known)


def default_places(cache: ActivationCache) -> tuple[str, ...]:
    """Expressions about positions of a map: where things are."""
    known = set(cache.label_columns)
    # Compared with 0, so that a thing that is not in the picture is nowhere in it, and its frames stay.
    return tuple(
        f"here({thing}_row, {thing}_col) and {thing}_row >= 0" for thing in _THINGS if f"{thing}_row" in known
    )


def looks_at(cache: ActivationCache, positions: tuple[int, ...]) -> float:
    """Where in its square of the picture a position looks.

    Each of IMPALA's pools (3 x 3, stride 2, padded by 1) looks half a pixel of its input to the upper left.
    """
    architecture = str(cache.source.get("model", {}).get("architecture", "")).lower()
    return positions[0] / 128 if positions and "impala" in architecture else 0.5


def read_statements(
    cache: ActivationCache,
    expressions: Sequence[str],
    positions: tuple[int, ...] = (),
    *,
    center: float = 0.5,
    frames: int = 0,
    seed: int = 0,
) -> Statements:
    """The truth of each statement in each sample.

    Args:
        positions: rows and columns of a map each of whose positions is a sample.
        center: where in its square of the picture a position looks (see `read_targets`).
        frames: at most so many, as whole levels drawn at random; 0 for all.
        seed: of that draw.

    Expressions that read a label which is -1 for "there is none" in most frames, or never change, are left out, so
    that the others keep their frames. Raises ValueError: none is left; an expression that gives numbers, or cannot be
    read; fewer than two levels.
    """
    usable, refused = [], []
    for text in expressions:
        try:
            alone = read_targets(cache, [text], positions=positions, center=center)
        except ValueError as error:
            if "expected a target that varies" not in str(error) and "at least two levels" not in str(error):
                raise
            refused.append(f"{text}: {error}")
            continue
        if not alone.targets[0].is_class:
            raise ValueError(
                f"expected a statement that is true or false, or has classes; {text!r} gives numbers. Compare it with "
                "one, such as distance_to_goal_cells <= 2"
            )
        if 2 * len(alone.rows) >= len(cache):
            usable.append(text)
    if not usable:
        raise ValueError(
            f"expected at least one statement that is true of some frames of {cache.path} and false of others; given "
            f"{', '.join(expressions) or 'none'}. {' '.join(refused[:2])}"
        )
    data = read_targets(cache, usable, positions=positions, center=center)
    if frames:
        data = data.some(frames, np.random.default_rng((seed, 6)))
    names, columns = [], []
    for target in data.targets:
        is_truth_value = set(target.classes) == {"False", "True"}
        for number, name in enumerate(target.classes):
            column = target.values == number
            if is_truth_value and name == "False":
                continue
            if RAREST <= int(column.sum()) <= len(column) - RAREST:
                names.append(target.name if is_truth_value else _named(target.name, name))
                columns.append(column)
    if not names:
        raise ValueError(
            f"expected statements that are true of at least {RAREST} samples and false of as many; none of "
            f"{', '.join(usable)} is. Take more frames"
        )
    return Statements(tuple(names), np.stack(columns, axis=1), data.rows, data.levels)


def _named(target: str, value: str) -> str:
    """A class in words: moves by their names."""
    if _MOVES.search(target) and value.isdigit() and int(value) < len(Move):
        return f"{target} is {Move(int(value)).name}"
    return f"{target} == {value}"
