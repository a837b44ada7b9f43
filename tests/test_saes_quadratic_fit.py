"""The study's regression from its 24 logged points, and closed forms."""

import numpy as np
import pytest

from procscope.saes.quadratic_fit import fit_quadratic

LOGGED = (
    "367:1627.7 654:948.8 638:591.7 583:1386.8 515:1892.4 455:1379.0 451:781.5 304:590.4 489:1232.6 467:2131.4 "
    "525:971.7 454:775.4 410:1020.1 387:1806.2 525:1026.2 465:1592.4 528:1201.4 681:115.9 458:1640.5 375:2411.8 "
    "250:479.9 449:629.8 320:358.7 467:1366.8"
)
LIVE, SCORE = np.array([[float(part) for part in pair.split(":")] for pair in LOGGED.split()]).T


def test_the_published_numbers_come_out_of_the_logged_points() -> None:
    fit = fit_quadratic(LIVE, SCORE)
    assert len(fit.live) == 24
    assert round(fit.r2, 4) == 0.3316
    assert round(fit.p, 4) == 0.0146 or fit.p == pytest.approx(0.01455, abs=5e-5)
    assert fit.p == pytest.approx((1 - fit.r2) ** 10.5, rel=1e-9)  # closed form of F with 2 and 21 degrees
    assert fit.vertex == pytest.approx(460, abs=1)
    assert fit.is_inverted_u
    assert fit.linear_r2 == pytest.approx(0.011, abs=0.001)


def test_without_the_worst_run_it_is_no_longer_significant() -> None:
    fit = fit_quadratic(LIVE, SCORE)
    without = fit.left_out()
    worst = int(SCORE.argmin())
    assert without.r2[worst] == pytest.approx(0.23, abs=0.005)
    assert without.p[worst] == pytest.approx(0.075, abs=0.002)
    assert np.median(without.r2) == pytest.approx(fit.r2, abs=0.05)


def test_a_parabola_is_found() -> None:
    x = np.linspace(100, 700, 30)
    fit = fit_quadratic(x, 5 + 0.8 * x - 0.001 * x**2)
    assert fit.coefficients == pytest.approx([5, 0.8, -0.001], rel=1e-6)
    assert fit.vertex == pytest.approx(400)
    assert fit.r2 == pytest.approx(1)


def test_a_bowl_is_no_inverted_u() -> None:
    x = np.linspace(0, 10, 12)
    assert not fit_quadratic(x, (x - 5) ** 2).is_inverted_u
    assert not fit_quadratic(x, -((x - 20) ** 2)).is_inverted_u  # turns outside of the data


def test_intervals_hold_the_estimate() -> None:
    fit = fit_quadratic(LIVE, SCORE)
    found = fit.interval("r2", np.random.default_rng(0))
    assert found.low < fit.r2 < found.high
    assert found.n == 24


def test_too_few_agents() -> None:
    with pytest.raises(ValueError, match="expected at least five agents"):
        fit_quadratic(np.arange(4.0), np.arange(4.0))
    with pytest.raises(ValueError, match="at least three different numbers of live features"):
        fit_quadratic(np.array([1.0, 1, 1, 2, 2, 2]), np.arange(6.0))
