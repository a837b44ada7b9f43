"""The numbers that `maze-channels-wishes` makes of its results, under the ids that `published.toml` has claims on."""

from collections.abc import Sequence

import numpy as np

from procscope.envs.actions import Move
from procscope.experiments.maze_channels_wishes_results import DIRECTIONS, WishStudy
from procscope.experiments.maze_networks import control_kind, record_over_networks
from procscope.interventions.many_channels import ABLATIONS
from procscope.interventions.named_arms import UNTOUCHED
from procscope.workbench.interval_difference import independent_difference
from procscope.workbench.ledger import Ledger
from procscope.workbench.mean_intervals import mean_interval
from procscope.workbench.rank_correlation import correlation_of_entries
from procscope.workbench.runs import RunRecord
from procscope.workbench.statistics import Interval, mcnemar_exact, paired_difference, wilson

ZERO16, WISHES = "S3.zero16", "S3.wishes"
TOP = 10
"""Channels that a search proposes."""


def record_numbers(record: RunRecord, studies: Sequence[WishStudy]) -> Ledger:
    """Record every number of every network, with verdicts where a rule covers them, and means over networks."""
    ledger = Ledger(record)
    for study in studies:
        for ablation in ABLATIONS:
            _many(ledger, study, ablation)
        _corner(ledger, study)
        _corridors(ledger, study)
        for direction in DIRECTIONS:
            _lattice(ledger, study, direction)
        _search(ledger, study)
    names = (
        *(f"{ZERO16}/{each}" for each in ("field_change", "found_difference", "found_over_control")),
        *(f"{WISHES}/{each}" for each in ("goes_to_corner", "points_to_corner", "corridor_overlap")),
        *(f"{WISHES}/{each}" for each in ("auroc_without_lattice", "search_agreement")),
    )
    record_over_networks(ledger, names)
    return ledger


def _many(ledger: Ledger, study: WishStudy, ablation: str) -> None:
    many = study.many
    where = study.where | {"arm": ablation}
    change = many.change[ablation]
    ledger.add(f"{ZERO16}/field_change", lambda: _mean(change), where, "arrow length")
    for control in many.controls(ablation):
        place = where | {"control": control_kind(control.split(": ")[1])}
        other = many.change[control]
        ledger.add(
            f"{ZERO16}/field_change_over_control", lambda o=other: _mean(change - o), place, "arrow length"
        )
        ledger.add(
            f"{ZERO16}/found_over_control",
            lambda c=control: paired_difference(many.found[ablation], many.found[c]),
            place,
            "share",
        )
    solved = many.arrives[UNTOUCHED]

    def still_arrives() -> Interval:
        if not solved.any():
            raise ValueError("untouched, the most probable moves lead to the cheese in no maze")
        return wilson(int(many.arrives[ablation][solved].sum()), int(solved.sum()))

    ledger.add(f"{ZERO16}/still_arrives", still_arrives, where, "share")
    found, base = many.found[ablation], many.found[UNTOUCHED]
    ledger.add(f"{ZERO16}/found_difference", lambda: paired_difference(found, base), where, "share")
    p = mcnemar_exact(int((found & ~base).sum()), int((~found & base).sum()))
    ledger.record.metric(f"{ZERO16}/mcnemar_p", p, where, "p", len(found))
    if ablation == ABLATIONS[0]:
        ledger.add(
            f"{ZERO16}/found_untouched", lambda: wilson(int(base.sum()), len(base)), study.where, "share"
        )
        ledger.record.metric(f"{ZERO16}/channels", len(many.channels), study.where, "channels")


def _corner(ledger: Ledger, study: WishStudy) -> None:
    """Numbers without a channel in their place, so that they can be followed over a training."""
    for distribution in study.decisions:
        for target in ("cheese", "corner"):
            ledger.add(
                f"{WISHES}/goes_to_{target}",
                lambda d=distribution, t=target: study.goes(d, t),
                study.where | {"distribution": distribution},
                "share",
            )
    for direction in DIRECTIONS:
        ledger.add(
            f"{WISHES}/points_to_corner",
            lambda d=direction: study.points_to_corner(d),
            study.where | {"direction": direction.name.lower()},
            "share",
        )


def _corridors(ledger: Ledger, study: WishStudy) -> None:
    found = study.corridors
    pairs = {
        "vertical, horizontal": ("vertical", "horizontal"),
        "vertical, room with up or down": ("vertical", "vertical room"),
        "horizontal, room with left or right": ("horizontal", "horizontal room"),
        "vertical, room with left or right": ("vertical", "horizontal room"),
        "horizontal, room with up or down": ("horizontal", "vertical room"),
    }
    for name, (one, other) in pairs.items():
        ledger.add(
            f"{WISHES}/corridor_overlap",
            lambda o=one, t=other: found.overlap(o, t),
            study.where | {"cells": name},
            "1",
        )
    for kind in ("vertical", "horizontal"):
        ledger.add(
            f"{WISHES}/corridor_reliability",
            lambda k=kind: found.reliability(k),
            study.where | {"cells": kind},
            "1",
        )
    ledger.add(f"{WISHES}/corridor_dissociation", found.dissociation, study.where, "share")


def _lattice(ledger: Ledger, study: WishStudy, direction: Move) -> None:
    found = study.lattice[direction]
    where = study.where | {"direction": direction.name.lower()}
    at = where | {"channel": found.channel}
    for name, lattice in (("with", True), ("without", False)):
        ledger.add(
            f"{WISHES}/auroc_{name}_lattice", lambda on=lattice: found.readout(lattice=on).auroc, at, "1"
        )
        ledger.add(
            f"{WISHES}/agreement_{name}_lattice",
            lambda on=lattice: found.agreement(lattice=on),
            where,
            "share",
        )
    ledger.add(
        f"{WISHES}/auroc_lost_without_lattice",
        lambda: independent_difference(found.readout(lattice=True).auroc, found.readout(lattice=False).auroc),
        at,
        "1",
    )
    ledger.add(f"{WISHES}/best_auroc_without_lattice", found.best_without, where, "1")


def _search(ledger: Ledger, study: WishStudy) -> None:
    search = study.searched
    by_effect = np.argsort(-search.effects, kind="stable")
    by_search = np.argsort(-search.standardised, kind="stable")
    for direction in DIRECTIONS:
        channel = study.finder.best([direction])
        place = study.where | {"direction": direction.name.lower(), "channel": channel}
        rank = int(np.flatnonzero(by_search == channel)[0]) + 1
        ledger.record.metric(f"{WISHES}/search_rank", rank, place, "1", len(by_search))
    active = search.spread > 0
    ledger.add(
        f"{WISHES}/search_agreement",
        lambda: correlation_of_entries(
            search.effects[active], search.standardised[active], rng=np.random.default_rng(0)
        ),
        study.where,
        "1",
    )
    for name, order in (("effect", by_effect), ("search", by_search)):
        areas = np.array(study.areas(order[:TOP].tolist()))
        ledger.add(
            f"{WISHES}/top_auroc",
            lambda a=areas: _mean(a),
            study.where | {"chosen_by": name},
            "1",
        )
    for place, found in study.search.items():
        ledger.record.metric(
            f"{WISHES}/stand_out",
            found.stand_out,
            study.where | {"hook_point": place},
            "share",
            len(found.effects),
        )


def _mean(values: np.ndarray) -> Interval:
    if len(values) < 2 or np.ptp(values) == 0:
        raise ValueError(f"{len(values)} values, all alike: their mean has no interval")
    return mean_interval(values.astype(float))
