"""The numbers that `heist-entities` makes of its results, under the ids that `published.toml` has claims about."""

from collections.abc import Sequence

import numpy as np

from procscope.experiments.heist_entities_results import (
    ANY,
    ENGINE,
    KEYS,
    SHUFFLED,
    THINGS,
    UNTRAINED,
    CheeseStudy,
    EntityStudy,
    mean_over_levels,
    unpaired_difference,
)
from procscope.experiments.maze_networks import record_over_networks
from procscope.interventions.direction_channels import DIRECTIONS
from procscope.probes.entity_study import MASSES, MEASURES
from procscope.workbench.ledger import Ledger
from procscope.workbench.runs import RunRecord
from procscope.workbench.statistics import Interval, auroc, bootstrap

SWEEP, METRICS, DIRECTION = "S4.entity-sweep", "S4.tracking-metrics", "S4.direction-channels"
COMPARED = (("equivariance", "activation"), ("overlap", "activation"), ("overlap", "change"))
"""Measures and masses by which cheese and keys are compared."""


def record_numbers(
    record: RunRecord, studies: Sequence[EntityStudy], cheese: Sequence[CheeseStudy]
) -> Ledger:
    """Record every number of every network, with verdicts where a rule covers them, and means over networks."""
    ledger = Ledger(record)
    for study in studies:
        _record_tracking(ledger, study)
        _record_next_key(ledger, study)
        _record_directions(ledger, study)
        for other in cheese:
            _record_cheese(ledger, study, other)
    record_over_networks(
        ledger,
        [
            f"{SWEEP}/follows_keys",
            f"{METRICS}/over_untrained",
            f"{METRICS}/over_shuffled",
            f"{SWEEP}/next_key_over_untrained",
            f"{SWEEP}/next_key_any_colours_over_untrained",
            f"{DIRECTION}/auroc",
        ],
    )
    return ledger


def _record_tracking(ledger: Ledger, study: EntityStudy) -> None:
    for setting, tracked in (("room", study.rooms), ("maze", study.mazes)):
        for mass in MASSES:
            for measure in MEASURES:
                place = study.where | {"setting": setting, "mass": mass, "measure": measure}
                together = tracked.best(KEYS, mass, measure)
                ledger.add(
                    f"{SWEEP}/follows_keys",
                    lambda j=together: j.least,
                    place | {"unit": str(together.unit)},
                    "1",
                )
                for thing in (*THINGS, "keys"):
                    things = KEYS if thing == "keys" else (thing,)
                    found = tracked.best(things, mass, measure)
                    ledger.add(
                        f"{METRICS}/best",
                        lambda j=found: mean_over_levels(j.scores.mean(axis=1)),
                        place | {"thing": thing, "unit": str(found.unit)},
                        "1",
                    )
                    for source in (UNTRAINED, SHUFFLED):
                        ledger.add(
                            f"{METRICS}/over_{source}",
                            lambda t=tracked, h=things, m=mass, e=measure, s=source: t.over(h, m, e, s),
                            place | {"thing": thing},
                            "1",
                        )
        for mass, measure in (("activation", "equivariance"), ("change", "overlap")):
            for name in tracked.hook_points:
                found = tracked.best(KEYS, mass, measure, hook_point=name)
                place = study.where | {
                    "setting": setting,
                    "mass": mass,
                    "measure": measure,
                    "hook_point": name,
                }
                ledger.add(
                    f"{METRICS}/best_at",
                    lambda j=found: mean_over_levels(j.scores.mean(axis=1)),
                    place | {"unit": str(found.unit)},
                    "1",
                )
                ledger.add(
                    f"{METRICS}/over_untrained_at",
                    lambda t=tracked, m=mass, e=measure, h=name: t.over(KEYS, m, e, UNTRAINED, h),
                    place,
                    "1",
                )
        for thing in THINGS:
            ledger.add(
                f"{SWEEP}/followers",
                lambda t=tracked, h=thing: len(t.followers(h)),
                study.where | {"setting": setting, "thing": thing},
                "units",
                n=len(tracked.units),
            )
    for mass in MASSES:
        unit = study.rooms.best(KEYS, mass, "equivariance").unit
        for thing in KEYS:
            ledger.add(
                f"{SWEEP}/agent_spread",
                lambda h=thing, u=unit, m=mass: study.rooms.agent_spread(h, u, m),
                study.where | {"thing": thing, "mass": mass, "unit": str(unit)},
                "1",
            )


def _record_next_key(ledger: Ledger, study: EntityStudy) -> None:
    for colours, name in ((ENGINE, "next_key"), (ANY, "next_key_any_colours")):
        found = study.next_key(colours)
        ledger.add(
            f"{SWEEP}/{name}",
            lambda f=found: mean_over_levels(f.right),
            study.where | {"unit": str(found.unit)},
            "share",
        )
        ledger.add(
            f"{SWEEP}/{name}_over_untrained",
            lambda c=colours: study.next_key_over_untrained(c),
            study.where,
            "share",
        )


def _record_directions(ledger: Ledger, study: EntityStudy) -> None:
    for move in DIRECTIONS:
        name = move.name.lower()
        place = study.where | {"direction": name, "hook_point": study.hook_point}
        channel = study.channels[name]
        readout = study.readouts[name]
        ledger.add(f"{DIRECTION}/auroc", lambda r=readout: r.auroc, place | {"channel": channel}, "1")
        ledger.add(
            f"{DIRECTION}/selectivity",
            lambda m=move, c=channel: study.directions.selectivity(c, [m]),
            place | {"channel": channel},
            "1",
            n=study.directions.n_mazes,
        )
        ledger.add(f"{DIRECTION}/over_untrained", lambda n=name: over_untrained(study, n), place, "1")


def over_untrained(study: EntityStudy, direction: str) -> Interval:
    """AUROC less the mean AUROC of untrained networks on the same levels, bootstrapped over levels."""
    mine, theirs = study.readouts[direction], study.untrained_readouts[direction]
    sums = np.stack([mine.sums, *(one.sums for one in theirs)], axis=1)

    def difference(drawn: np.ndarray, right: np.ndarray) -> float:
        areas = [auroc(drawn[:, i], right).value for i in range(drawn.shape[1])]
        return float(areas[0] - np.mean(areas[1:]))

    return bootstrap(difference, sums, mine.is_right, rng=np.random.default_rng(0), resamples=500)


def _record_cheese(ledger: Ledger, study: EntityStudy, cheese: CheeseStudy) -> None:
    for measure, mass in COMPARED:
        place = study.where | {"measure": measure, "mass": mass, "maze_model": cheese.model}
        theirs = cheese.mazes.best(("cheese",), mass, measure)
        mine = study.mazes.best((KEYS[0],), mass, measure)
        ledger.add(
            f"{SWEEP}/cheese",
            lambda t=theirs: mean_over_levels(t.scores[:, 0]),
            place | {"unit": str(theirs.unit)},
            "1",
        )
        ledger.add(
            f"{SWEEP}/maze_minus_heist",
            lambda t=theirs, m=mine: unpaired_difference(t.scores[:, 0], m.scores[:, 0]),
            place,
            "1",
        )
        ledger.add(
            f"{SWEEP}/cheese_over_untrained",
            lambda m=mass, e=measure: cheese.mazes.over(("cheese",), m, e, UNTRAINED),
            place,
            "1",
        )
