"""The numbers that `coinrun-misgeneralization` makes of its results; `published.toml` has claims on some."""

from collections.abc import Sequence

import numpy as np

from procscope.experiments.coinrun_misgeneralization_results import DRIVE, DriveStudy
from procscope.experiments.maze_networks import control_kind, record_over_networks
from procscope.interventions.named_arms import UNTOUCHED
from procscope.workbench.ledger import Ledger
from procscope.workbench.mean_intervals import mean_interval
from procscope.workbench.runs import RunRecord
from procscope.workbench.statistics import Interval, mcnemar_exact, paired_difference, wilson

TARGET = "langosco.coinrun"
TRAINED, MOVED = "coin at the end", "coin moved"


def record_numbers(record: RunRecord, studies: Sequence[DriveStudy]) -> Ledger:
    """Record every number of every network, with verdicts where a rule covers them, and means over networks."""
    ledger = Ledger(record)
    for study in studies:
        _played(ledger, study)
        _frames(ledger, study)
        _groups(ledger, study)
        _patched(ledger, study)
    record_over_networks(
        ledger,
        [f"{TARGET}/{name}" for name in ("reaches_end", "runs_past_coin", "odds_right", "odds_change")],
    )
    return ledger


def _played(ledger: Ledger, study: DriveStudy) -> None:
    for arrangement, played in study.played.items():
        for arm in study.strongest.arms:
            where = study.where | {"arrangement": arrangement, "arm": arm.control or arm.name}
            _share(ledger, "reaches_end", played.reaches_end(arm.name), where)
            if (played.coin >= 0).any():
                _share(ledger, "touches_coin", played.touches_coin(arm.name), where)
        base = played.reaches_end()
        for arm in study.strongest.arms[1:]:
            where = study.where | {"arrangement": arrangement, "arm": arm.control or arm.name}
            found = played.reaches_end(arm.name)
            ledger.add(
                f"{TARGET}/reaches_end_change",
                lambda f=found, b=base: paired_difference(f, b),
                where,
                "share",
            )
        for control in study.strongest.arms:
            if control.control_of == DRIVE:
                where = study.where | {
                    "arrangement": arrangement,
                    "control": control_kind(control.control or ""),
                }
                one, other = played.reaches_end(DRIVE), played.reaches_end(control.name)
                ledger.add(
                    f"{TARGET}/reaches_end_over_control",
                    lambda a=one, b=other: paired_difference(a, b),
                    where,
                    "share",
                )
    moved, trained = study.played[MOVED], study.played[TRAINED]
    on = moved.is_moved
    where = study.where | {"arm": UNTOUCHED}
    _share(ledger, "runs_past_coin", moved.runs_past_coin()[on], where)
    one, other = moved.touches_coin()[on], trained.touches_coin()[on]
    ledger.add(f"{TARGET}/touches_coin_difference", lambda: paired_difference(one, other), where, "share")
    p = mcnemar_exact(int((one & ~other).sum()), int((~one & other).sum()))
    ledger.record.metric(f"{TARGET}/mcnemar_p", p, where, "p", int(on.sum()))


def _frames(ledger: Ledger, study: DriveStudy) -> None:
    for pictures, odds in (("as they are", study.bare), ("mirrored", study.mirrored)):
        where = study.where | {"pictures": pictures}
        ledger.add(f"{TARGET}/odds_right", lambda o=odds: mean_over_frames(o), where, "nats")
        _share(ledger, "prefers_right", odds > 0, where)
    for found in study.contrasts:
        where = study.where | {"contrast": found.kind, "columns": found.columns}
        ledger.add(f"{TARGET}/odds_change", lambda c=found.change: mean_over_frames(c), where, "nats")


def _groups(ledger: Ledger, study: DriveStudy) -> None:
    for group in study.groups:
        place = study.where | {"hook_point": group.drive.hook_point}
        for number, arm in enumerate(group.arms):
            if arm.name == UNTOUCHED:
                continue
            change = group.held_out[number] - group.held_out[0]
            where = place | {"arm": arm.control or arm.name}
            ledger.add(f"{TARGET}/ablation_change", lambda c=change: mean_over_frames(c), where, "nats")


def _patched(ledger: Ledger, study: DriveStudy) -> None:
    for kind, pairs in study.pairs.items():
        where = study.where | {"contrast": kind}
        effects = study.patched.get(kind)
        told = 0 if effects is None else effects.n_pairs
        ledger.record.metric(f"{TARGET}/pairs_patched", told, where, "pairs", pairs)
        if effects is None:
            ledger.record.undefined_metric(
                f"{TARGET}/largest_restored",
                where,
                "too few pairs in which the network tells the frames apart",
            )
            continue
        top = effects.table().iloc[0]
        found = Interval(float(top["effect"]), float(top["low"]), float(top["high"]), effects.n_pairs)
        at = where | {"hook_point": str(top["hook_point"]), "channel": int(top["channel"])}
        ledger.record.metric(f"{TARGET}/largest_restored", found, at, "1")


def mean_over_frames(values: np.ndarray) -> Interval:
    """The mean over frames with its bootstrap interval. Raises ValueError: fewer than two frames."""
    if len(values) < 2:
        raise ValueError(
            f"expected at least two frames in which this could be arranged; there are {len(values)}"
        )
    return mean_interval(values)


def _share(ledger: Ledger, name: str, found: np.ndarray, where: dict) -> None:
    ledger.add(f"{TARGET}/{name}", lambda: wilson(int(found.sum()), len(found)), where, "share")
