"""How `life-causality` tells what it found: probes of every step and state, and flips beside their controls."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from procscope.imagination.cell_flips import ARMS
from procscope.imagination.confusion_plot import Confusion, plot_confusions
from procscope.workbench.ledger import Ledger
from procscope.workbench.run_intervals import mean_of_runs
from procscope.workbench.runs import RunRecord
from procscope.workbench.statistics import wilson

TARGET = "S2.causality"
_QUANTITIES = ("changed", "kept", "exact")


@dataclass(frozen=True, eq=False)
class CausalResults:
    """A row's networks."""

    name: str
    results: list[dict[str, Any]]

    @property
    def counted(self) -> list[dict[str, Any]]:
        """Those that reached the accuracy."""
        return [result for result in self.results if result["counts"]]

    def probes(self, place: str) -> Float[np.ndarray, "run *table"]:
        """Balanced accuracies of every network: "steps" [run step time], "untrained" alike, "board" [run time]."""
        return np.array([result["probes"][place] for result in self.counted])

    def flips(self, step: int, arm: str, quantity: str) -> Float[np.ndarray, " run"]:
        """A quantity of every network's flips after a step."""
        return np.array([result["flips"][step - 1][arm][quantity] for result in self.counted])

    def flipped_steps(self) -> range:
        """The steps after which cells were flipped."""
        return range(1, 1 + (len(self.counted[0]["flips"]) if self.counted else 0))


def record_numbers(record: RunRecord, rows: list[CausalResults]) -> Ledger:
    """Record probes of each state at its own step, and flips in every arm."""
    ledger = Ledger(record)
    for row in rows:
        n = len(row.results)
        ledger.add(
            f"{TARGET}/discarded",
            lambda row=row, n=n: wilson(n - len(row.counted), n),
            {"row": row.name},
            "share",
        )
        for step in row.flipped_steps():
            where = {"row": row.name, "step": step}
            held, untrained = row.probes("steps"), row.probes("untrained")
            values = {
                "probe": held[:, step, step],
                # the best that reads the state without the training: random features anywhere, or the board
                "probe_gain": held[:, step, step]
                - np.maximum(untrained[:, :, step].max(axis=1), row.probes("board")[:, step]),
            }
            for id, column in values.items():
                ledger.add(f"{TARGET}/{id}", lambda column=column: mean_of_runs(column), where, "share")
            for arm in ARMS:
                for quantity in _QUANTITIES:
                    column = row.flips(step, arm, quantity)
                    ledger.add(
                        f"{TARGET}/{quantity}",
                        lambda column=column: mean_of_runs(column),
                        where | {"arm": arm},
                        "share",
                    )
            against = row.flips(step, "flip", "exact") - np.maximum(
                row.flips(step, "another", "exact"), row.flips(step, "random", "exact")
            )
            ledger.add(
                f"{TARGET}/exact_above_controls",
                lambda against=against: mean_of_runs(against),
                where,
                "share",
            )
    return ledger


class FlipRow(NamedTuple):
    """A line of the table of flips."""

    row: str
    after_step: int
    arm: str
    changed: str
    kept: str
    exact: str


def write_report(ledger: Ledger, rows: list[CausalResults]) -> None:
    """Add prose, tables and figures to the record."""
    flips = [
        FlipRow(
            row.name,
            step,
            arm,
            *(
                ledger.quote(f"{TARGET}/{quantity}", row=row.name, step=step, arm=arm)
                for quantity in _QUANTITIES
            ),
        )
        for row in rows
        for step in row.flipped_steps()
        for arm in ARMS
    ]
    ledger.record.say(
        "Does the network use what it holds?",
        "From other sequences we know the core's mean state at a cell for every pattern of nine true cells. In each "
        "sequence one cell of the state that a step is taken for is flipped, by shifting the core's state at the nine "
        "cells whose pattern that changes; then the core goes on. The rules say which cells of the last state must "
        "then change. The controls shift the same nine cells by vectors of the same lengths, in random directions, "
        "or by what belongs to the flip of another sequence.\n\n"
        + "\n".join(
            f"- {row.name}, after step {step}: "
            f"{ledger.quote(f'{TARGET}/changed', row=row.name, step=step, arm='flip')} of the cells that must change "
            f"do, and in {ledger.quote(f'{TARGET}/exact', row=row.name, step=step, arm='flip')} of the flips every "
            f"cell within reach becomes what the rules say; with the best control in "
            f"{100 * _best_control(row, step):.1f}%."
            for row in rows
            for step in row.flipped_steps()
        ),
    )
    ledger.record.table(
        "flips",
        flips,
        "Of the cells of the last state that must change, the share that does; of the others within reach, the share "
        "that stays; and the share of flips after which every cell within reach is right. A flip that does nothing "
        "leaves every cell as it was: nothing changed, everything kept.",
    )
    panels = []
    for row in rows:
        if row.counted:
            panels.append(Confusion(f"{row.name}\ntrained", row.probes("steps").mean(axis=0)))
            panels.append(Confusion(f"{row.name}\nuntrained", row.probes("untrained").mean(axis=0)))
    ledger.record.say(
        "Are the states there?",
        "A probe is a logistic regression from the 3x3 positions round a cell to whether it is alive, fitted to the "
        "true state on some sequences and measured on others by balanced accuracy, for which chance is 50%. It has "
        "the form of the decoder, so that it finds a state also where the decoder, which was never taught it, shows "
        "something else.",
    )
    if panels:
        ledger.record.figure(
            "probes",
            plot_confusions(
                panels, unit="balanced accuracy of a probe", first_row=0, hatched=False, lowest=0.5
            ),
            "Balanced accuracy of a probe of each true state (columns) on the encoded board (h0) and on the core's "
            "state after each step; means over networks, beside an untrained network of the same kind.",
        )


def _best_control(row: CausalResults, step: int) -> float:
    return max(float(row.flips(step, arm, "exact").mean()) for arm in ("random", "another"))
