"""Every interval and test agrees with another library, a brute-force count, or a published worked example."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from procscope.workbench.statistics import (
    auroc,
    bootstrap,
    holm,
    logistic_slope,
    mcnemar_exact,
    paired_difference,
    wilson,
)


@given(st.integers(1, 3000), st.floats(0, 1), st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_agrees_with_statsmodels(n, share, confidence):
    successes = round(share * n)
    expected = proportion_confint(successes, n, alpha=1 - confidence, method="wilson")
    interval = wilson(successes, n, confidence)
    assert interval.value == successes / n
    assert interval.n == n
    assert (interval.low, interval.high) == pytest.approx(expected, abs=1e-12)
    assert 0 <= interval.low <= interval.value <= interval.high <= 1


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_impossible_counts(successes, n):
    with pytest.raises(ValueError, match=f"given {successes} of {n}"):
        wilson(successes, n)


def test_a_confidence_in_percent_is_refused():
    with pytest.raises(ValueError, match=r"such as 0\.95, given 95"):
        wilson(1, 2, confidence=95.0)


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_agrees_with_statsmodels(only_first, only_second):
    expected = mcnemar([[5, only_first], [only_second, 7]], exact=True).pvalue
    assert mcnemar_exact(only_first, only_second) == pytest.approx(min(expected, 1.0), rel=1e-9, abs=1e-300)


@pytest.mark.parametrize(("only_first", "only_second"), [(0, 3), (1, 5), (4, 4), (2, 7)])
def test_mcnemar_agrees_with_counting_every_outcome(only_first, only_second):
    n = only_first + only_second
    gap = abs(only_first - only_second)
    as_extreme = sum(abs(2 * sum(flips) - n) >= gap for flips in product([0, 1], repeat=n))
    assert mcnemar_exact(only_first, only_second) == pytest.approx(as_extreme / 2**n)


def test_mcnemar_refuses_negative_counts():
    with pytest.raises(ValueError, match="given -1 and 3"):
        mcnemar_exact(-1, 3)


def pairs(both, only_first, only_second, neither):
    """Outcomes under two conditions with these counts."""
    counts = [both, only_first, only_second, neither]
    return np.repeat([1, 1, 0, 0], counts), np.repeat([1, 0, 1, 0], counts)


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        ((1, 1, 7, 12), -0.507, -0.026),  # Fagerland, Lydersen and Laake (2014), airway reactivity
        ((59, 6, 16, 80), -0.119, -0.005),  # the same, complete response
    ],
)
def test_paired_difference_agrees_with_published_examples(counts, low, high):
    interval = paired_difference(*pairs(*counts))
    assert interval.value == pytest.approx((counts[1] - counts[2]) / sum(counts))
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-4)
    assert interval.n == sum(counts)
    swapped = paired_difference(*reversed(pairs(*counts)))
    assert (-swapped.high, -swapped.low) == pytest.approx((interval.low, interval.high))


@pytest.mark.parametrize("chances", [(0.5, 0.2, 0.1, 0.2), (0.05, 0.3, 0.05, 0.6), (0.9, 0.04, 0.04, 0.02)])
def test_paired_difference_covers_as_it_says(chances):
    """The chance that the interval holds the truth, summed over every table of 18 pairs."""
    n, covered = 18, 0.0
    truth = chances[1] - chances[2]
    for both in range(n + 1):
        for only_first in range(n + 1 - both):
            for only_second in range(n + 1 - both - only_first):
                counts = (both, only_first, only_second, n - both - only_first - only_second)
                chance = math.factorial(n) * math.prod(
                    p**k / math.factorial(k) for p, k in zip(chances, counts, strict=True)
                )
                if chance > 1e-5:
                    interval = paired_difference(*pairs(*counts))
                    covered += chance * (interval.low <= truth <= interval.high)
    assert 0.93 < covered <= 1


def test_paired_difference_without_disagreement_still_has_a_width():
    interval = paired_difference(np.ones(30, bool), np.ones(30, bool))
    assert interval.value == 0
    assert interval.low < -0.05 < 0.05 < interval.high


def test_paired_difference_refuses_other_things():
    # The test suite's own check of shapes may refuse different lengths first.
    with pytest.raises((ValueError, TypeError), match=r"given 2 and 3|sample"):
        paired_difference(np.ones(2, bool), np.ones(3, bool))
    with pytest.raises(ValueError, match="given 0 and 0"):
        paired_difference(np.ones(0, bool), np.ones(0, bool))
    with pytest.raises(ValueError, match="expected second to be bool, 0 or 1"):
        paired_difference(np.ones(2, bool), np.array([0.5, 1]))


def scores_and_labels(seed, n=60, ties=True):
    rng = np.random.default_rng(seed)
    labels = rng.random(n) < 0.4
    scores = rng.normal(size=n) + labels
    return (np.round(scores, 1) if ties else scores), labels


def brute_force_delong(scores, labels):
    """Area and variance from the definition (DeLong 1988, eqs. 4–6), pair by pair."""
    above, below = scores[labels], scores[~labels]
    wins = (above[:, None] > below) + 0.5 * (above[:, None] == below)
    m, n = wins.shape
    area = wins.sum() / (m * n)
    by_positive = sum((row.mean() - area) ** 2 for row in wins) / (m - 1)
    by_negative = sum((column.mean() - area) ** 2 for column in wins.T) / (n - 1)
    return area, by_positive / m + by_negative / n


@pytest.mark.parametrize("seed", range(5))
def test_auroc_agrees_with_scikit_learn_and_with_delong_by_hand(seed):
    scores, labels = scores_and_labels(seed, ties=seed % 2 == 0)
    interval = auroc(scores, labels)
    area, variance = brute_force_delong(scores, labels)
    assert interval.value == pytest.approx(roc_auc_score(labels, scores)) == pytest.approx(area)
    half = 1.959963984540054 * math.sqrt(variance) / (area * (1 - area))
    logits = np.array([interval.low, interval.value, interval.high])
    logits = np.log(logits / (1 - logits))
    assert np.diff(logits) == pytest.approx([half, half])
    assert interval.n == 60


def test_auroc_turns_round_with_the_scores():
    scores, labels = scores_and_labels(7)
    interval, turned = auroc(scores, labels), auroc(-scores, labels.astype(int))
    assert [1 - turned.value, 1 - turned.high, 1 - turned.low] == pytest.approx(interval[:3])


def test_auroc_of_perfect_scores_is_not_certain():
    scores, labels = np.arange(50.0), np.arange(50) >= 40
    interval = auroc(scores, labels)
    assert (interval.value, interval.high, interval.n) == (1, 1, 50)
    assert interval.low == pytest.approx(proportion_confint(10, 10, method="wilson")[0])
    assert auroc(-scores, labels).high == pytest.approx(1 - interval.low)


def test_auroc_covers_as_it_says():
    rng = np.random.default_rng(0)
    truth = stats.norm.cdf(1 / math.sqrt(2))
    held = 0
    for _ in range(400):
        scores = np.concatenate([rng.normal(1, 1, 30), rng.normal(0, 1, 40)])
        interval = auroc(scores, np.arange(70) < 30)
        held += interval.low <= truth <= interval.high
    assert 0.92 < held / 400 < 0.98


@pytest.mark.parametrize(
    ("scores", "labels", "said"),
    [
        ([1.0, 2, 3], [1, 1, 1], "given 3 positive and 0 negative"),
        ([1.0, 2, 3], [0, 0, 1], "given 1 positive and 2 negative"),
        ([1.0, 2], [0, 1, 1], "given 2 scores and 3 labels|sample"),
        ([1.0, math.nan, 3, 4], [0, 1, 0, 1], "given 1 of 4 that are not"),
        ([1.0, 2, 3, 4], [1, 2, 1, 2], "expected labels to be bool"),
    ],
)
def test_auroc_refuses_what_has_none(scores, labels, said):
    with pytest.raises((ValueError, TypeError), match=said):
        auroc(np.array(scores), np.array(labels))


def logistic_data(seed=3, n=500, slope=0.02):
    rng = np.random.default_rng(seed)
    x = rng.normal(100, 40, n)
    return x, rng.random(n) < 1 / (1 + np.exp(-slope * (x - 110)))


def test_logistic_slope_agrees_with_scikit_learn_and_with_the_information_matrix():
    x, y = logistic_data()
    interval = logistic_slope(x, y)
    standard = (x - x.mean()) / x.std()
    other = LogisticRegression(C=np.inf, tol=1e-10).fit(standard[:, None], y)
    assert interval.value == pytest.approx(other.coef_[0, 0] / x.std(), rel=1e-5)
    chance = other.predict_proba(standard[:, None])[:, 1]
    design = np.column_stack([np.ones_like(x), x])
    covariance = np.linalg.inv(design.T @ (design * (chance * (1 - chance))[:, None]))
    half = 1.959963984540054 * math.sqrt(covariance[1, 1])
    assert interval.low == pytest.approx(interval.value - half, rel=1e-4)
    assert interval.high == pytest.approx(interval.value + half, rel=1e-4)
    assert interval.low < 0.02 < interval.high
    assert interval.n == 500


@pytest.mark.parametrize("factor", [1e-9, -1.0, 1e9])
def test_logistic_slope_scales_with_the_unit_of_x(factor):
    x, y = logistic_data()
    low_to_high = sorted(bound / factor for bound in logistic_slope(x, y)[1:3])
    assert list(logistic_slope(x * factor, y)[1:3]) == pytest.approx(low_to_high, rel=1e-6)


@pytest.mark.parametrize(
    ("x", "y", "said"),
    [
        ([1.0, 2, 3, 4], [0, 0, 1, 1], r"separates the outcomes perfectly \(at about 2\.5\)"),
        ([1.0, 2, 2, 3], [1, 1, 0, 0], r"separates the outcomes perfectly \(at about 2\)"),
        ([1.0, 2, 3, 4], [1, 1, 1, 1], "given 4 yes and 0 no"),
        ([5.0, 5, 5, 5], [1, 0, 1, 0], "given 4 times 5"),
        ([1.0, 2], [1, 0], "given 2 x and 2 y"),
    ],
)
def test_logistic_slope_refuses_what_has_none(x, y, said):
    with pytest.raises(ValueError, match=said):
        logistic_slope(np.array(x), np.array(y))


def test_bootstrap_of_a_mean_agrees_with_the_normal_interval():
    x = np.random.default_rng(0).normal(5, 2, 400)
    interval = bootstrap(np.mean, x, rng=np.random.default_rng(1), resamples=3000)
    half = 1.96 * x.std(ddof=1) / 20
    assert interval.value == x.mean()
    assert (interval.low, interval.high) == pytest.approx((x.mean() - half, x.mean() + half), abs=0.1 * half)
    assert interval.n == 400


def test_bootstrap_covers_a_skewed_mean_better_than_chance_would():
    rng = np.random.default_rng(2)
    held = 0
    for _ in range(80):
        interval = bootstrap(np.mean, rng.exponential(size=40), rng=rng, resamples=300)
        held += interval.low <= 1 <= interval.high
    assert held / 80 > 0.88


def test_bootstrap_draws_pairs_together_or_apart():
    rng = np.random.default_rng(3)
    x = rng.normal(size=200)
    y = x + rng.normal(0, 0.1, 200)

    def gap(a, b):
        return a.mean() - b.mean()

    together = bootstrap(gap, x, y, rng=rng)
    apart = bootstrap(gap, x, y, rng=rng, paired=False)
    assert together.high - together.low == pytest.approx(2 * 1.96 * (x - y).std() / 200**0.5, rel=0.1)
    expected = 2 * 1.96 * math.sqrt((x.var() + y.var()) / 200)
    assert apart.high - apart.low == pytest.approx(expected, rel=0.1)


def test_bootstrap_gives_the_same_for_the_same_generator():
    x = np.random.default_rng(4).normal(size=(50, 3))
    first, again = (bootstrap(np.median, x, rng=np.random.default_rng(5), resamples=200) for _ in range(2))
    assert first == again


def test_bootstrap_of_what_does_not_vary_has_no_width():
    assert bootstrap(np.mean, np.ones(10), rng=np.random.default_rng(0))[:3] == (1, 1, 1)


def test_bootstrap_of_many_rows_takes_percentiles():
    x = np.random.default_rng(6).normal(size=1000)
    interval = bootstrap(np.mean, x, rng=np.random.default_rng(7), resamples=500)
    half = 1.96 * x.std() / 1000**0.5
    assert interval.high - interval.low == pytest.approx(2 * half, rel=0.15)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ([np.ones(1)], r"given lengths \[1\]"),
        ([np.ones(3), np.ones(4)], r"given lengths \[3, 4\]"),
        ([], r"given lengths \[\]"),
        ([np.full(3, np.nan)], "expected a finite statistic"),
    ],
)
def test_bootstrap_refuses_what_it_cannot_draw_from(arrays, said):
    with pytest.raises(ValueError, match=said):
        bootstrap(lambda *drawn: float(drawn[0].mean()), *arrays, rng=np.random.default_rng(0))


@pytest.mark.parametrize("n", [1, 2, 7, 60])
def test_holm_agrees_with_statsmodels(n):
    p_values = np.round(np.random.default_rng(n).random(n) ** 4, 3)  # small ones, some equal
    np.testing.assert_allclose(holm(p_values), multipletests(p_values, method="holm")[1], rtol=1e-9)


def test_holm_by_hand():
    np.testing.assert_allclose(holm(np.array([0.04, 0.01, 0.03])), [0.06, 0.03, 0.06])


def test_holm_refuses_what_is_no_p_value():
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm(np.array([0.5, 1.5]))
