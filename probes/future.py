"""What lies ahead of a frame: labels some frames on, steps to the end, returns; and the check against such leaks.

A probe that reads the future of a frame asks another question than "does the network know where things are": what it
finds may be luck, the actor's habits, or a plan. So a target from the future is refused unless it was asked for
(`allow_future`). Three things count as such:

- the functions `ahead`, `steps_to_end` and `future_return` of the language of targets;
- the columns `reward` and `done`, which say what the action of this frame led to, and columns of other makers whose
  names say as much: `return_…`, `next_…`, `final_…`, `…_to_end`;
- any column that this project's games do not label themselves, if its numbers *are* the steps to the end, the
  undiscounted return, or another column one frame on: then its name does not matter.

For a column that the games label the last finding is no leak: under an expert, `distance_to_goal_cells` is exactly the
steps to the end. It is reported, since such a cache cannot tell the two apart.

Cost: some passes over the columns.

Axes: `frame` rows of the cache, episodes in one piece (as `activations.sampling` writes them).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float64, Int, Shaped

from procscope.envs.frames import FRAME_SIZE
from procscope.probes.expressions import Expression

FUTURE_FUNCTIONS = ("ahead", "steps_to_end", "future_return")
FUTURE_COLUMNS = ("reward", "done")
_FUTURE_NAMES = re.compile(
    r"^(next|future|final|return|returns|remaining|outcome)(_|$)|(_|^)(to_end|to_go|left_in_episode|returns?)$|_return_"
)
OF_THE_GAMES = re.compile(
    r"^(episode|step|level_seed|variant|action|logits|value|(agent|goal|key_\w+|lock_\w+|decision)_\w+|next_target_\w+"
    r"|best_move\w*|distance_to_\w+|target_distance_euclidean|steps_to_target_cells|maze_size|at_decision_square"
    r"|n_(keys_held|keys_left|locks_left)|holds_\w+|on_ground|facing_right|least_\w+|hazard_\w+|view_\w+)$"
)
"""Columns whose meaning is known: of a frame's present (and the network's own outputs)."""
_AGREE = 1e-5
"""Relative difference up to which two columns count as one (labels are float32)."""


@dataclass(frozen=True, eq=False)
class FrameOrder:
    """Which frames follow each other. Frames without one that is asked for give NaN: they are `missing`."""

    episode: Int[np.ndarray, " frame"]
    step: Int[np.ndarray, " frame"]
    reward: Float64[np.ndarray, " frame"] | None = None
    done: Bool[np.ndarray, " frame"] | None = None

    positions: tuple[int, ...] = ()
    """Rows and columns of a map, where each of its positions is a sample."""
    center: float = 0.5
    """Where in its square of the picture a position looks (`envs.maze.geometry.IMPALA_CENTER`)."""

    @property
    def has_positions(self) -> bool:
        return bool(self.positions)

    @cached_property
    def _run(self) -> Int[np.ndarray, " frame"]:
        """Number of the unbroken run of frames that a frame is in: same episode, steps that count up by one."""
        breaks = (np.diff(self.episode) != 0) | (np.diff(self.step) != 1)
        return np.concatenate([[0], np.cumsum(breaks)])

    @cached_property
    def _last(self) -> Int[np.ndarray, " frame"]:
        """Row of the last frame of the run."""
        ends = np.flatnonzero(np.append(np.diff(self._run) != 0, True))
        return ends[self._run]

    def has(self, steps: int) -> Bool[np.ndarray, " frame"]:
        """Whether there is a frame so many steps later (earlier if negative) in the episode."""
        other = np.arange(len(self.episode)) + steps
        inside = (other >= 0) & (other < len(self.episode))
        return inside & (self._run[np.where(inside, other, 0)] == self._run)

    @property
    def has_end(self) -> Bool[np.ndarray, " frame"]:
        """Whether the cache holds the end of the frame's episode: False where a block cut it."""
        return self._need("done", self.done)[self._last]

    def shifted(self, values: Shaped[np.ndarray, "frame"], steps: int) -> Shaped[np.ndarray, "frame"]:
        """Values of `steps` frames later; NaN where there are none (truth values become 0, 1 and NaN)."""
        there = self.has(steps)
        if values.dtype.kind in "OU":
            raise ValueError("expected numbers or truth values to look ahead at, given text")
        moved = values[np.where(there, np.arange(len(values)) + steps, 0)].astype(np.float64)
        return np.where(there.reshape(-1, *(1,) * (values.ndim - 1)), moved, np.nan)

    def steps_to_end(self) -> Float64[np.ndarray, " frame"]:
        """Frames after this one until the episode is over: 1 in its last frame. NaN where the end was cut off."""
        left = self._last - np.arange(len(self.episode)) + 1.0
        return self._column(np.where(self.has_end, left, np.nan))

    def future_return(self, discount: float) -> Float64[np.ndarray, " frame"]:
        """The sum of this frame's reward and the discounted later ones. NaN where the end was cut off."""
        reward = self._need("reward", self.reward)
        total, found = 0.0, np.empty(len(reward))
        last = self._last
        for i in range(len(reward) - 1, -1, -1):
            total = reward[i] + (0.0 if last[i] == i else discount * total)
            found[i] = total
        return self._column(np.where(self.has_end, found, np.nan))

    def _column(self, values: np.ndarray) -> np.ndarray:
        return values[:, None] if self.positions else values

    def here(self, row: np.ndarray, col: np.ndarray) -> Bool[np.ndarray, "frame position"]:
        """Whether each position looks at that pixel: the one whose middle is nearest to it. Out of the picture: none.

        Raises ValueError: frames have no positions.
        """
        if not self.positions:
            raise ValueError(
                "here(row, col) asks about a position of a map. Read the layer at each-position (--read each-position)"
            )
        rows, cols = self.positions
        places = np.indices(self.positions).reshape(2, -1)
        inside = (row >= 0) & (col >= 0)
        at_row = np.floor((row + 0.5) * rows / FRAME_SIZE + 0.5 - self.center)
        at_col = np.floor((col + 0.5) * cols / FRAME_SIZE + 0.5 - self.center)
        at_row, at_col = np.clip(at_row, 0, rows - 1), np.clip(at_col, 0, cols - 1)
        return inside & (at_row == places[0]) & (at_col == places[1])

    def on_map(self, values: np.ndarray) -> np.ndarray:
        """Values of frames, or of each of their positions, as one row for each sample."""
        if not self.positions:
            return values
        return np.broadcast_to(
            values.reshape(len(self.episode), -1), (len(self.episode), int(np.prod(self.positions)))
        )

    @staticmethod
    def _need(name: str, column: np.ndarray | None) -> np.ndarray:
        if column is None:
            raise ValueError(f"expected a cache with the label {name!r} to look ahead with; it has none")
        return column


def future_parts(expression: Expression, known: Sequence[str]) -> list[str]:
    """What of an expression is from the future by its name: functions, columns. `known`: columns of the games."""
    columns = [
        name
        for name in expression.columns
        if name in FUTURE_COLUMNS or (name not in known and _FUTURE_NAMES.search(name))
    ]
    return [f"{name}()" for name in FUTURE_FUNCTIONS if name in expression.functions] + columns


def coincidences(
    values: Float64[np.ndarray, " frame"], order: FrameOrder, labels: Mapping[str, np.ndarray]
) -> list[str]:
    """What of the future a column equals wherever both are there: "steps_to_end()", "ahead(agent_x, 1)".

    A column that does not vary coincides with nothing. Args: labels: other columns, to be compared one frame on.
    """
    found = []
    if order.done is not None and _same(values, order.steps_to_end()):
        found.append("steps_to_end()")
    if order.reward is not None and order.done is not None and _same(values, order.future_return(1.0)):
        found.append("future_return(1)")
    for name, column in labels.items():
        if column.ndim == 1 and column.dtype.kind in "fiub":
            ahead = order.shifted(column, 1)
            # A column that is as near to the other one's present says nothing of its future.
            if _same(values, ahead) and not _same(values, column.astype(np.float64)):
                found.append(f"ahead({name}, 1)")
    return found


def refuse_future(
    expressions: Sequence[Expression],
    condition: Expression | None,
    columns: dict[str, np.ndarray],
    order: FrameOrder | None,
) -> None:
    """Raises ValueError: a target, or the filter, is from the future of the frame; what of it is said."""
    for expression in [*expressions, *([condition] if condition else [])]:
        parts = future_parts(expression, [name for name in expression.columns if OF_THE_GAMES.match(name)])
        if not parts and order is not None and expression is not condition:
            foreign = [
                name
                for name in expression.columns
                if not OF_THE_GAMES.match(name) and columns[name].dtype.kind in "fiub"
            ]
            for name in foreign:
                others = {other: column for other, column in columns.items() if other != name}
                same = (
                    coincidences(columns[name].astype(np.float64), order, others)
                    if columns[name].ndim == 1
                    else []
                )
                parts += [f"{name} (which equals {' and '.join(same)})"] if same else []
        if parts:
            raise ValueError(
                f"{expression.text!r} is from the future of the frame ({', '.join(parts)}): a probe that finds it "
                "may find "
                "the actor's habits or luck rather than what the frame shows. If that is the question, ask for it with "
                "allow_future (--allow-future)"
            )


def mentions(
    expressions: Sequence[Expression], columns: dict[str, np.ndarray], order: FrameOrder | None
) -> list[str]:
    """Columns of ours that this cache cannot tell from the future."""
    if order is None:
        return []
    found = []
    for name in dict.fromkeys(name for one in expressions for name in one.columns):
        column = columns[name]
        if column.ndim == 1 and column.dtype.kind in "fiub" and name not in ("step", "episode"):
            found += [
                f"In this cache `{name}` equals `{what}` (up to a constant) in every frame: the two cannot be told "
                "apart "
                "here. Add noise to the actor, or sample single frames."
                for what in coincidences(column.astype(np.float64), order, {})
            ]
    return found


def _same(one: np.ndarray, two: np.ndarray) -> bool:
    """Whether two columns are equal, up to a constant, where both are numbers: at least ten frames that vary."""
    both = np.isfinite(one) & np.isfinite(two)
    if both.sum() < 10:
        return False
    a, b = one[both], two[both]
    spread = float(np.ptp(b))
    if spread == 0:
        return False
    apart = a - b
    return float(np.ptp(apart)) <= _AGREE * spread
