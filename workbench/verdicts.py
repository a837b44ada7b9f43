"""Whether a measured number bears out a claim: the rule's terms and the two verdicts drawn from them.

A rule is written in `experiments/published.toml` before the run. It compares one measured quantity, with its
confidence interval, with a reference value, and says how far from it the quantity must be to matter (the
margin). Being sure that a quantity lies past the reference, and its being large enough to matter, are two
things; a claim is *held* when both are so, *refuted* when we are sure that it is too small to matter, else
*undecided*:

| direction | held                                             | refuted                          |
|-----------|--------------------------------------------------|----------------------------------|
| above     | low > reference and value >= reference + margin  | high < reference + margin        |
| below     | high < reference and value <= reference - margin | low > reference - margin         |
| near      | reference - margin <= low, high <= ref. + margin | the interval lies wholly outside |

One network is one case. So there are two verdicts: `verdict` about the network that was measured, and
`verdict_for_kind` about all networks trained like it, which rests on several independently trained ones.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from procscope.workbench.statistics import Interval

Verdict = Literal["held", "refuted", "undecided"]
Direction = Literal["above", "below", "near"]


@dataclass(frozen=True)
class Rule:
    """What counts as held, refuted and undecided; all numbers in the unit of the quantity it is about."""

    direction: Direction
    """Where the claim says the quantity lies, seen from `reference`."""

    reference: float
    """The value to compare with: no effect, chance level, or the published number itself (`near`)."""

    margin: float
    """The smallest distance from `reference` that would matter; for `near`, the largest that would not. Above 0."""

    least_n: int
    """Fewer observations than this are undecided, whatever they say."""

    least_networks: int = 3
    """So many independently trained networks must agree before anything is said about networks as a kind."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.reference) and math.isfinite(self.margin) and self.margin > 0):
            raise ValueError(
                f"expected a finite reference and a margin above 0, given {self.reference} and {self.margin}. "
                "The margin is the smallest difference that would matter, in the unit of the quantity"
            )
        if self.least_n < 1 or self.least_networks < 1:
            raise ValueError(
                f"expected least_n and least_networks of 1 up, given {self.least_n} and {self.least_networks}"
            )

    def in_words(self) -> str:
        """The rule as one sentence for the report."""
        low, high = _plain(self.reference - self.margin), _plain(self.reference + self.margin)
        reference = _plain(self.reference)
        says = {
            "above": f"held if the interval lies above {reference} and the value is {high} or more; "
            f"refuted if the interval lies below {high}",
            "below": f"held if the interval lies below {reference} and the value is {low} or less; "
            f"refuted if the interval lies above {low}",
            "near": f"held if the interval lies within {low} to {high}; refuted if it lies wholly outside",
        }[self.direction]
        return f"{says}; undecided otherwise, or if n < {self.least_n}"


def verdict(rule: Rule, measured: Interval) -> Verdict:
    """What `measured` says about the claim that `rule` judges, for the network that it was measured on.

    Without a finite interval (`low` or `high` NaN) or with too few observations the claim is undecided.
    """
    value, low, high = measured.value, measured.low, measured.high
    if measured.n < rule.least_n or not all(math.isfinite(number) for number in (value, low, high)):
        return "undecided"
    floor, ceiling = rule.reference - rule.margin, rule.reference + rule.margin
    if rule.direction == "above":
        held, refuted = low > rule.reference and value >= ceiling, high < ceiling
    elif rule.direction == "below":
        held, refuted = high < rule.reference and value <= floor, low > floor
    else:
        held, refuted = floor <= low and high <= ceiling, high < floor or low > ceiling
    return "held" if held else "refuted" if refuted else "undecided"


def verdict_for_network(verdicts: Sequence[Verdict]) -> Verdict:
    """One network's verdict from its measurements of one claim: what they agree on, else undecided."""
    return verdicts[0] if verdicts and len(set(verdicts)) == 1 else "undecided"


def verdict_for_kind(rule: Rule, by_network: Mapping[str, Verdict]) -> Verdict:
    """What independently trained networks say together about all networks that are trained like them.

    Args:
        rule: gives `least_networks`.
        by_network: each network's own verdict; the keys must stand for independently trained weights.

    A side wins with at least `least_networks` networks, more than half of all that were measured, and none on
    the other side; anything else is undecided.
    """
    counts = {side: sum(given == side for given in by_network.values()) for side in ("held", "refuted")}
    for side, other in (("held", "refuted"), ("refuted", "held")):
        enough = counts[side] >= rule.least_networks and 2 * counts[side] > len(by_network)
        if enough and counts[other] == 0:
            return "held" if side == "held" else "refuted"
    return "undecided"


def _plain(number: float | int) -> str:
    return f"{round(number, 10):g}"
