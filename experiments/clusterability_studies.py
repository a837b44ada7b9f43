"""Train and measure all networks that conditions ask for, some at a time, and record what each condition gave."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from procscope.experiments.clusterability_setup import Condition
from procscope.modularity.network_study import (
    STAGES,
    Measure,
    Measured,
    NetworkStudy,
    NetworkTraining,
    study_network,
)
from procscope.modularity.shuffles import left_p_value, z_score
from procscope.workbench.ledger import Ledger
from procscope.workbench.parallel import parallel_map
from procscope.workbench.runs import RunRecord
from procscope.workbench.statistics import Interval, wilson


class ConditionResult(NamedTuple):
    """What became of a condition's networks."""

    condition: Condition
    studies: list[NetworkStudy]

    def measured(self, stage: str, measure: Measure) -> list[Measured]:
        """One measure of every network at one stage."""
        return [
            test for study in self.studies for test in study.stages[stage].tests if test.measure == measure
        ]

    def cuts(self, stage: str, measure: Measure) -> np.ndarray:
        return np.array([test.n_cut for test in self.measured(stage, measure)])

    def z_scores(self, stage: str, measure: Measure) -> np.ndarray:
        """Raises ValueError: shuffles that do not differ."""
        return np.array([z_score(test.n_cut, test.shuffled) for test in self.measured(stage, measure)])

    def scores(self, stage: str, which: str = "test_score") -> np.ndarray:
        return np.array([getattr(study.stages[stage], which) for study in self.studies])


class _Job(NamedTuple):
    training: NetworkTraining
    measures: tuple[Measure, ...]
    directory: Path


def study_conditions(
    wanted: Sequence[Condition], networks: int, workers: int, record: RunRecord
) -> list[ConditionResult]:
    """Train each network once, whatever number of conditions share it; what was done before is read back."""
    directory = record.directory.parent / "members"
    measures: dict[NetworkTraining, dict[Measure, None]] = {}
    for condition in wanted:
        for training in condition.trainings(networks):
            measures.setdefault(training, {}).update(dict.fromkeys(condition.measures))
    # Networks on the same data come after one another, so that the data are drawn once.
    order = sorted(measures, key=lambda training: (training.data, training.samples, training.side))
    jobs = [_Job(training, tuple(measures[training]), directory) for training in order]
    done = {}
    for index, study in parallel_map(_study, jobs, workers=workers, description="networks"):
        done[order[index]] = study
    return [
        ConditionResult(condition, [done[training] for training in condition.trainings(networks)])
        for condition in wanted
    ]


def _study(job: _Job) -> NetworkStudy:
    return study_network(job.training, job.measures, job.directory)


def record_condition(ledger: Ledger, result: ConditionResult, **more: Any) -> None:
    """N-cuts, shuffles, Z, significance and scores of both stages."""
    for stage in STAGES:
        for measure in result.condition.measures:
            where = where_of(result, stage, **more)
            if len(result.condition.measures) > 1:
                where |= {"k": measure.k, "shuffle": measure.kind}
            tests = result.measured(stage, measure)
            significant = sum(
                left_p_value(test.n_cut, test.shuffled) <= 1 / (len(test.shuffled) + 1) for test in tests
            )
            numbers = {
                "n_cut": lambda r=result, s=stage, m=measure: mean_of_networks(r.cuts(s, m)),
                "shuffled_n_cut": lambda t=tests: mean_of_networks(
                    np.array([test.shuffled.mean() for test in t])
                ),
                "shuffled_sd": lambda t=tests: float(np.mean([test.shuffled.std(ddof=1) for test in t])),
                "z_score": lambda r=result, s=stage, m=measure: mean_of_networks(r.z_scores(s, m)),
            }
            for quantity, compute in numbers.items():
                ledger.add(f"{result.condition.target}/{quantity}", compute, where, "1", len(tests))
            ledger.add(
                f"{result.condition.target}/significant",
                lambda c=significant, t=tests: wilson(c, len(t)),
                where,
                "share",
            )
        where = where_of(result, stage, **more)
        unit = "MSE" if result.condition.training.data == "polynomials" else "share"
        for which in ("train_score", "test_score"):
            ledger.add(
                f"{result.condition.target}/{which}",
                lambda r=result, s=stage, w=which: mean_of_networks(r.scores(s, w)),
                where,
                unit,
            )
        ledger.add(
            f"{result.condition.target}/smallest_share",
            lambda r=result, s=stage: mean_of_networks(r.scores(s, "smallest_share")),
            where,
            "1",
        )


def where_of(result: ConditionResult, stage: str, **more: Any) -> dict[str, Any]:
    """What a metric says of the networks it was measured on."""
    training = result.condition.training
    return {
        "model": f"{len(result.studies)} x {training.network}",
        **result.condition.where,
        **more,
        "network": "vgg" if training.network == "narrow-vgg" else training.network,
        "source": training.data,
        "pruned": stage == "pruned",
    }


def mean_of_networks(values: np.ndarray) -> Interval:
    """Mean with Student's 95% interval over independent networks; without one where there is a single network."""
    n = len(values)
    mean = float(values.mean())
    if n < 2:
        return Interval(mean, float("nan"), float("nan"), n)
    half = float(stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / n**0.5)
    return Interval(mean, mean - half, mean + half, n)


def difference_interval(one: np.ndarray, other: np.ndarray) -> Interval:
    """Mean of `one` less that of `other`, with Welch's 95% interval. Raises ValueError: fewer than two of either."""
    n = min(len(one), len(other))
    if n < 2:
        raise ValueError(f"expected at least two networks of either kind, given {len(one)} and {len(other)}")
    apart = float(one.mean() - other.mean())
    found = stats.ttest_ind(one, other, equal_var=False)
    if one.std() == other.std() == 0:
        return Interval(apart, apart, apart, n)
    interval = found.confidence_interval(0.95)
    return Interval(apart, float(interval.low), float(interval.high), n)
