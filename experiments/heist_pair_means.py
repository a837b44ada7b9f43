"""Means over pairs of Heist levels, as `heist-spatial` and `heist-goals` state them."""

import numpy as np
from jaxtyping import Float64

from procscope.workbench.mean_intervals import mean_interval
from procscope.workbench.statistics import Interval


def mean(values: Float64[np.ndarray, " pair"]) -> Interval:
    """Mean with a bootstrap interval over pairs; where all agree, the rule of three (3 in n might differ)."""
    if np.ptp(values) == 0:
        n, value = len(values), float(values[0])
        return Interval(value, value - 3 / n, value + 3 / n, n)
    return mean_interval(values)
