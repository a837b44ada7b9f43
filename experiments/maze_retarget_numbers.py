"""The numbers that `maze-retarget` makes of its results, under the ids that `published.toml` has claims about."""

from collections.abc import Sequence

import numpy as np

from procscope.experiments.maze_networks import control_kind, record_over_networks
from procscope.experiments.maze_retarget_results import RetargetStudy
from procscope.interventions.named_arms import UNTOUCHED
from procscope.interventions.retarget import EDIT
from procscope.interventions.retarget_study import MOVED
from procscope.workbench.ledger import Ledger
from procscope.workbench.mean_intervals import mean_interval
from procscope.workbench.runs import RunRecord
from procscope.workbench.statistics import Interval, wilson

TARGET = "retarget.cheese-channels"


def record_numbers(record: RunRecord, studies: Sequence[RetargetStudy]) -> Ledger:
    """Record every number of every network, with verdicts where a rule covers them, and means over networks."""
    ledger = Ledger(record)
    for study in studies:
        where = study.where
        channels = " ".join(map(str, study.tuned[0].edit.channels))
        ledger.add(
            f"{TARGET}/concentration",
            lambda s=study: _concentration(s),
            where | {"hook_point": study.tuned[0].edit.hook_point, "channels": channels},
            "share",
        )
        for arm in (EDIT, UNTOUCHED, MOVED, *study.controls):
            ledger.add(
                f"{TARGET}/reached", lambda s=study, a=arm: s.reached(a), where | {"arm": arm}, "share"
            )
        ledger.add(f"{TARGET}/gain", lambda s=study: s.difference(EDIT, UNTOUCHED), where, "share")
        ledger.add(f"{TARGET}/path_gain", lambda s=study: s.path_gain(), where, "share")
        for control in study.controls:
            ledger.add(
                f"{TARGET}/over_control",
                lambda s=study, c=control: s.difference(EDIT, c),
                where | {"arm": control_kind(control)},
                "share",
            )
        ledger.add(f"{TARGET}/moved_minus_edit", lambda s=study: s.difference(MOVED, EDIT), where, "share")
        for arm in (EDIT, MOVED):
            ledger.add(
                f"{TARGET}/slope", lambda s=study, a=arm: s.slope(a), where | {"arm": arm}, "share per step"
            )
        ledger.add(f"{TARGET}/gain_slope", lambda s=study: s.slope(EDIT, UNTOUCHED), where, "share per step")
        told = len(study.example.told())
        ledger.add(
            f"{TARGET}/cells_told",
            lambda t=told, s=study: wilson(t, len(s.example.cells)),
            where,
            "share",
        )
    quantities = ("reached", "gain", "path_gain", "over_control", "moved_minus_edit", "slope", "gain_slope")
    record_over_networks(ledger, [f"{TARGET}/{quantity}" for quantity in quantities])
    return ledger


def _concentration(study: RetargetStudy) -> Interval:
    """Mean over mazes of how concentrated the cheese's effect on the edited channels is."""
    chosen = study.chosen.concentrations[:, list(study.tuned[0].edit.channels)]
    of_level = chosen[np.isfinite(chosen).any(axis=1)]
    return mean_interval(np.nanmean(of_level, axis=1))
