"""Features turned and scaled to have no covariance, so that probes fitted by steps need tens of steps and not
thousands.

When to use: `logistic.py` and `quantile.py` do. The penalty stays the one on the coefficients of standardised features:
along an axis whose standard deviation is s it becomes penalty / s².

Axes: `sample`, `dimension`, `axis` directions in which the features vary.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Shaped
from scipy.linalg import eigh

from procscope.probes.moments import as_float64

_NOTHING = 1e-10


@dataclass(frozen=True, eq=False)
class Whitening:
    """x becomes (x - mean) into, with covariance 1."""

    mean: Float64[np.ndarray, " dimension"]
    into: Float64[np.ndarray, "dimension axis"]
    penalty_weights: Float64[np.ndarray, " axis"]
    """The squared length of standardised coefficients is the sum of these times the squares of whitened ones."""

    @classmethod
    def of(cls, features: Shaped[np.ndarray, "sample dimension"]) -> "Whitening":
        """Raises ValueError: no feature varies, or one is not finite."""
        x = as_float64(features)
        mean, std = x.mean(axis=0), x.std(axis=0)
        varies = std > 1e-10 * np.maximum(np.abs(mean), std.max(initial=0.0))
        inverse = np.divide(1.0, std, out=np.zeros_like(std), where=varies)
        scaled = (x - mean) * inverse
        variances, axes = eigh(scaled.T @ scaled / len(x), check_finite=False)
        kept = variances > _NOTHING * max(float(variances[-1]), np.finfo(float).tiny)
        if not kept.any():
            raise ValueError(
                f"expected features that vary; all {x.shape[1]} are the same in {len(x)} samples"
            )
        variances, axes = variances[kept], axes[:, kept]
        return cls(mean, inverse[:, None] * axes / np.sqrt(variances), 1 / variances)

    def apply(self, features: Shaped[np.ndarray, "sample dimension"]) -> Float64[np.ndarray, "sample axis"]:
        """Whitened features."""
        return (as_float64(features) - self.mean) @ self.into
