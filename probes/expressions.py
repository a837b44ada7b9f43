"""The small language in which targets and filters are written: arithmetic on label columns, and nothing else.

    expression = parse("min(1 / distance_to_goal_cells, 5)")
    expression.columns                                          # ("distance_to_goal_cells",)
    evaluate(expression, {"distance_to_goal_cells": steps})     # [frame], see `expression_values.py`

Numbers, names of columns, `+ - * / // % **`, comparisons (also chained, `0 < agent_x < 4`, and `in (0, 3)`), `and or
not`, `logits[3]` for columns with several entries, and these functions:

    abs sqrt exp log sin cos sign floor round min max clip(x, low, high) where(condition, yes, no) isfinite
    before(x, k)           x of k frames earlier in the episode
    ahead(x, k)            x of k frames later           } from the future of the frame:
    steps_to_end()         frames until the episode ends  } see `future.py`
    future_return(0.99)    discounted rewards from here   }
    here(row, col)         whether a position of the map looks at that pixel (`features.py`: each position a sample)

The text is parsed and its tree walked; nothing is ever handed to `eval`. What the language has not is refused by name.

Cost: none.
"""

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from procscope.workbench.plugins import suggest

LONGEST = 500
"""Characters of an expression."""

_ARITY = {
    **dict.fromkeys("abs sqrt exp log sin cos sign floor round isfinite".split(), (1, 1)),
    "min": (2, 9),
    "max": (2, 9),
    "clip": (3, 3),
    "where": (3, 3),
    "ahead": (2, 2),
    "before": (2, 2),
    "steps_to_end": (0, 0),
    "future_return": (1, 1),
    "here": (2, 2),
}
"""Functions of the language, with the least and largest number of arguments."""
_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.BitAnd, ast.BitOr)
_COMPARISONS = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE)


@dataclass(frozen=True)
class Expression:
    """A parsed expression; make it with `parse`."""

    text: str
    columns: tuple[str, ...]
    """Label columns that it reads, in the order of their first mention."""
    functions: frozenset[str]
    """Functions that it calls."""
    reads: frozenset[tuple[str, int]]
    """Columns, and how many frames later (earlier if negative) they are read."""
    tested_for_none: frozenset[str]
    """Columns that it compares with 0 or a negative number, and so tells what -1 is to count as."""
    tree: ast.expr = field(compare=False, repr=False)


def parse(text: str) -> Expression:
    """Read an expression. Raises ValueError: what is wrong with it, and what the language has instead."""
    if not text.strip() or len(text) > LONGEST:
        raise ValueError(
            f"expected an expression of 1 to {LONGEST} characters, such as distance_to_goal_cells; given {len(text)}"
        )
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(
            f"cannot read the expression {text!r}: {getattr(error, 'msg', error)}. Write for instance "
            "min(1 / distance_to_goal_cells, 5) or agent_row < 32 and not agent_moving"
        ) from None
    check = _Check(text)
    check.expression(tree)
    if not check.columns and not check.functions & {"steps_to_end", "future_return"}:
        raise ValueError(f"expected an expression that reads a label column; {text!r} reads none")
    return Expression(
        text.strip(),
        tuple(dict.fromkeys(check.columns)),
        frozenset(check.functions),
        frozenset(check.reads),
        frozenset(check.tested),
        tree,
    )


class _Check:
    """Walks the tree once and refuses what the language has not."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.columns: list[str] = []
        self.functions: set[str] = set()
        self.reads: set[tuple[str, int]] = set()
        self.later = 0
        self.tested: set[str] = set()

    def expression(self, node: ast.expr) -> None:
        match node:
            case ast.Constant(value=bool() | int() | float() | str()):
                pass
            case ast.Name(id=name):
                self.reading(name)
            case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=int())):
                self.reading(name)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() | ast.Not() | ast.Invert(), operand=one):
                self.expression(one)
            case ast.BinOp(left=left, op=op, right=right) if isinstance(op, _OPERATORS):
                self.expression(left)
                self.expression(right)
            case ast.BoolOp(values=parts):
                for one in parts:
                    self.expression(one)
            case ast.Compare():
                self.comparison(node)
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                self.call(name, arguments)
            case _:
                raise self.refused(node)

    def comparison(self, node: ast.Compare) -> None:
        self.expression(node.left)
        sides = [node.left, *node.comparators]
        for op, left, right in zip(node.ops, sides, node.comparators, strict=False):
            if isinstance(op, ast.In | ast.NotIn):
                if not isinstance(right, ast.Tuple | ast.List | ast.Set) or any(
                    constant(one) is None for one in right.elts
                ):
                    raise ValueError(f"{self.text!r}: `in` needs constants in brackets, such as in (0, 3)")
                self._note([left], [constant(one) for one in right.elts])
            elif isinstance(op, _COMPARISONS):
                self.expression(right)
                self._note([left, right], [constant(left), constant(right)])
            else:
                raise self.refused(node)

    def call(self, name: str, arguments: Sequence[ast.expr]) -> None:
        if name not in _ARITY:
            raise ValueError(f"{self.text!r}: there is no function {name!r}. {suggest(name, _ARITY)}")
        least, most = _ARITY[name]
        if not least <= len(arguments) <= most:
            count = str(least) if least == most else f"{least} to {most}"
            raise ValueError(f"{self.text!r}: {name} takes {count} arguments, given {len(arguments)}")
        self.functions.add(name)
        if name == "future_return":
            value = constant(arguments[0])
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
                raise ValueError(f"{self.text!r}: the discount of future_return lies above 0, up to 1")
        elif name in ("ahead", "before"):
            value = constant(arguments[1])
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"{self.text!r}: {name} takes a whole number of frames from 1 on")
            self.later += value if name == "ahead" else -value
            self.expression(arguments[0])
            self.later -= value if name == "ahead" else -value
        else:
            for one in arguments:
                self.expression(one)
            if name == "here":  # what is nowhere in the picture is at no position
                self.tested |= {one.id for one in arguments if isinstance(one, ast.Name)}

    def reading(self, name: str) -> None:
        self.columns.append(name)
        self.reads.add((name, self.later))

    def refused(self, node: ast.AST) -> ValueError:
        what = ast.unparse(node) if isinstance(node, ast.expr) else type(node).__name__
        return ValueError(
            f"{self.text!r}: {what!r} is not part of the language. It has columns, numbers, + - * / // % **, "
            "comparisons, "
            f"and, or, not, and the functions {', '.join(_ARITY)}"
        )

    def _note(self, names: Sequence[ast.expr], constants: Sequence[Any]) -> None:
        low = any(isinstance(one, int | float) and one <= 0 for one in constants)
        self.tested |= {one.id for one in names if low and isinstance(one, ast.Name)}


def constant(node: ast.expr) -> Any:
    """The value of a constant of the tree, also a negative number; None for anything else."""
    match node:
        case ast.Constant(value=bool() | int() | float() | str() as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
    return None
