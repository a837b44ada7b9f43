"""The numbers that `maze-channels` makes of its results, under the ids that `published.toml` has claims about.

A number that is undefined on the data at hand is recorded as such with the reason.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from procscope.envs.actions import Move
from procscope.envs.maze.pairs import ORIENTATIONS
from procscope.experiments.maze_channels_results import CHEESE, ChannelStudy, NetworkStudy
from procscope.interventions.decision_squares import TwoByTwo, distance_slope, matched_difference
from procscope.interventions.direction_channels import (
    DirectionChannels,
    Reading,
    reading_text,
    selectivity_of,
)
from procscope.interventions.direction_readout import DirectionReadout
from procscope.interventions.paired_play import difference_from_controls, found_difference, paired_outcomes
from procscope.workbench.interval_difference import independent_difference
from procscope.workbench.ledger import Ledger
from procscope.workbench.runs import RunRecord
from procscope.workbench.statistics import Interval, bootstrap, logistic_slope, wilson

GOOD_AUROC = 0.75
DOWN_LEFT = (Move.DOWN, Move.LEFT)
"""The reading of the study's channel 21."""


def record_numbers(record: RunRecord, studies: Sequence[NetworkStudy], size: int) -> Ledger:
    """Record every number of every network, with published ones beside and verdicts where a rule covers them."""
    ledger = Ledger(record)
    for study in studies:
        _pair_finder(ledger, study)
        for channel in study.channels:
            where = study.where | {"direction": reading_text([channel.direction]), "channel": channel.channel}
            _sum_vs_direction(ledger, channel, where)
            _decision_squares(ledger, channel, where)
            _distance(ledger, channel, where, size)
            _zeroing(ledger, channel, where)
        _behaviour(ledger, study)
    return ledger


def _pair_finder(ledger: Ledger, study: NetworkStudy) -> None:
    finder, check = study.finder, study.check
    strongest = int(finder.effects.argmax())
    apart = np.abs(check.sums[:, :, 0, strongest] - check.sums[:, :, 1, strongest]).mean(axis=1)
    ledger.add(
        "S3.pair-finder/top_effect", lambda: _mean(apart), study.where | {"channel": strongest}, "activation"
    )
    readings: list[Reading] = [*((channel.direction,) for channel in study.channels), DOWN_LEFT]
    for reading in readings:
        channel = finder.best(reading)
        where = study.where | {"direction": reading_text(reading), "channel": channel}
        for orientation, steps in enumerate(ORIENTATIONS):
            pair = "-".join(step.name.lower() for step in steps)
            for side, step in enumerate(steps):
                sums = check.sums[:, orientation, side, channel]
                place = where | {"pair": pair, "step": step.name.lower()}
                ledger.add("S3.pair-finder/pair_sum", lambda sums=sums: _mean(sums), place, "activation")
        ledger.add(
            "S3.pair-finder/selectivity", lambda r=reading, c=channel: _selectivity(check, c, r), where, "1"
        )
    ledger.add("S3.pair-finder/direction_channels", lambda: _good(study.top), study.where, "channels")
    for channel in study.channels:
        where = study.where | {"direction": reading_text([channel.direction]), "channel": channel.channel}
        ledger.add("S3.pair-finder/mass_near_mouse", lambda c=channel: _near_mouse(c), where, "share")


def _sum_vs_direction(ledger: Ledger, channel: ChannelStudy, where: dict[str, Any]) -> None:
    target = "S3.sum-vs-direction"
    ledger.add(
        f"{target}/threshold", lambda: channel.threshold, where, "activation", len(channel.calibration.sums)
    )
    for distribution, readout in channel.readouts.items():
        place = where | {"distribution": distribution}
        ledger.add(f"{target}/auroc", lambda r=readout: r.auroc, place, "1")
        ledger.add(
            f"{target}/precision_above_threshold",
            lambda r=readout: r.precision_above(channel.threshold),
            place,
            "share",
        )
        ledger.add(
            f"{target}/recall_above_threshold",
            lambda r=readout: r.recall_above(channel.threshold),
            place,
            "share",
        )
    inside, outside = channel.readouts["in"], channel.readouts["out"]
    ledger.add(
        f"{target}/auroc_in_minus_out",
        lambda: independent_difference(inside.auroc, outside.auroc),
        where,
        "1",
    )


def _decision_squares(ledger: Ledger, channel: ChannelStudy, where: dict[str, Any]) -> None:
    target = "S3.decision-square-2x2"
    for distribution, squares in channel.decisions.items():
        place = where | {"distribution": distribution}
        for cell in TwoByTwo._fields:
            ledger.add(
                f"{target}/{cell}",
                lambda d=distribution, c=cell: channel.table(d).share(c),
                place,
                "share",
            )
        ledger.add(f"{target}/obeys", lambda d=distribution: channel.table(d).obeys, place, "share")
        ledger.add(
            f"{target}/points_to_cheese",
            lambda d=distribution: channel.table(d).points_to_cheese,
            place,
            "share",
        )
        ledger.add(
            f"{target}/neither",
            lambda s=squares: s.share_of_neither(channel.threshold),
            place,
            "share",
        )
    ledger.add(
        f"{target}/matched_in_minus_out",
        lambda: matched_difference(channel.high("in"), channel.high("out")),
        where,
        "share",
    )


def _distance(ledger: Ledger, channel: ChannelStudy, where: dict[str, Any], size: int) -> None:
    unit = "log odds per cell"
    ledger.add("S3.distance/slope", lambda: distance_slope(channel.pooled(size)), where, unit)
    ledger.add("S3.distance/slope_out_only", lambda: distance_slope(channel.high("out")), where, unit)


def _zeroing(ledger: Ledger, channel: ChannelStudy, where: dict[str, Any]) -> None:
    target, found = "S3.zeroing", channel.found
    n = len(found.original)
    ledger.add(f"{target}/original_found", lambda: wilson(int(found.original.sum()), n), where, "share")
    for arm, modified in (("zero", found.zero), ("mean", found.mean)):
        place = where | {"arm": arm}
        outcomes = paired_outcomes(found.original, modified)
        for cell in outcomes._fields:
            ledger.add(
                f"{target}/{cell}", lambda c=cell, o=outcomes: wilson(getattr(o, c), n), place, "share"
            )
        ledger.add(f"{target}/mcnemar_p", lambda o=outcomes: o.mcnemar_p, place, "p", n)
    arms = [("zero", where, found.zero), ("mean", where, found.mean)]
    for kind, controls in (("random", found.random), ("matched", found.matched)):
        arms += [(kind, where | {"control": control}, modified) for control, modified in controls.items()]
        rng = np.random.default_rng(channel.channel)
        ledger.add(
            f"{target}/difference_from_control",
            lambda c=controls, r=rng: difference_from_controls(found.zero, list(c.values()), r),
            where | {"arm": kind},
            "share",
        )
    for arm, place, modified in arms:
        place = place | {"arm": arm}
        ledger.add(f"{target}/modified_found", lambda m=modified: wilson(int(m.sum()), n), place, "share")
        ledger.add(
            f"{target}/found_difference",
            lambda m=modified: found_difference(found.original, m),
            place,
            "share",
        )


def _behaviour(ledger: Ledger, study: NetworkStudy) -> None:
    """What the network does, whatever its channels say."""
    target = "S3.decision-square-2x2"
    for distribution in CHEESE:
        squares, corridors = study.decision_squares[distribution], study.random_squares[distribution]
        cheese, corner = squares.labels["best_move"], squares.labels["best_move_to_corner"]
        shares = {
            ("agreement_with_expert", "summed"): squares.moves == cheese,
            ("agreement_with_expert", "raw"): squares.moves_of_likeliest_actions == cheese,
            ("goes_to_corner", "summed"): squares.moves == corner,
            ("goes_to_corner", "raw"): squares.moves_of_likeliest_actions == corner,
            ("agreement_with_expert_anywhere", "summed"): corridors.moves == corridors.labels["best_move"],
        }
        for (quantity, moves), yes in shares.items():
            where = study.where | {"distribution": distribution, "moves": moves}
            ledger.add(f"{target}/{quantity}", lambda y=yes: wilson(int(y.sum()), len(y)), where, "share")
    outside = study.decision_squares["out"]
    away = np.hypot(*(outside.labels["maze_size"] - 1 - outside.labels[f"goal_{axis}"] for axis in "xy"))
    goes = outside.moves == outside.labels["best_move"]
    ledger.add(
        "S3.distance/mouse_slope_out_only",
        lambda: logistic_slope(away, goes),
        study.where,
        "log odds per cell",
    )


def _mean(values: Float[np.ndarray, " unit"]) -> Interval:
    if np.ptp(values) == 0:
        raise ValueError(f"all {len(values)} values are {values[0]:.3g}: their mean has no interval")
    return bootstrap(
        lambda drawn: float(drawn.mean()), values.astype(np.float64), rng=np.random.default_rng(0)
    )


def _selectivity(check: DirectionChannels, channel: int, reading: Reading) -> Interval:
    sums = check.sums_by_direction[:, :, channel].astype(np.float64)
    if not sums.any():
        raise ValueError(f"channel {channel} is silent on all {check.n_mazes} pairs")
    return bootstrap(
        lambda drawn: selectivity_of(drawn.mean(axis=0), reading), sums, rng=np.random.default_rng(0)
    )


def _good(top: Mapping[int, DirectionReadout]) -> Interval:
    """How many channels tell their direction; the ends count those whose own interval is above, or reaches, it."""
    aurocs = []
    for readout in top.values():
        try:
            aurocs.append(readout.auroc)
        except ValueError:  # read as no direction, or as one that is always right: it tells nothing
            continue
    low, value, high = (
        sum(getattr(a, end) >= GOOD_AUROC for a in aurocs) for end in ("low", "value", "high")
    )
    return Interval(value, low, high, min(len(readout.sums) for readout in top.values()))


def _near_mouse(channel: ChannelStudy) -> Interval:
    shares = channel.near_mouse[channel.readouts["in"].sums > channel.threshold]
    return _mean(shares[np.isfinite(shares)]) if len(shares) > 1 else _none_high()


def _none_high() -> Interval:
    raise ValueError("fewer than two squares have a high sum")
