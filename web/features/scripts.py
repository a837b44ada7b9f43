"""Data as scripts, which is the one way for a page to load data from disk.

Browsers refuse `fetch` and modules on `file://`, but run a classic script: each file is one call that hands its data
to the page. Numbers are rounded to what can be seen; arrays of bytes are compressed and written in base64.
"""

import base64
import json
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np

DIGITS = 4


def script(call: str, value: Any) -> str:
    """`procscope.call(value);`, safe to be put into a page as well. Raises ValueError: NaN or infinity in it."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return f"procscope.{call}({text.replace('<', chr(92) + 'u003c')});\n"


def write_script(path: Path, call: str, value: Any) -> None:
    """A file of that one call."""
    path.write_text(script(call, value), encoding="ascii")


def number(value: float | int | np.number, digits: int = DIGITS) -> float | int | None:
    """A number with so many digits that count; None for one that is not finite."""
    value = float(value)
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() and abs(value) < 2**53 else float(f"{value:.{digits}g}")


def numbers(values: np.ndarray, digits: int = DIGITS) -> list[Any]:
    """An array as nested lists of such numbers."""
    if values.ndim > 1:
        return [numbers(part, digits) for part in values]
    return [number(value, digits) for value in values.tolist()]


def packed(values: np.ndarray) -> str:
    """Bytes of an array of one-byte numbers, zlib and base64."""
    if values.dtype.itemsize != 1:
        raise ValueError(f"expected an array of one-byte numbers; given {values.dtype}")
    return base64.b64encode(zlib.compress(np.ascontiguousarray(values).tobytes(), 6)).decode()
