"""The regression behind "live features against quality": score on a number of live features and its square.

    fit = fit_quadratic(live, score)
    fit.r2, fit.p, fit.vertex                   # 0.3316, 0.0146, 460 on the study's logged points
    fit.left_out()                              # without each agent in turn

Ordinary least squares of score = a + b live + c live², with the F test of b and c together (2 and n - 3 degrees of
freedom), which is the model that gives the study's published numbers. An inverted U needs c < 0 and a vertex within the
data; a parabola through few points may have a large R² and still hang on one of them, so intervals are bootstrapped
over agents and every agent is left out in turn.

Source: S1.density-vs-quality; the intervals and the leave-one-out are ours.

Axes: `agent` one DQN with one autoencoder.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Real

from procscope.workbench.statistics import Interval, bootstrap


@dataclass(frozen=True, eq=False)
class QuadraticFit:
    """The parabola and its test."""

    live: Float64[np.ndarray, " agent"]
    score: Float64[np.ndarray, " agent"]
    coefficients: Float64[np.ndarray, " degree"]
    """a, b, c."""
    r2: float
    p: float
    """Of the F test that b = c = 0."""
    linear_r2: float
    """Of a straight line."""

    @property
    def vertex(self) -> float:
        """Live features at which the parabola turns."""
        return float(-self.coefficients[1] / (2 * self.coefficients[2]))

    @property
    def curvature(self) -> float:
        """Points per square of 100 live features: below 0 where the parabola is open below."""
        return float(self.coefficients[2]) * 1e4

    @property
    def is_inverted_u(self) -> bool:
        """It turns down, and within the data."""
        return bool(self.coefficients[2] < 0 and self.live.min() < self.vertex < self.live.max())

    def at(self, live: Float64[np.ndarray, " point"]) -> Float64[np.ndarray, " point"]:
        """The parabola."""
        return self.coefficients[0] + self.coefficients[1] * live + self.coefficients[2] * live**2

    def left_out(self) -> "LeftOut":
        """The same without each agent in turn."""
        rows = np.arange(len(self.live))
        fits = [fit_quadratic(self.live[rows != one], self.score[rows != one]) for one in rows]
        return LeftOut(*(np.array([getattr(fit, name) for fit in fits]) for name in LeftOut._fields))

    def interval(self, quantity: str, rng: np.random.Generator) -> Interval:
        """`r2`, `vertex` or `curvature` with a bootstrap interval over agents."""

        def of(live: np.ndarray, score: np.ndarray) -> float:
            return float(getattr(fit_quadratic(live, score), quantity))

        return bootstrap(of, self.live, self.score, rng=rng)


class LeftOut(NamedTuple):
    """Without each agent."""

    r2: Float64[np.ndarray, " agent"]
    p: Float64[np.ndarray, " agent"]
    vertex: Float64[np.ndarray, " agent"]


def fit_quadratic(live: Real[np.ndarray, " agent"], score: Real[np.ndarray, " agent"]) -> QuadraticFit:
    """Raises ValueError: fewer than five agents, or fewer than three different numbers of live features."""
    x, y = np.asarray(live, np.float64), np.asarray(score, np.float64)
    if len(x) < 5 or len(x) != len(y):
        raise ValueError(
            f"expected at least five agents, a number of live features and a score each; given {len(x)} and {len(y)}"
        )
    if len(np.unique(x)) < 3 or np.ptp(y) == 0:
        raise ValueError(
            "expected at least three different numbers of live features, and scores that differ: no parabola is "
            "determined otherwise"
        )
    from scipy.stats import f as f_distribution

    # About the mean and in standard deviations, so that the square is not swamped by the line.
    centre, spread = x.mean(), x.std()
    z = (x - centre) / spread
    design = np.stack([np.ones_like(z), z, z**2], axis=1)
    (a, b, c), *_ = np.linalg.lstsq(design, y, rcond=None)
    total = float(((y - y.mean()) ** 2).sum())
    r2 = 1 - float(((y - design @ [a, b, c]) ** 2).sum()) / total
    statistic = (r2 / 2) / ((1 - r2) / (len(x) - 3)) if r2 < 1 else np.inf
    coefficients = np.array(
        [
            a - b * centre / spread + c * (centre / spread) ** 2,
            b / spread - 2 * c * centre / spread**2,
            c / spread**2,
        ]
    )
    return QuadraticFit(
        x,
        y,
        coefficients,
        r2,
        float(f_distribution.sf(statistic, 2, len(x) - 3)),
        float(np.corrcoef(x, y)[0, 1] ** 2),
    )
