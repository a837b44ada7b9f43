"""Numbers and cells that callers give, checked where they come in: a wrong one is refused by name, as ValueError.

When: in everything public that takes a cell, a count or a share from a person. Python's own numbers and NumPy's are
taken alike, and given back as Python's.
"""

import math
from collections.abc import Iterable
from operator import index
from typing import Any, SupportsFloat, SupportsIndex

import numpy as np

from procscope.envs.cells import Cell


def whole_number(what: str, value: SupportsIndex, allowed: range, or_else: str = "") -> int:
    """The value as an int; ValueError naming `what` unless it is a whole number in the range, and no bool.

    `or_else` ends the sentence that says what is expected, as ", or None".
    """
    number = _whole(value)
    if number is None or number not in allowed:
        raise ValueError(
            f"{what} must be a whole number from {allowed.start} to {allowed.stop - 1}{or_else}; given: {value!r:.80}"
        )
    return number


def whole_cell(what: str, cell: tuple[SupportsIndex, SupportsIndex]) -> Cell:
    """The cell as two ints; ValueError naming `what` unless it is two whole numbers."""
    try:
        x, y = map(_whole, cell)
    except (TypeError, ValueError):
        x = y = None
    if x is None or y is None:
        raise ValueError(f"{what} must be a cell (x, y) in whole numbers; given: {cell!r:.80}")
    return (x, y)


def numbers_within(
    what: str, values: Iterable[SupportsFloat], low: float | int, high: float | int, expected: str
) -> tuple[float, float]:
    """Two numbers as floats; ValueError naming `what` and what is `expected` unless both are from low to high."""
    try:
        first, second = (float(value) for value in values)
    except (TypeError, ValueError, OverflowError):
        first = second = math.nan
    if not (low <= first <= high and low <= second <= high):  # a NaN fails every comparison
        raise ValueError(f"{what} must be {expected}; given: {values!r:.80}")
    return (first, second)


def number_within(
    what: str, value: SupportsFloat, low: float | int, high: float | int, expected: str
) -> float:
    """One number as a float; ValueError naming `what` and what is `expected` unless it is from low to high."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not low <= number <= high:
        raise ValueError(f"{what} must be {expected}; given: {value!r:.80}")
    return number


def _whole(value: Any) -> int | None:
    """The value as an int; None for anything but a whole number, and for bools, which are flags."""
    if type(value) is int:
        return value
    try:
        return None if isinstance(value, bool | np.bool_) else index(value)
    except TypeError:
        return None
