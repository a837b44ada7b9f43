"""Tables of a run: rows of one type in, CSV out, and back for the report.

Rows are NamedTuples or frozen dataclasses, whose field names become the header, or a pandas DataFrame without
its index. Numbers are written so that they read back exactly.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class Table(NamedTuple):
    """A table as read back: everything is text."""

    header: list[str]
    rows: list[list[str]]


def csv_text(name: str, rows: Any) -> str:
    """`rows` as CSV with a header. Raises ValueError: no rows, rows of several types, or of none that is known."""
    if hasattr(rows, "itertuples"):
        header = [str(column) for column in rows.columns]
        body = [list(row) for row in rows.itertuples(index=False)]
    else:
        header, body = _named_rows(name, rows)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in body)
    return text.getvalue()


def read_table(path: Path) -> Table:
    """A CSV file as `csv_text` writes it."""
    with path.open(encoding="utf-8", newline="") as lines:
        header, *rows = list(csv.reader(lines))
    return Table(header, rows)


def _named_rows(name: str, rows: Sequence[Any]) -> tuple[list[str], list[list[Any]]]:
    named = [_fields(name, row) for row in rows]
    if not named:
        raise ValueError(
            f"expected at least one row for the table {name!r}, given none. Say so in prose instead"
        )
    header = list(named[0])
    if any(list(row) != header for row in named):
        raise ValueError(f"expected rows of one type for the table {name!r}, given several with other fields")
    return header, [list(row.values()) for row in named]


def _fields(name: str, row: Any) -> dict[str, Any]:
    if hasattr(row, "_asdict"):
        return row._asdict()
    if is_dataclass(row) and not isinstance(row, type):
        return asdict(row)
    raise ValueError(
        f"expected NamedTuples, dataclasses or a DataFrame for table {name!r}, given a {type(row).__name__}"
    )


def _cell(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
