"""The numbers that `probe-to-cause` makes of its dots: each dot's, and how well a probe's skill tells its effect."""

from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import rankdata

from procscope.experiments.probe_to_cause_handles import CONTROLS, PROBE, WEIGHTS
from procscope.experiments.probe_to_cause_results import Dot
from procscope.experiments.probe_to_cause_setup import Config
from procscope.experiments.probe_to_cause_study import FLIPPED
from procscope.workbench.ledger import Ledger
from procscope.workbench.mean_intervals import bootstrap_means
from procscope.workbench.rank_correlation import correlation_of_entries
from procscope.workbench.runs import RunRecord
from procscope.workbench.statistics import Interval, holm

OWN, NOTES = "probes.cause", "S4.probe-control"
TARGETS = (OWN, NOTES)
_RESAMPLES = 2000


class Pairs(NamedTuple):
    """Skill and effect of those dots that have both."""

    dots: tuple[Dot, ...]
    skill: Float[np.ndarray, " dot"]
    effect: Float[np.ndarray, " dot"]


GROUPS: dict[str, Callable[[Dot], Hashable]] = {
    "all": lambda dot: "all",
    "within what is read": lambda dot: (dot.place.model, dot.cause.name),
    "within hook points": lambda dot: (dot.place.model, dot.place.hook_point),
}
"""Which dots are compared with each other: all; the layers of one network for one thing; the things at one layer."""


def record_numbers(record: RunRecord, config: Config, dots: Sequence[Dot]) -> Ledger:
    """Record every number."""
    ledger = Ledger(record)
    for dot in dots:
        _dot(ledger, config, dot)
    _tests(ledger, config.told, dots)
    ledger.add(
        f"{OWN}/pattern_over_weights",
        lambda: pattern_over_weights(dots, config.told),
        {"dots": "all"},
        "share",
    )
    for name, pairs in (("effect", steered_pairs(dots, config.told)), ("erasure", erased_pairs(dots))):
        for compared in GROUPS:
            _correlation(ledger, name, compared, pairs, {})
        for game in dict.fromkeys(dot.place.game for dot in dots):
            chosen = [i for i, dot in enumerate(pairs.dots) if dot.place.game == game]
            some = Pairs(tuple(pairs.dots[i] for i in chosen), pairs.skill[chosen], pairs.effect[chosen])
            _correlation(ledger, name, "all", some, {"game": game})
    return ledger


def _correlation(ledger: Ledger, name: str, compared: str, pairs: Pairs, where: dict[str, str]) -> None:
    ledger.add(
        f"{OWN}/rank_correlation",
        lambda: correlation(pairs, compared, np.random.default_rng(ledger.record.seed)),
        {"of": name, "dots": compared, **where},
        "1",
    )


def _dot(ledger: Ledger, config: Config, dot: Dot) -> None:
    told = dot.where | {"strength": config.told}
    skill = dot.skill
    ledger.add(
        f"{OWN}/skill", lambda: skill.interval(np.random.default_rng(ledger.record.seed)), dot.where, "skill"
    )
    for strength in config.strengths:
        for arm in (PROBE, *CONTROLS):
            ledger.add(
                f"{OWN}/effect",
                lambda s=strength, a=arm: dot.effect(s, a),
                dot.where | {"strength": strength, "arm": arm},
                "share",
            )
    for arm in (FLIPPED, WEIGHTS):
        if arm in dot.found["effects"][f"{config.told:g}"]:
            ledger.add(
                f"{OWN}/effect", lambda a=arm: dot.effect(config.told, a), told | {"arm": arm}, "share"
            )
    ledger.add(f"{OWN}/over_controls", lambda: dot.over_controls(config.told), told, "share")
    ledger.add(f"{OWN}/erased", lambda: dot.erased(), dot.where, "share")
    ledger.add(f"{OWN}/erased_over_controls", lambda: dot.erased_over_controls(), dot.where, "share")
    if dot.place.game == "heist" and dot.kind == "move":
        ledger.add(f"{NOTES}/steered", lambda: dot.over_controls(config.told), told, "share")


def _tests(ledger: Ledger, strength: float, dots: Sequence[Dot]) -> None:
    """Student's tests of all dots, corrected by Holm's method for their number."""
    tested = [
        (dot, found) for dot in dots if (found := _or_none(lambda d=dot: d.p_value(strength))) is not None
    ]
    for (dot, _), p in zip(tested, holm(np.array([p for _, p in tested])) if tested else [], strict=True):
        ledger.record.metric(f"{OWN}/p_holm", float(p), dot.where | {"strength": strength}, "p")


def pattern_over_weights(dots: Sequence[Dot], strength: float) -> Interval:
    """How much larger effects are along patterns than along weights, mean over dots, dots resampled.

    Raises ValueError: fewer than two dots that have both.
    """
    found = [
        _or_none(lambda d=dot: d.effect(strength).value - d.effect(strength, WEIGHTS).value) for dot in dots
    ]
    there = np.array([one for one in found if one is not None], float)
    return bootstrap_means(there[:, None], rng=np.random.default_rng(0))[0]


def steered_pairs(dots: Sequence[Dot], strength: float) -> Pairs:
    """Skill, and effect beyond controls."""
    return _pairs(dots, lambda dot: dot.over_controls(strength).value)


def erased_pairs(dots: Sequence[Dot]) -> Pairs:
    """Skill, and what is lost by erasure beyond controls."""
    return _pairs(dots, lambda dot: dot.erased_over_controls().value)


def _pairs(dots: Sequence[Dot], effect_of: Callable[[Dot], float]) -> Pairs:
    found = [(dot, dot.skill.value(), _or_none(lambda d=dot: effect_of(d))) for dot in dots]
    kept = [(dot, skill, effect) for dot, skill, effect in found if effect is not None and np.isfinite(skill)]
    return Pairs(
        tuple(dot for dot, _, _ in kept),
        np.array([skill for _, skill, _ in kept], float),
        np.array([effect for _, _, effect in kept], float),
    )


def correlation(pairs: Pairs, compared: str, rng: np.random.Generator) -> Interval:
    """Spearman's correlation of skill and effect over dots, with a bootstrap interval over them.

    Within groups, ranks are taken among all dots and each group's mean rank is subtracted, so that what is constant in
    a group, such as depth, plays no part. Raises ValueError: fewer than three dots, or none that can be compared.
    """
    if compared == "all":
        return correlation_of_entries(pairs.skill, pairs.effect, rng=rng, resamples=_RESAMPLES)
    names = [GROUPS[compared](dot) for dot in pairs.dots]
    place = {name: i for i, name in enumerate(dict.fromkeys(names))}
    return correlation_within(pairs.skill, pairs.effect, np.array([place[name] for name in names], int), rng)


def correlation_within(
    first: Float[np.ndarray, " entry"],
    second: Float[np.ndarray, " entry"],
    group: Int[np.ndarray, " entry"],
    rng: np.random.Generator,
) -> Interval:
    """Rank correlation within groups, whole groups resampled. Raises ValueError: no group has two that differ."""
    ranks = np.stack([rankdata(first), rankdata(second)])
    n = int(group.max(initial=-1)) + 1
    counts = np.bincount(group, minlength=n)
    means = np.stack([np.bincount(group, each, n) for each in ranks]) / np.maximum(counts, 1)
    one, two = ranks - means[:, group]
    sums = np.stack([np.bincount(group, each, n) for each in (one * two, one**2, two**2)], axis=1)

    def value(total: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return np.asarray(total[..., 0] / np.sqrt(total[..., 1] * total[..., 2]))

    found = float(value(sums.sum(axis=0))) if len(sums) else np.nan
    if not np.isfinite(found):
        raise ValueError("expected groups in which both numbers vary; there is none")
    drawn = value(sums[rng.integers(n, size=(_RESAMPLES, n))].sum(axis=1))
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return Interval(found, float(low), float(high), len(first))


def _or_none(compute: Callable[[], float]) -> float | None:
    try:
        return compute()
    except ValueError:
        return None
