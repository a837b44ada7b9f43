"""The numbers of `agent-modularity`, network by network: how clusterable it is, what its groups and clusters do."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool
from scipy import stats

from procscope.experiments.agent_modularity_studies import Clusterability, ClusterPlay
from procscope.experiments.clusterability_studies import difference_interval
from procscope.interventions.named_arms import UNTOUCHED
from procscope.modularity.condition_tests import GroupMeasure, condition_test
from procscope.modularity.policy_lesions import PolicyLesions
from procscope.modularity.shuffles import left_p_value
from procscope.modularity.specialization_statistics import centred_percentiles
from procscope.workbench.ledger import Ledger
from procscope.workbench.mean_intervals import bootstrap_means
from procscope.workbench.statistics import Interval, paired_difference

CLUSTERABILITY, GROUPS, CLUSTERS = "agents.clusterability", "agents.specialization", "agents.clusters"


class NetworkNumbers(NamedTuple):
    """What comparisons between networks need of one."""

    method: str
    weights: Clusterability


def record_clusterability(
    ledger: Ledger, found: Clusterability, where: Mapping[str, Any], untrained: Sequence[Clusterability] = ()
) -> None:
    """N-cut, shuffles, Z and p; with untrained networks, how far from them it lies."""
    n = len(found.shuffled)
    half = 1.96 / n**0.5  # Z's own uncertainty is that of the shuffles' mean, in standard deviations
    ledger.add(f"{CLUSTERABILITY}/n_cut", lambda: found.n_cut, where, "1", n)
    ledger.add(f"{CLUSTERABILITY}/shuffled_n_cut", lambda: float(found.shuffled.mean()), where, "1", n)
    ledger.add(
        f"{CLUSTERABILITY}/z_score",
        lambda: Interval(found.z_score, found.z_score - half, found.z_score + half, n),
        where,
        "1",
    )
    ledger.add(f"{CLUSTERABILITY}/p_value", lambda: left_p_value(found.n_cut, found.shuffled), where, "p", n)
    if untrained:
        cuts = np.array([one.n_cut for one in untrained])
        ledger.add(f"{CLUSTERABILITY}/below_untrained", lambda: apart_from(found.n_cut, cuts), where, "1")
        ledger.add(
            f"{CLUSTERABILITY}/z_below_untrained",
            lambda: apart_from(found.z_score, np.array([one.z_score for one in untrained])),
            where,
            "1",
        )


def apart_from(value: float, others: np.ndarray) -> Interval:
    """The value less the others' mean, with the 95% prediction interval of one more of them.

    Raises ValueError: fewer than two others.
    """
    n = len(others)
    if n < 2:
        raise ValueError(f"expected at least two networks to compare with, given {n}")
    half = float(stats.t.ppf(0.975, n - 1) * others.std(ddof=1) * (1 + 1 / n) ** 0.5)
    apart = value - float(others.mean())
    return Interval(apart, apart - half, apart + half, n)


def record_lesions(ledger: Ledger, target: str, found: PolicyLesions, where: Mapping[str, Any]) -> None:
    """Fisher statistics, p-values and effects of accuracy drops and of ranges over moves, on frames."""
    result = found.result
    ledger.add(f"{target}/frame_accuracy", lambda: result.accuracy, where, "share")
    for measure, pair in (
        ("accuracy", GroupMeasure(result.accuracy_drop, result.random_accuracy_drop)),
        ("class", GroupMeasure(result.class_range, result.random_class_range)),
    ):
        test = condition_test([pair])
        ledger.add(f"{target}/{measure}_fisher", lambda p=pair: over_groups(p), where, "1")
        ledger.add(f"{target}/{measure}_p", lambda t=test: t.p_value, where, "p", test.n_groups)
        mean, half = test.effect.mean, 1.96 * test.effect.standard_error
        effect = Interval(mean, mean - half, mean + half, test.n_groups)
        ledger.add(f"{target}/{measure}_effect", lambda e=effect: e, where, "1")


def over_groups(measure: GroupMeasure) -> Interval:
    """Fisher's statistic of one network, with 1.96 standard errors over its groups.

    Raises ValueError: fewer than two groups.
    """
    logs = -np.log(centred_percentiles(*measure))
    if len(logs) < 2:
        raise ValueError(f"expected at least two groups, given {len(logs)}")
    half = 1.96 * float(logs.std(ddof=1)) / len(logs) ** 0.5
    mean = float(logs.mean())
    return Interval(mean, mean - half, mean + half, len(logs))


def record_play(ledger: Ledger, play: ClusterPlay, where: Mapping[str, Any], seed: int) -> None:
    """Success lost to clusters beyond random sets, and whether clusters' failures are failures of the same levels."""
    untouched = play.sweep.of(UNTOUCHED).astype(float)
    ledger.add(
        f"{CLUSTERS}/untouched_success", lambda: float(untouched.mean()), where, "share", len(untouched)
    )
    lost = np.array([_drop(play, arm) for arm in play.arms])
    lost_at_random = np.array([[_drop(play, arm) for arm in arms] for arms in play.random_arms])
    rng = np.random.default_rng([seed, 6])
    ledger.add(f"{CLUSTERS}/success_lost", lambda: _over_levels(lost.mean(axis=0), rng), where, "share")
    excess = (lost - lost_at_random.mean(axis=1)).mean(axis=0)
    ledger.add(f"{CLUSTERS}/success_lost_over_random", lambda: _over_levels(excess, rng), where, "share")
    solved = play.sweep.of(UNTOUCHED).astype(bool)
    newly = np.array([~play.sweep.of(arm).astype(bool)[solved] for arm in play.arms])
    newly_at_random = np.array(
        [[~play.sweep.of(arm).astype(bool)[solved] for arm in arms] for arms in play.random_arms]
    )
    ledger.add(
        f"{CLUSTERS}/failure_correlation_over_random",
        lambda: _correlation_over_random(newly, newly_at_random, rng),
        where,
        "1",
    )
    for number, arm in enumerate(play.arms):
        at = {**where, "cluster": int(play.lesions[number][0].cluster)}
        ledger.add(
            f"{CLUSTERS}/cluster_success_lost",
            lambda a=arm: paired_difference(solved, play.sweep.of(a).astype(bool)),
            at,
            "share",
        )
        ledger.add(
            f"{CLUSTERS}/cluster_success_lost_over_random",
            lambda n=number: _over_levels(lost[n] - lost_at_random[n].mean(axis=0), rng),
            at,
            "share",
        )


def record_methods(ledger: Ledger, networks: Sequence[NetworkNumbers]) -> None:
    """Whether PPO leaves networks less clusterable among their shuffles than imitation does."""

    def apart() -> Interval:
        ppo, imitation = (
            np.array([network.weights.z_score for network in networks if network.method == method])
            for method in ("PPO", "imitation")
        )
        return difference_interval(ppo, imitation)

    ledger.add(f"{CLUSTERABILITY}/z_of_ppo_over_imitation", apart, {"input": "weights"}, "1")


def mean_failure_correlation(newly: Bool[np.ndarray, "cluster level"]) -> float:
    """Mean correlation of which levels fail, over pairs of clusters that fail some but not all.

    Raises ValueError: fewer than two such clusters.
    """
    varying = newly[newly.any(axis=1) & ~newly.all(axis=1)].astype(float)
    if len(varying) < 2:
        raise ValueError(f"expected two clusters whose lesions fail some levels, found {len(varying)}")
    together = np.corrcoef(varying)
    return float(np.mean([together[pair] for pair in combinations(range(len(varying)), 2)]))


def _correlation_over_random(
    newly: np.ndarray, newly_at_random: np.ndarray, rng: np.random.Generator, resamples: int = 1000
) -> Interval:
    """Clusters' mean correlation of failures less that of their random sets; percentile bootstrap over levels."""

    def apart(levels: Any) -> float:
        of_random = [
            mean_failure_correlation(newly_at_random[:, number, levels])
            for number in range(newly_at_random.shape[1])
        ]
        return mean_failure_correlation(newly[:, levels]) - float(np.mean(of_random))

    value = apart(slice(None))
    n = newly.shape[1]
    drawn = []
    for _ in range(resamples):
        try:
            drawn.append(apart(rng.integers(n, size=n)))
        except ValueError:
            continue  # a resample in which nothing fails says nothing
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Interval(value, float(low), float(high), n)


def _over_levels(values: np.ndarray, rng: np.random.Generator) -> Interval:
    return bootstrap_means(values[:, None], rng=rng)[0]


def _drop(play: ClusterPlay, arm: str) -> np.ndarray:
    return play.sweep.of(UNTOUCHED).astype(float) - play.sweep.of(arm).astype(float)
