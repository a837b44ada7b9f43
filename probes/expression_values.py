"""Values of an expression of the language of targets, frame by frame.

    evaluate(parse("min(1 / distance_to_goal_cells, 5)"), {"distance_to_goal_cells": steps})

Truth values count as 0 and 1 in arithmetic; numbers are float64, so that nothing overflows into an endless computation.
A division by zero gives infinity, as in `min(1 / x, 5)`; a target that is not finite in the end is refused later.

Cost: some NumPy passes over the columns.

Axes: `frame` rows of the cache.
"""

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Shaped

from procscope.probes.expressions import Expression, constant

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": np.abs,
    "sqrt": np.sqrt,
    "exp": np.exp,
    "log": np.log,
    "sin": np.sin,
    "cos": np.cos,
    "sign": np.sign,
    "floor": np.floor,
    "round": np.round,
    "min": lambda *x: np.minimum.reduce(np.broadcast_arrays(*x)),
    "max": lambda *x: np.maximum.reduce(np.broadcast_arrays(*x)),
    "clip": lambda x, low, high: np.minimum(np.maximum(x, low), high),
    "isfinite": np.isfinite,
}
_OPERATORS: dict[type, Callable[..., Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.true_divide,
    ast.FloorDiv: np.floor_divide,
    ast.Mod: np.mod,
    ast.Pow: np.power,
}
_COMPARISONS: dict[type, Callable[..., Any]] = {
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
}


@runtime_checkable
class Surroundings(Protocol):
    """What functions need that look at other frames, or at a position of a map."""

    @property
    def has_positions(self) -> bool:
        """Whether values are [frame, position] rather than [frame]."""
        ...

    def shifted(self, values: Shaped[np.ndarray, "frame"], steps: int) -> Shaped[np.ndarray, "frame"]:
        """The values of so many frames later in the episode (earlier if negative)."""
        ...

    def steps_to_end(self) -> Shaped[np.ndarray, "frame"]:
        """Frames until the episode ends."""
        ...

    def future_return(self, discount: float) -> Shaped[np.ndarray, "frame"]:
        """Discounted rewards from this frame on."""
        ...

    def here(self, row: Shaped[np.ndarray, "..."], col: Shaped[np.ndarray, "..."]) -> np.ndarray:
        """Whether a pixel of the picture is what a position of the map looks at."""
        ...


def evaluate(
    expression: Expression, columns: Mapping[str, np.ndarray], surroundings: Surroundings | None = None
) -> Shaped[np.ndarray, "..."]:
    """Its value in each frame: float64, bool, or text.

    Raises ValueError: truth values where numbers are needed or the other way round, a column that holds other
    things, an entry that a column lacks, a function that needs surroundings and has none.
    """
    with np.errstate(all="ignore"):
        return _Walk(expression.text, columns, surroundings).of(expression.tree)


class _Walk:
    """Values of a tree that `_Check` has passed."""

    def __init__(self, text: str, columns: Mapping[str, np.ndarray], surroundings: Any) -> None:
        self.text, self.columns, self.surroundings = text, columns, surroundings

    def of(self, node: ast.expr) -> np.ndarray:
        match node:
            case ast.Constant(value=str() as text):
                return np.asarray(text, dtype=object)
            case ast.Constant(value=bool() as truth):
                return np.asarray(truth)
            case ast.Constant(value=value):
                return np.asarray(float(value))  # type: ignore[arg-type]
            case ast.Name(id=name):
                return self.column(name)
            case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=int() as entry)):
                return self.column(name, entry)
            case ast.UnaryOp(op=ast.Not() | ast.Invert(), operand=one):
                return np.asarray(~self.truth(one))
            case ast.UnaryOp(op=op, operand=one):
                return np.asarray(-self.number(one)) if isinstance(op, ast.USub) else self.number(one)
            case ast.BinOp(left=left, op=ast.BitAnd(), right=right):
                return np.asarray(self.truth(left) & self.truth(right))
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                return np.asarray(self.truth(left) | self.truth(right))
            case ast.BinOp(left=left, op=op, right=right):
                return np.asarray(_OPERATORS[type(op)](self.number(left), self.number(right)))
            case ast.BoolOp(op=op, values=parts):
                join = np.logical_and if isinstance(op, ast.And) else np.logical_or
                return np.asarray(join.reduce(np.broadcast_arrays(*(self.truth(one) for one in parts))))
            case ast.Compare():
                return self.comparison(node)
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self.call(name, arguments)
        raise AssertionError(ast.dump(node))

    def number(self, node: ast.expr) -> np.ndarray:
        found = self.of(node)
        if found.dtype.kind not in "fb":
            raise ValueError(f"{self.text!r}: expected numbers, but {ast.unparse(node)} is text")
        return found.astype(np.float64)

    def truth(self, node: ast.expr) -> np.ndarray:
        found = self.of(node)
        if found.dtype != bool:
            raise ValueError(
                f"{self.text!r}: expected truth values, but {ast.unparse(node)} is a number. Compare it, for instance "
                f"{ast.unparse(node)} > 0"
            )
        return found

    def column(self, name: str, entry: int | None = None) -> np.ndarray:
        column = self.columns[name]
        if entry is None and column.ndim > 1:
            raise ValueError(
                f"{self.text!r}: each frame has {column.shape[1]} numbers of {name}; say which: {name}[0]"
            )
        if entry is not None:
            if column.ndim != 2 or not 0 <= entry < column.shape[1]:
                has = "one number a frame" if column.ndim == 1 else f"entries 0 to {column.shape[1] - 1}"
                raise ValueError(f"{self.text!r}: there is no {name}[{entry}]; {name} has {has}")
            column = column[:, entry]
        column = column if column.dtype.kind in "bOU" else column.astype(np.float64)
        return (
            column[:, None] if self.surroundings is not None and self.surroundings.has_positions else column
        )

    def comparison(self, node: ast.Compare) -> np.ndarray:
        held: list[np.ndarray] = []
        sides = [node.left, *node.comparators]
        for op, left, right in zip(node.ops, sides, node.comparators, strict=False):
            if isinstance(op, ast.In | ast.NotIn):
                given = self.of(left)
                listed = [constant(one) for one in right.elts]  # type: ignore[attr-defined]
                if any(isinstance(one, str) for one in listed) != (given.dtype.kind in "OU"):
                    raise ValueError(
                        f"{self.text!r}: {ast.unparse(left)} and what it is sought in differ in kind"
                    )
                found = (
                    np.isin(given.astype(str), listed) if given.dtype.kind in "OU" else np.isin(given, listed)
                )
                held.append(found if isinstance(op, ast.In) else ~found)
                continue
            one, two = self.of(left), self.of(right)
            texts = [side.dtype.kind in "OU" for side in (one, two)]
            if texts[0] != texts[1] or (all(texts) and not isinstance(op, ast.Eq | ast.NotEq)):
                raise ValueError(
                    f"{self.text!r}: {ast.unparse(left)} and {ast.unparse(right)} cannot be compared so; text is equal "
                    "to text or not"
                )
            held.append(np.asarray(_COMPARISONS[type(op)](one, two)).astype(bool))
        return np.asarray(np.logical_and.reduce(np.broadcast_arrays(*held)))

    def call(self, name: str, arguments: Sequence[ast.expr]) -> np.ndarray:
        if name == "where":
            yes, no = self.of(arguments[1]), self.of(arguments[2])
            if yes.dtype != no.dtype:
                yes, no = self.number(arguments[1]), self.number(arguments[2])
            return np.where(self.truth(arguments[0]), yes, no)
        if name in _FUNCTIONS:
            return np.asarray(_FUNCTIONS[name](*(self.number(one) for one in arguments)))
        if self.surroundings is None:
            raise ValueError(f"{self.text!r}: {name} needs a cache's episodes or maps around it")
        if name == "here":
            return self.surroundings.here(self.number(arguments[0]), self.number(arguments[1]))
        if name == "steps_to_end":
            return self.surroundings.steps_to_end()
        if name == "future_return":
            return self.surroundings.future_return(float(constant(arguments[0]) or 0))
        steps = int(constant(arguments[1]) or 0)
        return self.surroundings.shifted(self.of(arguments[0]), steps if name == "ahead" else -steps)
