"""The numbers that `maze-steering` makes of its results, under the ids that `published.toml` has claims about."""

from collections.abc import Sequence

from procscope.experiments.maze_networks import record_over_networks
from procscope.experiments.maze_steering_results import GOAL, PlaceResult, SteeringStudy
from procscope.experiments.maze_steering_setup import CLAIMED
from procscope.interventions.named_arms import UNTOUCHED
from procscope.interventions.steering_study import CONTROLS, REMOVED, VECTORS
from procscope.workbench.ledger import Ledger
from procscope.workbench.power import smallest_difference
from procscope.workbench.runs import RunRecord
from procscope.workbench.statistics import wilson

TARGETS = {"cheese": "steering.cheese-vector", "top-right": "steering.top-right-vector"}
"""By vector."""
CONTROL_NAMES = {"noise": "noise", "other maze": "other"}
"""How controls are called in ids."""


def record_numbers(record: RunRecord, studies: Sequence[SteeringStudy]) -> Ledger:
    """Record every number of every network, with verdicts where a rule covers them, and means over networks."""
    ledger = Ledger(record)
    for study in studies:
        _untouched(ledger, study)
        for vector in VECTORS:
            for place in study.places:
                _place(ledger, study, place, vector)
        _tests(ledger, study)
    quantities = ("choice_change", "play_change", "like_removal", "field_over_noise")
    record_over_networks(ledger, [f"{target}/{each}" for target in TARGETS.values() for each in quantities])
    return ledger


def _untouched(ledger: Ledger, study: SteeringStudy) -> None:
    """What the network does without any vector, and without the cheese."""
    for readout, places in (("choices", study.places), ("play", study.played())):
        for vector in VECTORS if places else ():
            came = places[0].came(readout, UNTOUCHED, GOAL[vector])
            ledger.add(
                f"{TARGETS[vector]}/{readout}_untouched",
                lambda c=came: wilson(int(c.sum()), len(c)),
                study.where,
                "share",
            )
    gone = study.places[0].came("choices", REMOVED, "cheese")
    ledger.add(
        f"{TARGETS['cheese']}/choices_without_cheese",
        lambda: wilson(int(gone.sum()), len(gone)),
        study.where,
        "share",
    )
    detectable = smallest_difference(len(gone))
    if detectable is not None:
        ledger.record.metric(
            f"{TARGETS['cheese']}/choice_change_detectable", detectable, study.where, "share", len(gone)
        )


def _place(ledger: Ledger, study: SteeringStudy, place: PlaceResult, vector: str) -> None:
    target = TARGETS[vector]
    where = study.where | {"hook_point": place.hook_point}
    readouts = {"choice": "choices"} | ({"play": "play"} if place.found["play"] else {})
    for name, readout in readouts.items():
        for strength in study.strengths:
            ledger.add(
                f"{target}/{name}_change",
                lambda r=readout, s=strength: place.change(r, vector, s),
                where | {"strength": strength},
                "share",
            )
        for control in CONTROLS:
            ledger.add(
                f"{target}/{name}_over_{CONTROL_NAMES[control]}",
                lambda r=readout, c=control: place.over(r, vector, c),
                where | {"strength": CLAIMED[vector]},
                "share",
            )
    claimed = where | {"strength": CLAIMED[vector]}
    ledger.add(f"{target}/field_over_noise", lambda: place.field_over_noise(vector), claimed, "arrow length")
    if vector == "cheese":
        for control, at in (("own", "vector"), *((each, each) for each in CONTROLS)):
            ledger.add(
                f"{target}/like_removal",
                lambda c=control: place.like_removal(c),
                claimed | {"arm": at},
                "share",
            )
        ledger.add(
            f"{target}/field_like_removal",
            lambda: place.field_like_removal(),
            claimed | {"arm": "vector"},
            "share",
        )


def _tests(ledger: Ledger, study: SteeringStudy) -> None:
    for name, readout in (("choice", "choices"), ("play", "play")):
        for (hook_point, vector, strength), test in study.tests(readout).items():
            if strength == CLAIMED[vector]:
                place = study.where | {"hook_point": hook_point, "strength": strength}
                ledger.record.metric(f"{TARGETS[vector]}/{name}_p_holm", test.p_holm, place, "p")
