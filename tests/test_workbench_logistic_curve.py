"""The curve is the regression of scikit-learn, its band covers, and bins share samples out evenly."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from procscope.workbench.logistic_curve import binned_shares, logistic_curve
from procscope.workbench.statistics import logistic_slope


def drawn(rng, n=400):
    x = rng.uniform(2, 20, n)
    return x, rng.random(n) < 1 / (1 + np.exp(-(2 - 0.2 * x)))


def test_the_curve_is_the_regression_read_off_along_x():
    x, y = drawn(np.random.default_rng(0))
    curve = logistic_curve(x, y, points=30)
    other = LogisticRegression(C=1e9, tol=1e-10).fit(x[:, None], y)
    np.testing.assert_allclose(curve.value, other.predict_proba(curve.x[:, None])[:, 1], atol=1e-4)
    assert curve.slope == logistic_slope(x, y)
    assert (curve.x[0], curve.x[-1]) == (x.min(), x.max())
    assert ((curve.low < curve.value) & (curve.value < curve.high)).all()


def test_the_band_covers_the_truth_about_as_often_as_it_says():
    rng, inside = np.random.default_rng(1), []
    for _ in range(120):
        curve = logistic_curve(*drawn(rng, 200), points=3)
        truth = 1 / (1 + np.exp(-(2 - 0.2 * curve.x[1])))
        inside.append(curve.low[1] < truth < curve.high[1])
    assert 0.88 < np.mean(inside) <= 1.0


def test_bins_hold_all_samples_and_equal_x_stay_together():
    x = np.array([1.0] * 30 + [2.0] * 5 + list(range(3, 28)))
    y = x > 2
    bins = binned_shares(x, y, bins=4)
    assert sum(each.share.n for each in bins) == len(x)
    assert bins[0].center <= 2
    assert sum(each.share.value * each.share.n for each in bins) == pytest.approx(y.sum())
    assert len(binned_shares(np.ones(5), np.ones(5, bool))) == 1
    with pytest.raises(ValueError, match="at least one sample"):
        binned_shares(np.empty(0), np.empty(0, bool))
