"""The numbers that `heist-goals` makes of its results, under the ids that `published.toml` has claims about."""

from collections.abc import Sequence

import numpy as np

from procscope.envs.heist.things import COLOURS
from procscope.experiments.heist_goals_results import GoalStudy
from procscope.experiments.heist_pair_means import mean
from procscope.experiments.maze_networks import record_over_networks
from procscope.interventions.named_arms import UNTOUCHED
from procscope.probes.goal_switch import HELD
from procscope.workbench.ledger import Ledger
from procscope.workbench.runs import RunRecord
from procscope.workbench.statistics import Interval, wilson

TARGET = "S4.probes"
BEST = "best edit"
KEYS, LOCKS = tuple(f"{colour} key" for colour in COLOURS), tuple(f"{colour} lock" for colour in COLOURS)


def record_numbers(record: RunRecord, studies: Sequence[GoalStudy]) -> Ledger:
    """Record every number of every network, with verdicts where a rule covers them, and means over networks."""
    ledger = Ledger(record)
    for study in studies:
        _record_switch(ledger, study)
        _record_circuits(ledger, study)
        _record_entities(ledger, study)
        _record_eigen(ledger, study)
        _record_distances(ledger, study)
        _record_rules(ledger, study)
    record_over_networks(ledger, [f"{TARGET}/switched_gain", f"{TARGET}/one_channel"])
    return ledger


def _record_switch(ledger: Ledger, study: GoalStudy) -> None:
    for arm in study.effects:
        place = study.where | {"arm": arm}
        ledger.add(f"{TARGET}/share_of_held", lambda a=arm: study.share(a), place, "share")
        ledger.add(f"{TARGET}/first_move_switched", lambda a=arm: study.switched(a), place, "share")
    for arm, played in study.play.items():
        place = study.where | {"arm": arm}
        for column in ("gate_first", "key_first", "clean"):
            ledger.add(f"{TARGET}/{column}", lambda p=played, c=column: mean(getattr(p, c)), place, "share")
        if arm not in (UNTOUCHED, HELD):
            ledger.add(
                f"{TARGET}/switched_gain",
                lambda a=arm: study.over(a, UNTOUCHED, "gate_first"),
                place,
                "share",
            )
    best = study.best_edit()
    place = study.where | {"arm": BEST, "chosen": best}
    ledger.add(
        f"{TARGET}/switched_gain", lambda: study.over(best, UNTOUCHED, "gate_first", True), place, "share"
    )
    ledger.add(f"{TARGET}/clean_of_held", lambda: study.over(best, HELD, "clean", True), place, "share")


def _record_circuits(ledger: Ledger, study: GoalStudy) -> None:
    for circuit, by_place in study.circuits.items():
        for name, found in by_place.items():
            place = study.where | {"circuit": circuit, "hook_point": name}
            for count, share in found.share.items():
                ledger.add(f"{TARGET}/carried", lambda s=share: s, place | {"count": count}, "share")
                ledger.add(
                    f"{TARGET}/carried_by_random",
                    lambda s=found.random[count]: s,
                    place | {"count": count},
                    "share",
                )
            ledger.add(
                f"{TARGET}/channels_for_half",
                lambda f=found: f.for_half,
                place,
                "channels",
                n=len(found.alone),
            )
        middle = by_place[study.map_point]
        ledger.add(
            f"{TARGET}/one_channel",
            lambda f=middle: f.share[1],
            study.where | {"circuit": circuit, "channel": middle.order[0]},
            "share",
        )
    for one, two in (("wall", "key place"), ("wall", "key there"), ("key place", "key there")):
        first, second = (study.circuits[name][study.map_point] for name in (one, two))
        count = max(1, len(first.order) // 4)
        ledger.add(
            f"{TARGET}/shared_channels",
            lambda a=first, b=second, k=count: len(set(a.order[:k]) & set(b.order[:k])) / k,
            study.where | {"circuits": f"{one}, {two}", "count": count},
            "share",
            n=count,
        )


def _record_entities(ledger: Ledger, study: GoalStudy) -> None:
    for kind, found in (("trained", study.vectors), ("untrained", study.untrained_vectors)):
        for thing, spread in zip(found.things, found.participation.tolist(), strict=True):
            ledger.add(
                f"{TARGET}/channels_of_entity",
                lambda s=spread: s,
                study.where | {"thing": thing, "weights": kind},
                "channels",
                n=found.vectors.shape[1],
            )
    for name, one, two in (
        ("keys", KEYS, KEYS),
        ("locks", LOCKS, LOCKS),
        ("keys and locks", KEYS, LOCKS),
        ("keys and gem", KEYS, ("gem",)),
    ):
        ledger.add(
            f"{TARGET}/likeness",
            lambda a=one, b=two: study.shared(a, b),
            study.where | {"things": name},
            "cosine",
            n=study.vectors.vectors.shape[1],
        )


def _record_eigen(ledger: Ledger, study: GoalStudy) -> None:
    ledger.add(
        f"{TARGET}/eigen_directions",
        lambda: study.eigen.participation,
        study.where,
        "directions",
        n=len(study.eigen.shares),
    )
    ledger.add(f"{TARGET}/probe_accuracy", lambda: mean(study.accuracy), study.where | {"erased": 0}, "share")
    for one in study.erased:
        place = study.where | {"erased": one.directions}
        ledger.add(f"{TARGET}/probe_accuracy", lambda o=one: mean(o.guided), place, "share")
        ledger.add(f"{TARGET}/erased_over_random", lambda o=one: mean(o.random - o.guided), place, "share")


def _record_rules(ledger: Ledger, study: GoalStudy) -> None:
    rules = study.rules

    def share(found: np.ndarray) -> Interval:
        return wilson(int(found.sum()), len(found))

    for situation in rules.to_key:
        place = study.where | {"key": situation}
        ledger.add(f"{TARGET}/goes_to_key", lambda s=situation: share(rules.to_key[s]), place, "share")
        ledger.add(f"{TARGET}/goes_to_lock", lambda s=situation: share(rules.to_lock[s]), place, "share")
    ledger.add(f"{TARGET}/goes_to_needed_key", lambda: share(rules.needed.all(axis=1)), study.where, "share")
    ledger.add(f"{TARGET}/ignores_lock_colour", lambda: share(rules.same), study.where, "share")


def _record_distances(ledger: Ledger, study: GoalStudy) -> None:
    for found in study.distances:
        for target in found.r2:
            place = study.where | {"hook_point": found.hook_point, "target": target}
            ledger.add(f"{TARGET}/distance_r2", lambda f=found, t=target: f.r2[t], place, "1", n=found.n)
            ledger.add(
                f"{TARGET}/distance_over_untrained",
                lambda f=found, t=target: f.r2[t] - f.untrained[t],
                place,
                "1",
                n=found.n,
            )
    last = study.distances[-1]
    ledger.add(
        f"{TARGET}/path_over_euclid",
        lambda: _bracketed(last.r2["path beyond euclidean"], last.n),
        study.where | {"hook_point": last.hook_point},
        "1",
    )


def _bracketed(r2: float, n: int) -> Interval:
    """R² with the interval of Fisher's z of its root. Raises ValueError: an R² below 0, whose root is no "
    "correlation."""
    if r2 <= 0:
        raise ValueError(f"the probe does no better than the mean (R² {r2:.3f})")
    z, half = np.arctanh(np.sqrt(r2)), 1.96 / np.sqrt(n - 3)
    low, high = np.tanh(max(z - half, 0.0)) ** 2, np.tanh(z + half) ** 2
    return Interval(r2, float(low), float(high), n)
