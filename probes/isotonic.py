"""An isotonic probe: a linear score, and the monotone curve from it to the target.

When to use: to predict a target whose code is monotone but not linear, in the target's own unit. The direction is
that of the best monotone recoding (`monotone.py`), the curve is scikit-learn's isotonic regression of the target on
the score.

    probe = fit_isotonic(x, y, alpha=100.0)
    probe.predict(x)

Axes: `sample`, `dimension`.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Shaped
from sklearn.isotonic import IsotonicRegression

from procscope.probes.features import ArrayFeatures
from procscope.probes.moments import as_float64, gather
from procscope.probes.monotone import Bins, best_recoding
from procscope.probes.ridge import ridge_of_moments


@dataclass(frozen=True, eq=False)
class IsotonicProbe:
    """A score that is linear in the features, and a curve that never falls."""

    coefficients: Float64[np.ndarray, " dimension"]
    curve: IsotonicRegression

    def predict(self, features: Shaped[np.ndarray, "sample dimension"]) -> Float64[np.ndarray, " sample"]:
        """In the target's unit; beyond the scores seen, the nearest end of the curve."""
        return self.curve.predict(as_float64(features) @ self.coefficients)


def fit_isotonic(
    features: Shaped[np.ndarray, "sample dimension"],
    target: Float[np.ndarray, " sample"],
    alpha: float = 1.0,
) -> IsotonicProbe:
    """Fit direction and curve. Raises ValueError: a target that does not vary, what `fit_ridge` refuses."""
    bins = Bins.of(np.asarray(target, dtype=np.float64))
    # Two parts of the samples, only so that there is something to leave out; the direction is that of all.
    part = np.arange(len(features)) % 2
    moments = gather(ArrayFeatures(features).batches(), bins.columns, part, 2)
    coefficients = best_recoding(ridge_of_moments(moments, (alpha,)), bins).coefficients
    curve = IsotonicRegression(increasing=True, out_of_bounds="clip")
    curve.fit(as_float64(features) @ coefficients, np.asarray(target, dtype=np.float64))
    return IsotonicProbe(coefficients, curve)
