"""The numbers that `policy-probes` makes of its results."""

from collections.abc import Sequence

import numpy as np

from procscope.experiments.policy_probes_results import FOLLOWED, IGNORED, ProbedNetwork
from procscope.experiments.policy_probes_study import PIXELS
from procscope.probes.skill import Skill
from procscope.workbench.ledger import Ledger
from procscope.workbench.runs import RunRecord

OWN, NOTES = "probes.policy", "S4.probing"
TARGETS = (OWN, NOTES)
CLAIMED = ("next move", "next key: place in numbers", "other key: place in numbers")
"""What the notes on a Heist agent expect probes to find."""
PARTING = ("cheese: place in numbers", "cheese: is it here")
"""What is asked apart where the cheese is followed and where it is ignored; answered on all frames."""


def record_numbers(record: RunRecord, studies: Sequence[ProbedNetwork], resamples: int) -> Ledger:
    """Record every number of every network."""
    ledger = Ledger(record)
    for study in studies:
        for one in study.asked:
            _baselines(ledger, study, one.name, resamples)
            for place in study.hook_points:
                _place(ledger, study, one.name, place, resamples)
        if study.game == "maze":
            _parting(ledger, study, resamples)
    return ledger


def _rng(ledger: Ledger) -> np.random.Generator:
    return np.random.default_rng((ledger.record.seed, 7))


def _baselines(ledger: Ledger, study: ProbedNetwork, name: str, resamples: int) -> None:
    """The picture's probe and the tables' guesses."""
    where = study.where | {"target": name}
    tables = {f"table: {known}": study.lookup(name, known.split()) for known in study.tables.get(name, {})}
    for source, skill in {PIXELS: study.skill(name, PIXELS), **tables}.items():
        if skill is not None:
            ledger.add(
                f"{OWN}/skill",
                lambda s=skill: s.interval(_rng(ledger), resamples),
                where | {"hook_point": source, "weights": "none"},
                "skill",
            )


def _place(ledger: Ledger, study: ProbedNetwork, name: str, place: str, resamples: int) -> None:
    """The trained network's probe, beside the untrained network's, the control task and the table."""
    skill, where = study.skill(name, place), study.where | {"target": name, "hook_point": place}
    if skill is None:
        return

    def add(quantity: str, compute, **at: str) -> None:
        ledger.add(f"{OWN}/{quantity}", compute, where | at, "skill")

    def over(other: Skill):
        return lambda: skill.over(other, _rng(ledger), resamples)

    add("skill", lambda: skill.interval(_rng(ledger), resamples), weights="trained")
    untrained, control = study.skill(name, place, 1), study.skill(name, place, what="control")
    baseline, table = study.baseline(name, place), study.lookup(name)
    if untrained is not None:
        add("skill", lambda: untrained.interval(_rng(ledger), resamples), weights="untrained")
    if control is not None:
        add("selectivity", over(control))
    if table is not None:
        add("over_table", over(table))
    if baseline is not None:
        add("over_baseline", over(baseline))
        if study.game == "heist" and name in CLAIMED:
            ledger.add(f"{NOTES}/over_baseline", over(baseline), where, "skill")
    for probe in ("logistic", "mlp"):
        other = study.closer(name, place, probe)
        if other is not None:
            add("skill", lambda s=other: s.interval(_rng(ledger), resamples), weights=f"trained, {probe}")
    bits = study.saved_bits(name, place)
    if bits is not None and next(one for one in study.asked if one.name == name).kind == "class":
        ledger.record.metric(f"{OWN}/saved_bits", bits, where, "bits")


def _parting(ledger: Ledger, study: ProbedNetwork, resamples: int) -> None:
    """Is the cheese known where it is ignored? Where the ways to cheese and corner part, by what the network does."""
    parts = {which: study.part(which) for which in (FOLLOWED, IGNORED)}
    for which, chosen in parts.items():
        ledger.record.metric(
            f"{OWN}/frames", int(chosen.sum()), study.where | {"frames": which}, "frames", int(chosen.sum())
        )
        for name in PARTING:
            for place in study.hook_points:
                skill = study.skill(name, place)
                if skill is not None:
                    ledger.add(
                        f"{OWN}/skill_where",
                        lambda s=skill, c=chosen: s.where(c).interval(_rng(ledger), resamples),
                        study.where | {"target": name, "hook_point": place, "frames": which},
                        "skill",
                    )
