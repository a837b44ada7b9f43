"""The numbers of `specialization`: each measure of each condition and partition put to the test, and the checks."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from procscope.experiments.clusterability_studies import mean_of_networks
from procscope.experiments.specialization_setup import Condition
from procscope.experiments.specialization_studies import (
    HIGH_IS_SPECIAL,
    LESION_MEASURES,
    MEASURES,
    ConditionGroups,
)
from procscope.modularity.condition_tests import ConditionTest, condition_test
from procscope.modularity.network_study import NetworkTraining
from procscope.modularity.specialization_statistics import (
    benjamini_hochberg,
    centred_percentiles,
    fisher_statistic,
)
from procscope.workbench.ledger import Ledger
from procscope.workbench.statistics import Interval, wilson


class MeasureTest(NamedTuple):
    """One entry of the tables."""

    groups: ConditionGroups
    measure: str
    test: ConditionTest
    significant: bool
    """After Benjamini and Hochberg's correction for all tests of the run."""

    @property
    def target(self) -> str:
        return target_of(self.groups.condition.row, self.measure)

    @property
    def where(self) -> dict[str, Any]:
        return where_of(self.groups)


def target_of(row: str, measure: str) -> str:
    """The target that a number belongs to."""
    if row in ("k-robust", "redundancy"):
        return f"C4.{row}"
    return "C4.lesion" if measure in LESION_MEASURES else "C4.featvis"


def where_of(groups: ConditionGroups) -> dict[str, Any]:
    """What a number says of the networks and of the partition."""
    condition = groups.condition
    return {
        "model": f"{len(groups.networks)} x {condition.training.network}",
        **condition.where,
        "input": groups.input,
        "scope": groups.scope,
    }


def record_numbers(
    ledger: Ledger, results: Sequence[ConditionGroups], accuracies: Mapping[NetworkTraining, float]
) -> list[MeasureTest]:
    """Record Fisher statistics, p-values and effects, accuracies, and the comparisons that the text makes."""
    tests = _tests(results)
    for one in tests:
        _record(ledger, one)
    for groups in results:  # a measure without any group has no test, which the report says
        tested = {one.measure for one in tests if one.groups is groups}
        for measure in MEASURES:
            if measure not in tested:
                ledger.record.undefined_metric(
                    f"{target_of(groups.condition.row, measure)}/{measure}_fisher",
                    where_of(groups),
                    "no cluster has two neurons in a layer without filling it",
                )
    for condition in dict.fromkeys(groups.condition for groups in results):
        networks = len(next(each.networks for each in results if each.condition == condition))
        found = np.array([accuracies[training] for training in condition.trainings(networks)])
        ledger.add(
            f"{target_of(condition.row, 'accuracy')}/test_accuracy",
            lambda f=found: mean_of_networks(f),
            {"model": f"{networks} x {condition.training.network}", **condition.where},
            "share",
        )
    _record_same_verdicts(ledger, tests)
    _record_inputs_compared(ledger, results)
    return tests


def _tests(results: Sequence[ConditionGroups]) -> list[MeasureTest]:
    found = []
    for groups in results:
        if any(len(network.groups) for network in groups.networks):
            for measure in MEASURES:
                measured = [network.measures[measure] for network in groups.networks]
                test = condition_test(measured, high_is_special=HIGH_IS_SPECIAL[measure])
                found.append((groups, measure, test))
    if not found:
        return []
    discoveries = benjamini_hochberg(np.array([test.p_value for _, _, test in found]))
    return [
        MeasureTest(groups, measure, test, bool(significant))
        for (groups, measure, test), significant in zip(found, discoveries.significant, strict=True)
    ]


def _record(ledger: Ledger, one: MeasureTest) -> None:
    test, name = one.test, f"{one.target}/{one.measure}"
    half = 1.96 * test.effect.standard_error
    mean = test.effect.mean
    ledger.add(f"{name}_fisher", lambda: test.fisher, one.where, "1")
    ledger.add(f"{name}_p", lambda: test.p_value, one.where, "p", test.n_groups)
    effect = Interval(mean, mean - half, mean + half, test.n_groups)
    ledger.add(f"{name}_effect", lambda: effect, one.where, "1")


def _record_same_verdicts(ledger: Ledger, tests: Sequence[MeasureTest]) -> None:
    """How often another number of clusters leaves it the same whether a measure is significant."""
    others = [one for one in tests if one.groups.condition.row == "k-robust"]
    if not others:
        return
    network = others[0].groups.condition.network
    main = {
        (one.groups.input, one.groups.scope, one.measure): one.significant
        for one in tests
        if one.groups.condition.row == network
    }
    keys = [(one.groups.input, one.groups.scope, one.measure) for one in others]
    same = [one.significant == main[key] for one, key in zip(others, keys, strict=True) if key in main]
    where = {
        key: value for key, value in others[0].where.items() if key in ("model", "network", "data", "source")
    }
    ledger.add("C4.k-robust/same_verdict", lambda: wilson(sum(same), len(same)), where, "share")


def _record_inputs_compared(ledger: Ledger, results: Sequence[ConditionGroups]) -> None:
    """Fisher's statistic of accuracy drops by activations less by weights, network by network, over both scopes."""
    main: dict[Condition, list[ConditionGroups]] = {}
    for groups in results:
        if groups.condition.row == groups.condition.network:
            main.setdefault(groups.condition, []).append(groups)
    for of_condition in main.values():
        by_input = {
            kind: np.array([_statistics(each) for each in of_condition if each.input == kind]).mean(axis=0)
            for kind in ("weights", "activations")
        }
        where = {
            key: value
            for key, value in where_of(of_condition[0]).items()
            if key in ("model", "network", "data", "source")
        }
        ledger.add(
            "C4.redundancy/activations_over_weights",
            lambda found=by_input: _compared(found["activations"] - found["weights"]),
            where,
            "1",
        )


def _statistics(groups: ConditionGroups) -> list[float]:
    return [
        fisher_statistic(centred_percentiles(*network.measures["accuracy"])) if network.groups else np.nan
        for network in groups.networks
    ]


def _compared(apart: np.ndarray) -> Interval:
    """Raises ValueError: a network without groups under some partition."""
    if np.isnan(apart).any():
        raise ValueError("a network has no groups under some partition")
    return mean_of_networks(apart)
