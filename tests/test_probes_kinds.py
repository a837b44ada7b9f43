"""Probes beside the linear one against scikit-learn and data whose answer is known."""

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LinearRegression, LogisticRegression, QuantileRegressor, Ridge
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from procscope.probes.description import blocks_of, describe_classes, describe_numbers
from procscope.probes.features import ArrayFeatures
from procscope.probes.isotonic import fit_isotonic
from procscope.probes.levels import Levels, folds
from procscope.probes.logistic import fit_logistic, fit_logistic_best
from procscope.probes.mlp import fit_mlp
from procscope.probes.moments import gather
from procscope.probes.monotone import Bins, best_recoding
from procscope.probes.quantile import fit_quantile, pinball
from procscope.probes.ridge import fit_ridge
from procscope.probes.thresholds import level_auroc, threshold_probes


@pytest.mark.parametrize(("n_classes", "penalty"), [(2, 1.0), (2, 50.0), (4, 10.0)])
def test_logistic_is_scikit_learns(n_classes, penalty):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 6)) @ rng.normal(size=(6, 6)) * 10 + 5
    y = (x @ rng.normal(size=(6, n_classes)) / 10 + rng.gumbel(size=(300, n_classes))).argmax(axis=1)
    ours = fit_logistic(x, y, n_classes, penalty)
    scaler = StandardScaler().fit(x)
    theirs = LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=5000).fit(scaler.transform(x), y)
    np.testing.assert_allclose(ours.probabilities(x), theirs.predict_proba(scaler.transform(x)), atol=1e-5)
    if n_classes > 2:
        centred = theirs.coef_ - theirs.coef_.mean(axis=0)
        np.testing.assert_allclose(ours.coefficients.T * scaler.scale_, centred, atol=1e-4)
    assert ours.converged


def test_logistic_of_separable_and_missing_classes():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(60, 80))
    y = np.where(x[:, 0] > 0, 2, 0)
    probe = fit_logistic(x, y, 4)
    assert (probe.probabilities(x).argmax(axis=1) == y).all()
    assert probe.probabilities(x)[:, [1, 3]].max() < 1e-9
    levels = Levels.of(np.arange(60) // 3)
    assert fit_logistic_best(x, y, 4, levels, rng).penalty in (1.0, 30.0, 1000.0)
    for classes, message in (
        (np.zeros(60, int), "at least two of 4 classes"),
        (y + 3, "at least two of 4 classes"),
    ):
        with pytest.raises(ValueError, match=message):
            fit_logistic(x, classes, 4)
    with pytest.raises(ValueError, match="a penalty above 0"):
        fit_logistic(x, y, 4, 0.0)
    with pytest.raises(ValueError, match="features that vary; all 3 are the same"):
        fit_logistic(np.ones((60, 3)), y, 4)


@pytest.mark.parametrize("quantile", [0.5, 0.9])
def test_quantile_is_the_linear_programs(quantile):
    rng = np.random.default_rng(2)
    x = rng.normal(size=(200, 3)) * [1, 10, 0.1] + 2
    y = x @ [1.0, -0.2, 5.0] + rng.standard_t(2, size=200)
    ours = fit_quantile(x, y, quantile, penalty=0.0)
    theirs = QuantileRegressor(quantile=quantile, alpha=0.0, solver="highs").fit(x, y)
    loss, best = (float(pinball(y, given, quantile).mean()) for given in (ours.predict(x), theirs.predict(x)))
    assert best * (1 - 1e-9) <= loss <= best * 1.001
    assert abs((y < ours.predict(x)).mean() - quantile) < 0.03


def test_pinball_by_hand():
    np.testing.assert_allclose(pinball(np.array([3.0, 0.0]), np.array([1.0, 1.0]), 0.9), [1.8, 0.1])
    with pytest.raises(ValueError, match="between 0 and 1"):
        fit_quantile(np.ones((3, 1)), np.arange(3.0), 1.0)
    with pytest.raises(ValueError, match="a target that varies"):
        fit_quantile(np.ones((3, 1)), np.ones(3))


def monotone_code(rng, n=1500):
    """A layer that holds a sigmoid of the target along one direction: no linear probe reads the target fully."""
    values = rng.integers(0, 20, n).astype(float)
    code = 1 / (1 + np.exp(-3 * (values - 4)))
    x = code[:, None] * rng.normal(size=5) + 0.02 * rng.normal(size=(n, 5))
    return x, values, code


def test_the_monotone_recoding_is_found():
    rng = np.random.default_rng(3)
    x, values, code = monotone_code(rng)
    bins = Bins.of(values)
    fit = fit_ridge(ArrayFeatures(x).batches(), bins.columns, np.arange(len(x)) % 4, (1e-3,))
    found = best_recoding(fit, bins)
    plain = LinearRegression().fit(x, values).score(x, values)
    assert found.plain_r2 == pytest.approx(plain, abs=0.02)
    assert plain < 0.7 < 0.95 < found.r2
    theirs = np.array([code[values == v].mean() for v in range(20)])
    np.testing.assert_allclose(np.corrcoef(found.recoding, theirs)[0, 1], 1, atol=1e-3)
    assert (np.diff(found.recoding) >= 0).all()
    weights = np.bincount(bins.of_sample) / len(x)
    assert weights @ found.recoding == pytest.approx(0, abs=1e-9)
    assert weights @ found.recoding**2 == pytest.approx(1)


def test_the_recodings_error_is_that_of_frames():
    """Closed form against predictions frame by frame, with scikit-learn's own ridge on the same recoded target."""
    rng = np.random.default_rng(4)
    x, values, _ = monotone_code(rng, 300)
    fold = np.arange(300) % 3
    bins = Bins.of(values, most=6)
    fit = fit_ridge(ArrayFeatures(x).batches(), bins.columns, fold, (2.0,), standardise=False)
    found = best_recoding(fit, bins)
    middle = bins.middles[bins.of_sample]
    error = sum(
        (
            (middle[fold == f] - Ridge(2.0).fit(x[fold != f], middle[fold != f]).predict(x[fold == f])) ** 2
        ).sum()
        for f in range(3)
    )
    assert found.plain_r2 == pytest.approx(1 - error / ((middle - middle.mean()) ** 2).sum(), abs=1e-9)
    # Its recoding is a fixed point: scikit-learn's isotonic curve through the bins' mean predictions is itself.
    theta = found.recoding[bins.of_sample]
    given = Ridge(2.0).fit(x, theta).predict(x)
    curve = IsotonicRegression().fit(bins.of_sample, given).predict(bins.of_sample)
    np.testing.assert_allclose((curve - curve.mean()) / curve.std(), theta, atol=1e-6)


def test_noise_has_no_recoding():
    rng = np.random.default_rng(5)
    bins = Bins.of(rng.normal(size=800))
    fit = fit_ridge(
        ArrayFeatures(rng.normal(size=(800, 4))).batches(), bins.columns, np.arange(800) % 4, (1.0,)
    )
    assert best_recoding(fit, bins).r2 < 0.03
    assert bins.n == 32
    with pytest.raises(ValueError, match="at least two different values"):
        Bins.of(np.ones(4))
    with pytest.raises(ValueError, match="32 columns for the bins from column 5 on"):
        best_recoding(fit, bins, 5)


def test_bins_by_hand():
    bins = Bins.of(np.array([1.0, 1, 2, 4, 4, 7]), most=8)
    assert bins.edges.tolist() == [1, 2, 4]
    assert bins.of_sample.tolist() == [0, 0, 1, 2, 2, 3]
    assert bins.middles.tolist() == [1, 2, 4, 7]
    assert Bins.of(np.arange(100.0), most=4).edges.tolist() == [24, 49, 74]


def test_thresholds_are_least_squares_and_their_areas_right():
    rng = np.random.default_rng(6)
    values = rng.integers(0, 20, 1500).astype(float)
    x = np.sqrt(values)[:, None] * rng.normal(size=5) + 0.3 * rng.normal(size=(1500, 5))
    fold = np.arange(len(x)) % 3
    bins = Bins.of(values)
    fit = fit_ridge(ArrayFeatures(x).batches(), bins.columns, fold, (1.0,), standardise=False)
    probes = threshold_probes(fit, bins, most=4)
    scores = probes.held_out(ArrayFeatures(x).batches(), fold)
    levels = Levels.of(np.arange(len(x)) // 3)
    for i, threshold in enumerate(probes.thresholds):
        above = values > threshold
        theirs = np.empty(len(x))
        for f in range(3):
            theirs[fold == f] = Ridge(1.0).fit(x[fold != f], above[fold != f]).predict(x[fold == f])
        np.testing.assert_allclose(scores[:, i], theirs, atol=1e-5)
        area = level_auroc(scores[:, i], above, levels, rng=rng)
        assert area.value == pytest.approx(roc_auc_score(above, theirs), abs=2e-3)
        assert area.low <= area.value <= area.high
    assert probes.alignment[0, -1] > 0.9
    with pytest.raises(ValueError, match="both classes, given 0 positive"):
        level_auroc(scores[:, 0], np.zeros(len(x), bool), levels, rng=rng)


def test_isotonic_predicts_in_the_targets_unit():
    rng = np.random.default_rng(7)
    values = rng.uniform(0, 10, 1200)
    x = (values**4)[:, None] * [1.0, -2.0] + 20 * rng.normal(size=(1200, 2))
    ours = fit_isotonic(x[:1000], values[:1000], alpha=0.01).predict(x[1000:])
    plain = LinearRegression().fit(x[:1000], values[:1000]).predict(x[1000:])
    truth = values[1000:]
    assert ((ours - truth) ** 2).mean() < 0.2 * ((plain - truth) ** 2).mean()
    assert 0 <= ours.min() <= ours.max() <= 10


def test_a_small_network_reads_what_is_not_linear():
    rng = np.random.default_rng(8)
    x = rng.normal(size=(800, 4)).astype(np.float32)
    y = (x[:, 0] * x[:, 1]).astype(np.float64)
    levels = Levels.of(np.arange(800) // 4)
    probe = fit_mlp(x[:650], y[:650], levels.where(np.arange(800) < 650), most_epochs=15)
    apart = ((probe.predict(x[650:]) - y[650:]) ** 2).sum() / ((y[650:] - y[650:].mean()) ** 2).sum()
    assert apart < 0.7
    assert LinearRegression().fit(x, y).score(x, y) < 0.05
    again = fit_mlp(x[:650], y[:650], levels.where(np.arange(800) < 650), most_epochs=15)
    assert (again.predict(x) == probe.predict(x)).all()
    classes = fit_mlp(x, (y > 0).astype(int), levels, n_classes=2, most_epochs=8)
    assert (classes.log_probabilities(x).argmax(axis=1) == (y > 0)).mean() > 0.7
    with pytest.raises(ValueError, match="this one has classes"):
        classes.predict(x)
    with pytest.raises(ValueError, match="at least two levels and a target that varies"):
        fit_mlp(x, y, Levels.of(np.zeros(800)))


def test_description_of_numbers_by_hand():
    """One feature, two blocks: the second block's bits from a ridge fit and the first block's width."""
    rng = np.random.default_rng(9)
    x, noise = rng.normal(size=(400, 1)), rng.normal(size=400)
    y = x[:, 0] * 2 + noise
    block = (np.arange(400) >= 100).astype(int)
    moments = gather(ArrayFeatures(x).batches(), y[:, None], block, 2)
    found = describe_numbers(moments, 0, (1.0,), standardise=False)
    fitted = Ridge(1.0).fit(x[:100], y[:100])
    width = y[:100].var()
    error = ((y[100:] - fitted.predict(x[100:])) ** 2).sum()
    guess = ((y[100:] - y[:100].mean()) ** 2).sum()
    by_hand = (guess - error) / (2 * width * np.log(2)) / 400
    assert found.saved_bits_per_sample == pytest.approx(by_hand, rel=1e-9)
    assert np.isnan(found.compression)


def test_description_tells_easy_from_hard_from_nothing():
    rng = np.random.default_rng(10)
    x = rng.normal(size=(1500, 6))
    levels = Levels.of(np.arange(1500) // 3)
    block = blocks_of(levels, rng)
    assert block.max() >= 4
    assert all(len(set(block[levels.of_frame == level])) == 1 for level in range(500))
    easy = np.digitize(x[:, 0], [-0.5, 0.5])
    hard = np.digitize(x[:, 0] + rng.normal(size=1500), [-0.7, 0.7])
    none = rng.integers(0, 3, 1500)
    lengths = [describe_classes(x, y, 3, block, levels, rng) for y in (easy, hard, none)]
    assert lengths[0].compression > 2.5 > 1.5 > lengths[1].compression > lengths[2].compression
    assert lengths[2].bits_per_sample == pytest.approx(np.log2(3), abs=0.06)
    assert lengths[2].uniform_bits_per_sample == pytest.approx(np.log2(3))
    numbers = gather(
        ArrayFeatures(x).batches(), np.stack([x[:, 0], none * 1.0], 1), block, int(block.max()) + 1
    )
    assert describe_numbers(numbers, 0).saved_bits_per_sample > 2
    assert abs(describe_numbers(numbers, 1).saved_bits_per_sample) < 0.05
    with pytest.raises(ValueError, match="enough samples for two blocks"):
        blocks_of(Levels.of(np.arange(30)), rng)


def test_folds_of_one_frame_levels_are_even():
    fold = folds(Levels.of(np.arange(103)), 5, np.random.default_rng(0))
    assert sorted(np.bincount(fold)) == [20, 20, 21, 21, 21]
