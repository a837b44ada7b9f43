"""The numbers of `life-imagination`: the tables of S2 from the networks' results.

Axes: `run` the networks of a row that reached the accuracy asked for; others are counted and left out, as in the text.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Real

from procscope.experiments.life_imagination_setup import ALTERNATIVES, GROWING, ROWS, Row
from procscope.workbench.ledger import Ledger
from procscope.workbench.run_intervals import difference_of_runs, mean_of_runs
from procscope.workbench.runs import RunRecord
from procscope.workbench.statistics import wilson

TABLE_1 = tuple(row.name for row in ROWS[:5])
TABLE_2 = tuple(row.name for row in ROWS[5:7])
TABLE_3 = ("2 life steps, 3 model steps", "3 life steps, 2 model steps", *TABLE_1[:2:-1])
WIDE = tuple(row.name for row in ROWS[7:9])
DEEP = ROWS[9].name
PLAIN = "3 steps"


@dataclass(frozen=True, eq=False)
class RowResults:
    """A row and what was measured of its networks."""

    row: Row
    results: list[dict[str, Any]]
    """As `study_network` gives them, one a network."""

    @property
    def counted(self) -> list[dict[str, Any]]:
        """Those that reached the accuracy."""
        return [result for result in self.results if result["counts"]]

    def values(self, decoder: str, quantity: str = "literal") -> Float[np.ndarray, "run *table"]:
        """A quantity with the decoder "plain", "adversarial", or "best": the one with the larger literal metric."""
        found = []
        for result in self.counted:
            best = max(("plain", "adversarial"), key=lambda name: result[name]["literal"])
            found.append(result[best if decoder == "best" else decoder][quantity])
        return np.array(found, dtype=float)

    def floors(self) -> dict[str, Float[np.ndarray, " run"]]:
        """The literal metric of each floor."""
        names = self.counted[0]["floors"] if self.counted else {}
        return {name: np.array([result["floors"][name][0] for result in self.counted]) for name in names}

    def leads(self, state: int) -> Real[np.ndarray, " run"]:
        """Updates by which s_`state` was 98% right before the last one was; only networks in which both were."""
        pairs = [(result["reached_98"][state - 2], result["reached_98"][-1]) for result in self.counted]
        return np.array([last - first for first, last in pairs if first is not None and last is not None])


def record_numbers(record: RunRecord, rows: list[RowResults]) -> Ledger:
    """Record all numbers; a quantity whose networks are missing is recorded as undefined, with the reason."""
    ledger = Ledger(record)
    by_name = {each.row.name: each for each in rows}
    for name, each in by_name.items():
        _record_row(ledger, name, each)
    _record_table_3(ledger, by_name)
    _record_differences(ledger, by_name)
    if PLAIN in by_name:
        _record_learning_order(ledger, by_name[PLAIN])
    return ledger


def table_of_row(name: str) -> str:
    """The target that a row's metric speaks to."""
    if name in TABLE_1:
        return "S2.table1"
    if name in TABLE_2:
        return "S2.table2"
    if name in (row.name for row in ALTERNATIVES):
        return "S2.alternatives"
    return "S2.wishes" if name == GROWING.name else "S2.width-depth"


def _record_row(ledger: Ledger, name: str, each: RowResults) -> None:
    target, where, n = table_of_row(name), {"row": name}, len(each.results)
    ledger.add(f"{target}/discarded", lambda: wilson(n - len(each.counted), n), where, "share")
    accuracies = np.array([result["accuracy"] for result in each.results])
    ledger.add(f"{target}/accuracy", lambda: mean_of_runs(accuracies), where, "share")
    for quantity, id in (("literal", "metric"), ("one_to_one", "one_to_one")):
        values = each.values("best", quantity)
        ledger.add(f"{target}/{id}", lambda values=values: mean_of_runs(values), where, "1")
    for floor, values in each.floors().items():
        ledger.add(
            f"{target}/floor", lambda values=values: mean_of_runs(values), where | {"floor": floor}, "1"
        )
    if each.counted and name != GROWING.name:
        highest = np.max(list(each.floors().values()), axis=0)
        ledger.add(f"{target}/above_floor", lambda: mean_of_runs(each.values("best") - highest), where, "1")


def _record_table_3(ledger: Ledger, by_name: dict[str, RowResults]) -> None:
    for name in (name for name in TABLE_3 if name in by_name):
        each, where = by_name[name], {"row": name}
        plain, adversarial = each.values("plain"), each.values("adversarial")
        for id, values in (
            ("without", plain),
            ("with", adversarial),
            ("difference", adversarial - plain),
        ):
            ledger.add(f"S2.table3/{id}", lambda values=values: mean_of_runs(values), where, "1")


def _record_differences(ledger: Ledger, by_name: dict[str, RowResults]) -> None:
    pairs = {
        "S2.table1/timesteps_difference": ("2 steps", ("4 steps",)),
        "S2.table1/autoencoder_difference": (PLAIN, ("3 steps, no autoencoder",)),
        "S2.table1/sharing_difference": (PLAIN, ("3 steps, weights not shared",)),
        "S2.width-depth/width_difference": (PLAIN, WIDE),
        "S2.width-depth/depth_difference": (PLAIN, (DEEP,)),
    }
    for id, (first, others) in pairs.items():
        if first in by_name and all(name in by_name for name in others):
            one = by_name[first].values("best")
            other = np.concatenate([by_name[name].values("best") for name in others])
            ledger.add(id, lambda one=one, other=other: difference_of_runs(one, other), {}, "1")


def _record_learning_order(ledger: Ledger, each: RowResults) -> None:
    counted = each.counted
    for state, name in ((3, "third"), (2, "second")):
        where = {"state": name}
        reached = sum(result["reached_98"][state - 2] is not None for result in counted)
        ledger.add(
            "S2.learning-order/reached",
            lambda reached=reached: wilson(reached, len(counted)),
            where,
            "share",
        )
        leads = each.leads(state)
        ledger.add("S2.learning-order/lead", lambda leads=leads: mean_of_runs(leads), where, "updates")
