"""One measured number: what it is, where it was measured, its interval, and the published number beside it.

`metrics.json` of a run is a list of these. `id` is `<target>/<quantity>`, with the target of the claim that
the number speaks to; `where` holds whatever tells this measurement from others with the same id, among them

- `model`: the network's name (two values of `model` are two networks),
- `training`: how that network was trained, so that networks of one kind can be told from others,
- and, as needed, `variant`, `distribution`, `channel`, `direction`, `arm`, `size` and so on.

A number that could not be measured (one class only, perfect separation, nothing selected) is no metric: it is
`Undefined`, with the reason, and appears in the report alone.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from procscope.workbench.published import ID_PATTERN, Claim, Where
from procscope.workbench.statistics import Interval
from procscope.workbench.verdicts import Verdict, verdict

Number = float | int | np.number


@dataclass(frozen=True)
class Metric:
    """A finite number; the fields are those of `metrics.json`, in its order."""

    id: str
    where: Where
    value: float | int
    ci_low: float | None
    """Lower end of the 95% confidence interval; None when the number has none."""
    ci_high: float | None
    n: int | None
    """Number of independent observations behind the value (levels, mostly), not of frames."""
    unit: str
    published: float | None = None
    """The published value, when a claim covers this measurement."""
    source: str | None = None
    verdict: Verdict | None = None
    """About the network measured; None when no rule covers it."""

    @property
    def interval(self) -> Interval:
        """Value and ends; NaN ends when it has none, n 0 when unknown."""
        low = math.nan if self.ci_low is None else self.ci_low
        high = math.nan if self.ci_high is None else self.ci_high
        return Interval(float(self.value), low, high, self.n or 0)

    @property
    def key(self) -> str:
        """Id and place as one text, the same for the same measurement in two runs."""
        return metric_key(self.id, self.where)


@dataclass(frozen=True)
class Undefined:
    """A number that has no value here, and why."""

    id: str
    where: Where
    reason: str

    @property
    def key(self) -> str:
        return metric_key(self.id, self.where)


def metric_key(id: str, where: Where) -> str:
    """`id` and `where` (its keys sorted) as one text."""
    return f"{id} {json.dumps(where, sort_keys=True)}"


def measured(
    id: str, value: Number | Interval, where: Mapping[str, Any], unit: str, n: int | None
) -> Metric | Undefined:
    """Check and normalise one measurement; NaN and infinite values come back as `Undefined`.

    Args:
        id: `<target>/<quantity>`, the quantity in lower case with underscores.
        value: a number, or an interval, whose `n` is used when `n` is None.
        where: text, whole numbers, numbers or truth values by key; NumPy scalars become Python's.
        unit: of the value: "share", "cells", "log odds per cell", "1" for a pure number.
        n: number of independent observations behind the value; None where it is unknown.

    Raises ValueError: a malformed id, an empty unit, a value of `where` of another type.
    """
    if not ID_PATTERN.fullmatch(id):
        raise ValueError(
            f"expected a metric's id as <target>/<quantity>, like S3.zeroing/found_share; given {id!r}"
        )
    if not unit:
        raise ValueError(
            f"expected a unit for {id}, given none. Use '1' for a pure number, 'share' for 0 to 1"
        )
    place = {key: _scalar(id, key, raw) for key, raw in where.items()}
    low = high = None
    if isinstance(value, Interval):
        n = int(value.n) if n is None else n
        low, high, value = _finite(value.low), _finite(value.high), value.value
    plain = value.item() if isinstance(value, np.number) else value
    if not math.isfinite(plain):
        return Undefined(id, place, f"the value is {plain}")
    return Metric(id, place, plain, low, high, n, unit)


def judged(metric: Metric, claim: Claim | None) -> Metric:
    """The metric with the claim's number, source and verdict beside it, if the claim covers its network."""
    if claim is None or not claim.covers(metric.where):
        return metric
    judgement = verdict(claim.rule, metric.interval) if claim.rule else None
    fields = {"published": claim.published, "source": claim.source, "verdict": judgement}
    return Metric(**(asdict(metric) | fields))


def read_metrics(run_directory: Path) -> list[Metric]:
    """The metrics of a finished run.

    Raises FileNotFoundError: the run has no metrics.json, so it did not finish.
    """
    path = run_directory / "metrics.json"
    if not path.is_file():
        raise FileNotFoundError(f"no {path}: expected the directory of a run that finished")
    return [Metric(**row) for row in json.loads(path.read_text(encoding="utf-8"))]


def _finite(number: float | int) -> float | None:
    return float(number) if math.isfinite(number) else None


def _scalar(id: str, key: str, raw: Any) -> str | int | float | bool:
    plain = raw.item() if isinstance(raw, np.generic) else raw
    if not isinstance(plain, str | int | float | bool):
        raise ValueError(
            f"expected text, number or bool for {key!r} of {id}'s `where`, given a {type(raw).__name__}"
        )
    return plain
