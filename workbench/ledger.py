"""Numbers of a run that its prose quotes: recorded once, looked up by what they are, written for people.

    ledger = Ledger(record)
    ledger.add("S3.zeroing/found_difference", lambda: paired_difference(one, two), where, "share")
    f"zeroing changes success by {ledger.quote('S3.zeroing/found_difference', model=model, arm='zero')}"

A quantity that is undefined on the data at hand (its function raises ValueError, as those of `statistics` do)
is recorded as such with the reason, and quoted as "undefined".
"""

from collections.abc import Callable, Mapping
from typing import Any

from procscope.workbench.metrics import Metric, Number, Undefined
from procscope.workbench.report_text import number_text
from procscope.workbench.runs import RunRecord
from procscope.workbench.statistics import Interval
from procscope.workbench.verdicts import Verdict


class Ledger:
    """Records numbers in a run and finds them again."""

    def __init__(self, record: RunRecord) -> None:
        self.record = record

    def add(
        self,
        id: str,
        compute: Callable[[], Number | Interval],
        where: Mapping[str, Any],
        unit: str,
        n: int | None = None,
    ) -> Metric | Undefined:
        """Record what `compute` gives, or that it has no value and why (the ValueError that it raises)."""
        try:
            value = compute()
        except ValueError as reason:
            return self.record.undefined_metric(id, where, str(reason))
        return self.record.metric(id, value, where, unit, n)

    def find(self, id: str, **where: Any) -> Metric | Undefined:
        """The one number with this id whose `where` says this. Raises KeyError: there is none, or several."""
        entries: list[Metric | Undefined] = [*self.record.metrics, *self.record.undefined]
        found = [
            entry
            for entry in entries
            if entry.id == id and all(entry.where.get(key) == value for key, value in where.items())
        ]
        if len(found) != 1:
            raise KeyError(f"expected one number {id} at {where}, found {len(found)}")
        return found[0]

    def quote(self, id: str, *, interval: bool = True, **where: Any) -> str:
        """A number as text, with its interval: "93.1% (90.2% to 95.3%)"; "undefined" if it is."""
        entry = self.find(id, **where)
        if isinstance(entry, Undefined):
            return "undefined"
        value = number_text(entry.value, entry.unit)
        if not interval or entry.ci_low is None or entry.ci_high is None:
            return value
        return (
            f"{value} ({number_text(entry.ci_low, entry.unit)} to {number_text(entry.ci_high, entry.unit)})"
        )

    def verdict(self, id: str, **where: Any) -> Verdict | None:
        """The verdict on a number; None where no rule covers it or it is undefined."""
        entry = self.find(id, **where)
        return entry.verdict if isinstance(entry, Metric) else None
