"""Quantile probes: a linear read-out of the median, or of any other quantile, which outliers do not move.

    probe = fit_quantile(x, y, quantile=0.5)
    probe.predict(x), pinball(y, probe.predict(x), 0.5)

It minimises the pinball loss (Koenker and Bassett 1978), smoothed within a width that shrinks to a thousandth of the
target's spread (as in He et al. 2023, Journal of Econometrics 232:367): the exact linear program of scikit-learn's
`QuantileRegressor` grows much faster with samples and features. The loss it ends at is within 0.1% of the exact one's.

Cost: up to 1,200 passes over the samples.

Axes: `sample`, `dimension`.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Shaped
from scipy.optimize import minimize

from procscope.probes.moments import as_float64
from procscope.probes.whitening import Whitening

_WIDTHS = (0.3, 0.03, 0.003, 0.001)
"""Of the smoothing, in interquartile ranges of the target."""


@dataclass(frozen=True, eq=False)
class QuantileProbe:
    """A quantile of the target, linear in the features."""

    coefficients: Float64[np.ndarray, " dimension"]
    intercept: float
    quantile: float

    def predict(self, features: Shaped[np.ndarray, "sample dimension"]) -> Float64[np.ndarray, " sample"]:
        return as_float64(features) @ self.coefficients + self.intercept


def fit_quantile(
    features: Shaped[np.ndarray, "sample dimension"],
    target: Float[np.ndarray, " sample"],
    quantile: float = 0.5,
    penalty: float = 1e-3,
    whitening: Whitening | None = None,
) -> QuantileProbe:
    """Fit one probe.

    Args:
        penalty: on the squared length of the standardised coefficients, in units of the target's squared spread over
            its size, so that it means the same for any unit.

    Raises ValueError: a quantile that is not between 0 and 1, a target that does not vary, no features that do.
    """
    if not 0 < quantile < 1:
        raise ValueError(f"expected a quantile between 0 and 1, such as 0.5; given {quantile}")
    low, high = np.quantile(target, [0.25, 0.75])
    spread = float(high - low) or float(np.std(target))
    if spread == 0:
        raise ValueError(f"expected a target that varies, given {len(target)} times {target[0]:g}")
    white = Whitening.of(features) if whitening is None else whitening
    weights = penalty * white.penalty_weights
    scale = 1 / np.sqrt(0.25 + weights / len(features))
    z, weights = white.apply(features) * scale, weights * scale**2
    middle = float(np.quantile(target, quantile))
    y = (np.asarray(target, dtype=np.float64) - middle) / spread

    def objective(flat: np.ndarray, width: float) -> tuple[float, np.ndarray]:
        residual = y - z @ flat[:-1] - flat[-1]
        # The pinball loss averaged over shifts of up to `width`: a parabola in the middle.
        inside = np.clip(residual / width, -1, 1)
        slope = quantile - (1 - inside) / 2
        smooth = np.where(
            np.abs(residual) < width,
            (quantile - 0.5) * residual + width * (inside**2 + 1) / 4,
            np.where(residual > 0, quantile * residual, (quantile - 1) * residual),
        )
        loss = float(smooth.mean()) + 0.5 * float((weights * flat[:-1] ** 2).sum()) / len(y)
        gradient = np.append(-(z.T @ slope) / len(y) + weights * flat[:-1] / len(y), -slope.mean())
        return loss, gradient

    found = np.zeros(z.shape[1] + 1)
    for width in _WIDTHS:
        found = minimize(
            objective,
            found,
            args=(width,),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": 300, "gtol": 1e-6, "ftol": 1e-12, "maxcor": 20},
        ).x
    coefficients = white.into @ (scale * found[:-1]) * spread
    return QuantileProbe(
        coefficients, middle + float(found[-1]) * spread - float(white.mean @ coefficients), quantile
    )


def pinball(
    truth: Float[np.ndarray, " sample"], predicted: Float[np.ndarray, " sample"], quantile: float
) -> Float64[np.ndarray, " sample"]:
    """The loss that a quantile minimises: quantile times what is above, (1 - quantile) times what is below."""
    apart = np.asarray(truth, np.float64) - predicted
    return np.maximum(quantile * apart, (quantile - 1) * apart)
