"""Rank correlations: scipy's values, intervals that cover, misuse."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from procscope.workbench.rank_correlation import correlation_of_entries, correlation_of_means


def test_values_are_scipys():
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 5, 40), rng.normal(size=40)
    found = correlation_of_entries(first, second, rng=rng, resamples=200)
    assert found.value == pytest.approx(spearmanr(first, second)[0])
    assert found.low < found.value < found.high
    assert found.n == 40
    one, two = rng.normal(size=(30, 12)), rng.normal(size=(20, 12))
    means = correlation_of_means(one, two, paired=False, rng=rng, resamples=200)
    assert means.value == pytest.approx(spearmanr(one.mean(axis=0), two.mean(axis=0))[0])


def test_intervals_cover_the_truth():
    """Means that are ordered alike, with noise: where it is small, the correlation of the true means, 1, is reached."""
    rng = np.random.default_rng(1)
    true = np.arange(8.0)
    quiet = [true + rng.normal(scale=0.5, size=(200, 8)) for _ in range(2)]
    assert correlation_of_means(*quiet, paired=True, rng=rng, resamples=200)[:3] == (1, 1, 1)
    loud = [true + rng.normal(scale=20, size=(20, 8)) for _ in range(2)]
    found = correlation_of_means(*loud, paired=True, rng=rng, resamples=500)
    assert found.high - found.low > 0.3


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda rng: correlation_of_entries(np.ones(2), np.ones(2), rng=rng), "at least three entries"),
        (lambda rng: correlation_of_entries(np.ones(5), np.arange(5), rng=rng), "numbers that vary"),
        (
            lambda rng: correlation_of_means(np.ones((3, 4)), np.ones((2, 4)), paired=True, rng=rng),
            "as many of both if paired; given 3 and 2",
        ),
    ],
)
def test_misuse(attempt, message):
    with pytest.raises(ValueError, match=message):
        attempt(np.random.default_rng(0))
