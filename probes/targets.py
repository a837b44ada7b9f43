"""Targets: what a probe is to read, as numbers or classes per frame, and which frames count.

    data = read_targets(cache, ["distance_to_goal_cells", "min(1 / distance_to_goal_cells, 5)", "best_move"],
                        only_where="distance_to_goal_cells < 6")
    data.targets[0].values, data.rows, data.levels, data.notes

Targets and the filter are expressions over the cache's labels (`expressions.py`). All are read in one go and refer
to the same frames, so that their numbers can be compared:

- the filter's frames only;
- a frame counts for no target where a label that one of them reads is -1 for "there is none" (no goal, not in the
  picture; see `procscope.envs.labels`). How many were left out is said in `notes`. An expression that compares the
  label with 0 or -1 itself decides what none is to count as, and loses nothing: `where(goal_row < 0, 70, goal_row)`;
- NaN, infinity and constant targets are errors, as is a target from the future (`future.py`) unless it was asked for.

Truth values, text, moves and kinds are classes, everything else is numbers; `kind` decides otherwise.

Cost: the labels in memory, 8 bytes a frame and column; 2 million frames and ten targets take 0.3 GB.

Axes: `frame` the frames that count.
"""

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float64, Int

from procscope.activations.cache import ActivationCache, column_values
from procscope.probes.expression_values import evaluate
from procscope.probes.expressions import Expression, parse
from procscope.probes.future import FrameOrder, mentions, refuse_future
from procscope.probes.levels import Levels, levels_of

Kind = Literal["auto", "number", "class"]

MOST_CLASSES = 64
"""More are refused: with so many, a number is meant."""

_CLASSES = re.compile(r"^(action|best_move(_to_corner)?|hazard_kind|next_target_(kind|colour)|variant)$")
_NONE_IS_MINUS_1 = re.compile(
    r"^((goal|key_\w+|lock_\w+|next_target|decision|agent)_(x|y|row|col|exact_x|exact_y)"
    r"|\w*distance\w*|least_(steps|seconds)_to_goal|steps_to_target_cells|hazard_kind|next_target_(kind|colour))$"
)


@dataclass(frozen=True, eq=False)
class Target:
    """One target, on the frames that count."""

    name: str
    """The expression."""
    values: Float64[np.ndarray, " frame"] | Int[np.ndarray, " frame"]
    """Numbers, or the class's place in `classes`."""
    classes: tuple[str, ...] = ()
    """Empty for numbers."""

    @property
    def is_class(self) -> bool:
        return bool(self.classes)

    @property
    def codes(self) -> Float64[np.ndarray, " frame"] | tuple[Int[np.ndarray, " frame"], int]:
        """The same for `moments.Columns`, which makes the columns batch by batch."""
        return (self.values, len(self.classes)) if self.is_class else self.values

    @property
    def columns(self) -> Float64[np.ndarray, "frame column"]:
        """What a linear probe regresses on: the numbers, or a column of 0 and 1 for each class."""
        if not self.is_class:
            return self.values[:, None].astype(np.float64)
        return (self.values[:, None] == np.arange(len(self.classes))).astype(np.float64)


@dataclass(frozen=True, eq=False)
class TargetData:
    """Targets on the frames that count, which frames these are, and their levels."""

    targets: tuple[Target, ...]
    rows: Int[np.ndarray, " frame"]
    """Their positions in the cache, in order."""
    levels: Levels
    notes: tuple[str, ...]
    """What a reader must know: frames left out, coincidences with the future."""

    def some(self, most_frames: int, rng: np.random.Generator) -> "TargetData":
        """Whole levels, drawn at random, with at most so many frames (but two levels at least)."""
        if most_frames >= len(self.rows):
            return self
        sizes = np.bincount(self.levels.of_frame)
        drawn = rng.permutation(len(sizes))
        n = max(2, int(np.searchsorted(np.cumsum(sizes[drawn]), most_frames, side="right")))
        chosen = np.isin(self.levels.of_frame, drawn[:n])
        each = len(self.targets[0].values) // len(self.rows)
        targets = tuple(replace(one, values=one.values[np.repeat(chosen, each)]) for one in self.targets)
        note = f"Of these, {int(chosen.sum()):,} frames of {n:,} levels were drawn."
        return TargetData(targets, self.rows[chosen], self.levels.where(chosen), (*self.notes, note))


def read_targets(
    cache: ActivationCache,
    targets: Sequence[str],
    *,
    only_where: str = "",
    kind: Kind = "auto",
    allow_future: bool = False,
    positions: tuple[int, ...] = (),
    center: float = 0.5,
) -> TargetData:
    """The values of some targets in a cache.

    Args:
        positions: rows and columns of a map each of whose positions is a sample, for `here(agent_row, agent_col)`;
            values are then [frame x position].
        center: where in its square of the picture each position looks: 0.5 in the middle, 1/16 for IMPALA's `conv_out`.

    Raises ValueError: an expression that cannot be read; a label that the cache has not (the nearest are suggested); a
    target from the future; one that is constant, NaN or infinite; too many classes; no frames left, fewer than two
    levels.
    """
    if not targets:
        raise ValueError(
            f"expected at least one target, such as distance_to_goal_cells. Labels of {cache.path}: "
            f"{', '.join(cache.label_columns)}"
        )
    if len(set(targets)) < len(targets):
        raise ValueError(f"expected each target once; given {', '.join(targets)}")
    expressions = [parse(text) for text in targets]
    condition = parse(only_where) if only_where else None
    columns = _columns(cache, [*expressions, *([condition] if condition else [])])
    order = _order(cache)
    if positions and order is None:
        raise ValueError("expected a cache with the labels episode and step to read each position of a map")
    on_map = None if order is None else replace(order, positions=tuple(positions), center=center)
    if not allow_future:
        refuse_future(expressions, condition, columns, order)
    frames = len(cache)
    counts = np.ones(frames, bool)
    notes = []
    if condition is not None:
        held = evaluate(condition, columns, order)
        if held.dtype != bool:
            raise ValueError(
                f"expected truth values of only_where={only_where!r}, such as distance_to_goal_cells < 6; it gives "
                "numbers"
            )
        counts &= np.broadcast_to(held, frames)
        counts &= ~_none(condition, columns, order)
        notes.append(f"{int(counts.sum()):,} of {frames:,} frames are those where `{only_where}`.")
    for expression in expressions:
        none = counts & _none(expression, columns, order)
        if none.any():
            notes.append(
                f"{int(none.sum()):,} frames are left out, in which `{expression.text}` reads a label that is -1 "
                "(there "
                "is none) or looks past the episode's ends."
            )
            counts &= ~none
    rows = np.flatnonzero(counts)
    levels = levels_of(cache).where(counts) if len(rows) else Levels(np.zeros(0, np.int64), 0)
    if levels.n < 2:
        raise ValueError(
            f"expected frames of at least two levels, by which probes are tested; "
            f"{f'where {only_where}, ' if only_where else ''}{cache.path} has {len(rows)} frames of {levels.n}"
        )
    read = tuple(_target(one, columns, on_map, rows, kind) for one in expressions)
    if not allow_future:
        notes += mentions(expressions, columns, order)
    return TargetData(read, rows, levels, tuple(notes))


def _target(
    expression: Expression,
    columns: dict[str, np.ndarray],
    order: FrameOrder | None,
    rows: Int[np.ndarray, " frame"],
    kind: Kind,
) -> Target:
    frames = len(next(iter(columns.values())))
    found = evaluate(expression, columns, order)
    spread = np.broadcast_to(found, _shape(found, frames))
    values = spread if order is None else order.on_map(spread)
    values = np.ascontiguousarray(values[rows]).reshape(-1)
    name = expression.text
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        bad = ~np.isfinite(values)
        first = int(rows[np.flatnonzero(bad)[0] // (len(values) // len(rows))])
        raise ValueError(
            f"expected a finite {name!r} in every frame; it is NaN in {int(np.isnan(values).sum())} and infinite in "
            f"{int(np.isinf(values).sum())} of {len(values):,} frames (the first in row {first} of the cache). Leave "
            "them out with "
            f"only_where='isfinite({name})', or cap it: min(..., 5)"
        )
    if (values == values[0]).all():
        raise ValueError(
            f"expected a target that varies; {name!r} is {values[0]} in all {len(rows):,} frames. Take another target, "
            "another filter, or a cache of more varied levels"
        )
    wants_classes = kind == "class" or (
        kind == "auto"
        and (values.dtype.kind in "bOU" or _CLASSES.match(_read_plainly(expression)) is not None)
    )
    if not wants_classes:
        if values.dtype.kind in "OU":
            raise ValueError(f"expected numbers of {name!r}, found text. Read it as classes")
        return Target(name, values.astype(np.float64))
    found, place = np.unique(values.astype(str) if values.dtype.kind in "OU" else values, return_inverse=True)
    if len(found) > MOST_CLASSES:
        raise ValueError(
            f"expected at most {MOST_CLASSES} classes; {name!r} has {len(found)}. Read it as numbers (kind='number')"
        )
    return Target(name, place.astype(np.int64).reshape(-1), tuple(_class_name(one) for one in found.tolist()))


def _shape(found: np.ndarray, frames: int) -> tuple[int, ...]:
    return found.shape if found.ndim and len(found) == frames else (frames, *found.shape[1:])


def _read_plainly(expression: Expression) -> str:
    """The column of `ahead(column, 3)` and the like; the whole text of anything else."""
    match expression.tree:
        case ast.Call(func=ast.Name(id="ahead" | "before"), args=[ast.Name(id=name), _]):
            return name
    return expression.text


def _class_name(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _columns(cache: ActivationCache, expressions: Sequence[Expression]) -> dict[str, np.ndarray]:
    names = list(dict.fromkeys(name for one in expressions for name in one.columns))
    table = cache.labels(names) if names else cache.labels(["episode"])
    return {name: _values(table[name]) for name in table.column_names}


def _values(column: pa.ChunkedArray) -> np.ndarray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    array = column_values(column)
    return array.astype(object) if array.dtype.kind in "OU" else array


def _order(cache: ActivationCache) -> FrameOrder | None:
    """Who follows whom; None for a cache that does not say."""
    known = cache.label_columns
    if not {"episode", "step"} <= set(known):
        return None
    table = cache.labels([name for name in ("episode", "step", "reward", "done") if name in known])
    columns = {name: _values(table[name]) for name in table.column_names}
    reward, done = columns.get("reward"), columns.get("done")
    return FrameOrder(
        columns["episode"].astype(np.int64),
        columns["step"].astype(np.int64),
        None if reward is None else reward.astype(np.float64),
        None if done is None else done.astype(bool),
    )


def _none(
    expression: Expression, columns: dict[str, np.ndarray], order: FrameOrder | None
) -> Bool[np.ndarray, " frame"]:
    """Frames in which an expression reads what is not there."""
    none = np.zeros(len(next(iter(columns.values()))), bool)
    in_time = {"ahead", "before", "steps_to_end", "future_return"} & expression.functions
    if order is None:
        if in_time:
            raise ValueError(
                f"{expression.text!r} looks at other frames, for which the cache needs the labels episode and step"
            )
        for name, _ in expression.reads:
            none |= _is_none(expression, name, columns)
        return none
    for name, later in expression.reads:
        there = order.has(later)
        none |= ~there
        none |= np.where(
            there,
            _is_none(expression, name, columns)[np.where(there, np.arange(len(none)) + later, 0)],
            False,
        )
    if {"steps_to_end", "future_return"} & in_time:
        none |= ~order.has_end
    return none


def _is_none(expression: Expression, name: str, columns: dict[str, np.ndarray]) -> Bool[np.ndarray, " frame"]:
    """Where a label says that there is none, unless the expression asks about that itself."""
    if _NONE_IS_MINUS_1.match(name) and name not in expression.tested_for_none:
        return columns[name] == -1
    return np.zeros(len(columns[name]), bool)
