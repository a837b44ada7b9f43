"""Linear probes in closed form against scikit-learn, which sees every frame."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, Ridge, RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import LeaveOneGroupOut, PredefinedSplit, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from procscope.probes.features import ArrayFeatures
from procscope.probes.group_out import leave_one_group_out
from procscope.probes.levels import Levels, folds
from procscope.probes.moments import Batch, gather, require_memory
from procscope.probes.ridge import fit_ridge

ALPHAS = (0.0, 1.0, 100.0)


@pytest.fixture(scope="module")
def data():
    """Correlated features with large means and odd units; three targets; levels of several sizes."""
    rng = np.random.default_rng(0)
    n, d = 400, 12
    mixed = rng.normal(size=(n, d)) @ rng.normal(size=(d, d))
    x = mixed * np.logspace(-2, 2, d) + np.logspace(0, 3, d)
    y = np.stack([x @ rng.normal(size=d), x[:, 0] ** 2, rng.normal(size=n)], axis=1) + rng.normal(size=(n, 3))
    levels = Levels.of(rng.integers(0, 40, n))
    return x, y, levels, folds(levels, 5, rng)


def in_parts(x, size=37):
    for start in range(0, len(x), size):
        yield Batch(slice(start, min(start + size, len(x))), x[start : start + size])


def model(alpha, standardise):
    plain = LinearRegression() if alpha == 0 else Ridge(alpha, solver="svd")
    return make_pipeline(StandardScaler(), plain) if standardise else plain


@pytest.mark.parametrize("standardise", [True, False])
def test_coefficients_are_those_of_scikit_learn(data, standardise):
    x, y, _, fold = data
    fit = fit_ridge(in_parts(x), y, fold, ALPHAS, standardise=standardise)
    for alpha in ALPHAS:
        theirs = model(alpha, standardise).fit(x, y)
        for column in range(3):
            weights = fit.coefficients(column, alpha)
            ours = x @ weights + fit.intercept(column, alpha)
            np.testing.assert_allclose(ours, theirs.predict(x)[:, column], rtol=1e-6, atol=1e-6)
            last = theirs[-1] if standardise else theirs
            scale = theirs[0].scale_ if standardise else 1.0
            np.testing.assert_allclose(weights, last.coef_[column] / scale, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("standardise", [True, False])
def test_errors_of_folds_are_those_of_frames_left_out(data, standardise):
    x, y, _, fold = data
    fit = fit_ridge(in_parts(x), y, fold, ALPHAS, standardise=standardise)
    for a, alpha in enumerate(ALPHAS):
        given = cross_val_predict(model(alpha, standardise), x, y, cv=PredefinedSplit(fold))
        theirs = [r2_score(y[:, c], given[:, c]) for c in range(3)]
        np.testing.assert_allclose(fit.r2[a], theirs, rtol=1e-7, atol=1e-7)
        np.testing.assert_allclose(fit.mse[a], ((y - given) ** 2).mean(axis=0), rtol=1e-6)


@pytest.mark.parametrize("standardise", [True, False])
def test_leaving_each_level_out_is_what_brute_force_gives(data, standardise):
    x, y, levels, _ = data
    out = leave_one_group_out(lambda: in_parts(x), y, levels, ALPHAS, standardise=standardise)
    for a, alpha in enumerate(ALPHAS):
        given = cross_val_predict(
            model(alpha, standardise), x, y, groups=levels.of_frame, cv=LeaveOneGroupOut()
        )
        np.testing.assert_allclose(out.r2[a], [r2_score(y[:, c], given[:, c]) for c in range(3)], rtol=1e-6)
        for level in range(levels.n):
            chosen = levels.of_frame == level
            theirs = ((y[chosen] - given[chosen]) ** 2).sum(axis=0)
            np.testing.assert_allclose(out.errors[level, a], theirs, rtol=1e-6, atol=1e-8)


def test_one_frame_a_level_is_ridge_cv(data):
    """RidgeCV's own generalised cross-validation chooses the same strength with the same error."""
    x, y, _, _ = data
    levels = Levels.of(np.arange(len(x)))
    alphas = (0.1, 10.0, 1000.0)
    out = leave_one_group_out(lambda: in_parts(x), y[:, :1], levels, alphas, standardise=False)
    theirs = RidgeCV(alphas=alphas, store_cv_results=True).fit(x, y[:, 0])
    np.testing.assert_allclose(out.errors[:, :, 0], theirs.cv_results_, rtol=1e-5, atol=1e-9)
    assert alphas[int(out.r2[:, 0].argmax())] == theirs.alpha_


def test_levels_larger_than_the_layer_and_scattered_ones(data):
    x, y, _, _ = data
    for levels in (Levels.of(np.arange(400) // 100), Levels.of(np.arange(400) % 3)):
        out = leave_one_group_out(lambda: in_parts(x), y, levels, (1.0,), standardise=False)
        given = cross_val_predict(Ridge(1.0), x, y, groups=levels.of_frame, cv=LeaveOneGroupOut())
        np.testing.assert_allclose(out.errors.sum(axis=0)[0], ((y - given) ** 2).sum(axis=0), rtol=1e-6)


def test_the_given_features_are_left_as_they_are(data):
    x, y, _, fold = data
    before = x.copy()
    fit_ridge(in_parts(x), y, fold, ALPHAS)
    assert (x == before).all()


def test_a_fold_is_judged_at_the_strength_of_the_others(data):
    x, y, _, fold = data
    fit = fit_ridge(in_parts(x), y, fold, ALPHAS)
    for f in range(5):
        others = np.delete(fit.errors, f, axis=0).sum(axis=0)
        assert (fit.chosen()[f] == others.argmin(axis=0)).all()
    assert (fit.honest_r2 <= fit.r2.max(axis=0) + 1e-12).all()


def test_a_large_mean_costs_no_digits():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(300, 3)), rng.normal(size=(300, 1))
    fold = np.arange(300) % 3
    plain = fit_ridge(in_parts(x), y, fold, (1.0,)).coefficients(0)
    moved = fit_ridge(in_parts(x + 1e7), y + 1e6, fold, (1.0,)).coefficients(0)
    np.testing.assert_allclose(moved, plain, rtol=1e-5, atol=1e-7)


def test_constant_and_double_channels():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(200, 4))
    x = np.column_stack([x, x[:, 0], np.full(200, 3.7), np.zeros(200)])
    y = x[:, :1] * 2 + 1
    fit = fit_ridge(in_parts(x), y, np.arange(200) % 4, (0.0, 1.0))
    np.testing.assert_allclose(fit.coefficients(0, 0.0), [1, 0, 0, 0, 1, 0, 0], atol=1e-9)
    assert len(fit.spreads) == 4
    theirs = LinearRegression().fit(x, y[:, 0])
    np.testing.assert_allclose(fit.coefficients(0, 0.0), theirs.coef_, atol=1e-9)
    assert fit.coefficients(0, 1.0)[5:].tolist() == [0, 0]


def test_fewer_frames_than_dimensions():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(40, 60)), rng.normal(size=(40, 1))
    fold = np.arange(40) % 4
    with pytest.raises(
        ValueError, match=r"more samples than dimensions for alpha 0.*30 at the least.*60 dimensions"
    ):
        fit_ridge(in_parts(x), y, fold, (0.0, 1.0))
    fit = fit_ridge(in_parts(x), y, fold, (1.0,), standardise=False)
    np.testing.assert_allclose(fit.coefficients(0), Ridge(1.0).fit(x, y[:, 0]).coef_, rtol=1e-6)
    levels = Levels.of(np.arange(40) // 2)
    out = leave_one_group_out(lambda: in_parts(x), y, levels, (1.0,), standardise=False)
    given = cross_val_predict(Ridge(1.0), x, y[:, 0], groups=levels.of_frame, cv=LeaveOneGroupOut())
    np.testing.assert_allclose(out.errors.sum(), ((y[:, 0] - given) ** 2).sum(), rtol=1e-6)


def test_float16_features_are_what_they_are(data):
    x, y, _, fold = data
    half = (x / np.abs(x).max(axis=0)).astype(np.float16)
    fit = fit_ridge(ArrayFeatures(half).batches(), y, fold, (1.0,))
    theirs = make_pipeline(StandardScaler(), Ridge(1.0)).fit(half.astype(np.float64), y[:, 0])
    np.testing.assert_allclose(fit.coefficients(0), theirs[1].coef_ / theirs[0].scale_, rtol=1e-6)


def test_bad_input_is_refused(data):
    x, y, levels, fold = data
    for alphas in ((), (-1.0,), (np.inf,), (1.0, 1.0)):
        with pytest.raises(ValueError, match="different ridge strengths of 0 or more"):
            fit_ridge(in_parts(x), y, fold, alphas)
    with pytest.raises(ValueError, match="one of the strengths that were fitted"):
        fit_ridge(in_parts(x), y, fold, (1.0,)).coefficients(0, 2.0)
    broken = x.copy()
    broken[7, 3] = np.nan
    with pytest.raises(ValueError, match="finite features; number 3 of sample 7 of a batch is nan"):
        fit_ridge(in_parts(broken), y, fold, (1.0,))
    with pytest.raises(ValueError, match="at least one sample, given none"):
        gather([], y, fold, 5)
    with pytest.raises(ValueError, match="12 features as before, given 3"):
        gather([Batch(slice(0, 5), x[:5]), Batch(slice(5, 9), x[5:9, :3])], y, fold, 5)
    with pytest.raises(ValueError, match=r"at most .* dimensions for 10 folds.*have 16384"):
        require_memory(16384, 10)
    with pytest.raises(
        ValueError, match="at least 2 folds, and at least as many levels; given 50 folds of 40"
    ):
        folds(levels, 50, np.random.default_rng(0))
    with pytest.raises(ValueError, match="at least two levels to leave one out"):
        leave_one_group_out(lambda: in_parts(x), y, Levels.of(np.zeros(400)), (1.0,))


def test_folds_keep_levels_whole_and_even():
    rng = np.random.default_rng(4)
    levels = Levels.of(np.repeat(rng.permutation(60), rng.integers(1, 40, 60)))
    fold = folds(levels, 6, rng)
    assert all(len(set(fold[levels.of_frame == level])) == 1 for level in range(60))
    sizes = np.bincount(fold)
    assert sizes.max() - sizes.min() <= 10
