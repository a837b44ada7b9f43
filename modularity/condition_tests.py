"""One measure of the groups of several networks, put to the test: from true and random values to S0's table entry.

    networks = [GroupMeasure(found.accuracy_drop, found.random_accuracy_drop) for found in lesions]
    test = condition_test(networks)
    test.fisher.value, test.p_value, test.effect.mean

A condition is one kind of network, one partition and one measure. Its Fisher statistic is the mean over its networks,
its p-value that of one network, or corrected by Bates' distribution over several; its effect is over all groups of all
networks (`specialization_statistics` has the formulas).

Source: S0, section 4.3.2. The interval of the mean over networks is ours (Student's, 95%).

Axes: `group`, `random` groups drawn for one of them.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import stats

from procscope.modularity.specialization_statistics import (
    Effect,
    bates_p_value,
    centred_percentiles,
    effect_measure,
    fisher_p_value,
    fisher_statistic,
)
from procscope.workbench.statistics import Interval


class GroupMeasure(NamedTuple):
    """One measure of one network's groups."""

    true: Float[np.ndarray, " group"]
    random: Float[np.ndarray, "_group random"]


class ConditionTest(NamedTuple):
    """What a condition's networks say together."""

    fisher: Interval
    """Mean over networks; without an interval where there is one."""
    p_value: float
    effect: Effect
    percentiles: tuple[Float[np.ndarray, " _group"], ...]
    """Of each network's groups."""

    @property
    def n_groups(self) -> int:
        return sum(map(len, self.percentiles))


def condition_test(networks: Sequence[GroupMeasure], *, high_is_special: bool = True) -> ConditionTest:
    """Test whether groups are more special than random ones.

    Args:
        high_is_special: False for measures that are low where a group is coherent, such as entropy.

    Raises ValueError: no network, or none with a group.
    """
    with_groups = [network for network in networks if len(network.true)]
    if not with_groups:
        raise ValueError(f"expected networks with groups to test, given {len(networks)} without any")
    percentiles = tuple(
        centred_percentiles(true, random, high_is_special=high_is_special) for true, random in with_groups
    )
    statistics = np.array([fisher_statistic(each) for each in percentiles])
    p_values = np.array([fisher_p_value(each) for each in percentiles])
    p_value = float(p_values[0]) if len(p_values) == 1 else bates_p_value(p_values)
    effect = effect_measure(
        np.concatenate([network.true for network in with_groups]),
        np.concatenate([network.random for network in with_groups]),
    )
    return ConditionTest(_over_networks(statistics), p_value, effect, percentiles)


def _over_networks(values: Float[np.ndarray, " network"]) -> Interval:
    n, mean = len(values), float(values.mean())
    if n < 2:
        return Interval(mean, float("nan"), float("nan"), n)
    half = float(stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / n**0.5)
    return Interval(mean, mean - half, mean + half, n)
