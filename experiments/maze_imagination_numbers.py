"""The numbers of `maze-imagination`: of planners of ours, and of what is read from policies.

Axes: `run` the planners that reached the accuracy asked for; `choice` the frames in which a probe had to choose.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from procscope.experiments.maze_imagination_policies import PIXELS, UNTRAINED
from procscope.imagination.network_study import StudyMember
from procscope.workbench.ledger import Ledger
from procscope.workbench.mean_intervals import mean_interval
from procscope.workbench.run_intervals import mean_of_runs
from procscope.workbench.runs import RunRecord
from procscope.workbench.statistics import Interval, paired_difference, wilson

DECODERS = ("plain", "adversarial")


@dataclass(frozen=True, eq=False)
class PlannerResults:
    """The networks that were taught one target."""

    target: str
    members: list[StudyMember]
    results: list[dict[str, Any]]

    @property
    def counted(self) -> list[dict[str, Any]]:
        """Those that reached the accuracy."""
        return [result for result in self.results if result["counts"]]

    def values(self, decoder: str) -> Float[np.ndarray, " run"]:
        """The metric of every network, every cell counting."""
        return np.array([result[decoder]["literal"] for result in self.counted])


@dataclass(frozen=True, eq=False)
class PolicyResults:
    """What was read from one policy."""

    name: str
    training: str
    found: dict[str, Any]
    knowing_next: list[float]
    """Share of right choices by one who knows the next cell alone, for 1, 2, ... steps ahead."""

    @property
    def layers(self) -> list[str]:
        """Those that probes read, without the frame and the untrained network."""
        return [name for name in self.found["choices"] if name not in (PIXELS, UNTRAINED)]

    @property
    def steps(self) -> range:
        """How many cells ahead."""
        return range(1, 1 + len(self.found["choices"][PIXELS]))

    def right(self, place: str, steps: int) -> Bool[np.ndarray, " choice"]:
        """Whether the probe chose the right cell, for each frame."""
        return np.array(self.found["choices"][place][steps - 1]["right"], dtype=bool)

    def chance(self, steps: int) -> float:
        """Of a choice."""
        return self.found["choices"][PIXELS][steps - 1]["chance"]

    def best_layer(self, steps: int) -> str:
        """The layer whose probe chooses best."""
        return max(self.layers, key=lambda layer: float(self.right(layer, steps).mean()))

    def best_baseline(self, steps: int) -> str:
        """The better of the frame's pixels and the untrained network."""
        return max((PIXELS, UNTRAINED), key=lambda place: float(self.right(place, steps).mean()))


def record_numbers(
    record: RunRecord, planners: Sequence[PlannerResults], policies: Sequence[PolicyResults]
) -> Ledger:
    """Record all numbers."""
    ledger = Ledger(record)
    for planner in planners:
        where, n = {"target": planner.target}, len(planner.results)
        ledger.add(
            "S2.planner/discarded",
            lambda planner=planner, n=n: wilson(n - len(planner.counted), n),
            where,
            "share",
        )
        for decoder in DECODERS:
            values = planner.values(decoder)
            ledger.add(
                "S2.planner/metric",
                lambda values=values: mean_of_runs(values),
                where | {"decoder": decoder},
                "1",
            )
        if planner.counted:
            for floor in planner.counted[0]["floors"]:
                values = np.array([result["floors"][floor][0] for result in planner.counted])
                ledger.add(
                    "S2.planner/floor",
                    lambda values=values: mean_of_runs(values),
                    where | {"floor": floor},
                    "1",
                )
    for policy in policies:
        _record_policy(ledger, policy)
    return ledger


def _record_policy(ledger: Ledger, policy: PolicyResults) -> None:
    where = {"model": policy.name, "training": policy.training}
    for steps in policy.steps:
        for place in (*policy.layers, PIXELS, UNTRAINED):
            right = policy.right(place, steps)
            ledger.add(
                "S2.planning/choice",
                lambda right=right: wilson(int(right.sum()), len(right)),
                where | {"layer": place, "steps": steps},
                "share",
            )
        ledger.add(
            "S2.planning/chance",
            lambda steps=steps: policy.chance(steps),
            where | {"steps": steps},
            "share",
        )
        ledger.add(
            "S2.planning/knowing_next",
            lambda steps=steps: policy.knowing_next[steps - 1],
            where | {"steps": steps},
            "share",
        )
        best, baseline = policy.best_layer(steps), policy.best_baseline(steps)
        ledger.add(
            "S2.planning/choice_gain",
            lambda best=best, baseline=baseline, steps=steps: paired_difference(
                policy.right(best, steps), policy.right(baseline, steps)
            ),
            where | {"steps": steps},
            "share",
        )
    found = policy.found
    for id in ("first_right", "last_right"):
        right = found[id]
        ledger.add(f"S2.planning/{id}", lambda right=right: wilson(sum(right), len(right)), where, "share")
    highest = max(found["floors"].values())
    for id, values in (
        ("metric", found["exact"]),
        ("metric_at_95", found["at_95"]),
        ("above_floor", [value - highest for value in found["exact"]]),
    ):
        ledger.add(f"S2.planning/{id}", lambda values=values: _mean_of_frames(values), where, "1")


def _mean_of_frames(values: list[float]) -> Interval:
    return mean_interval(np.array(values))
