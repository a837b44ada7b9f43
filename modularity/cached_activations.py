"""How strongly each channel fires in each frame, from a cache or from arrays: what correlation graphs are made of.

    cache = ActivationCache.open("caches/maze", policy)
    sizes = cached_unit_sizes(cache, ["block3.unit2.conv2", "fc_pre"])
    graph = activation_graph(sizes)

A channel's map counts with its L1 norm, a unit of a layer with its value, as in `activation_graph`. The cache is read
block by block, so that what stays in memory is one number for each frame and unit.

Source: S0, section 4.3.1.

Axes: `frame`, `unit`.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Shaped

from procscope.activations.cache import ActivationCache

FRAMES_AT_ONCE = 512


def cached_unit_sizes(
    cache: ActivationCache, hook_points: Sequence[str]
) -> dict[str, Float[np.ndarray, "_frame _unit"]]:
    """Sizes at some hook points of a cache, for all of its frames.

    Raises ValueError: a hook point that the cache does not have.
    """
    found = {}
    for name in hook_points:
        stored = cache.activations(name)
        parts = [
            unit_sizes(np.asarray(stored[start : start + FRAMES_AT_ONCE]))
            for start in range(0, stored.shape[0], FRAMES_AT_ONCE)
        ]
        found[name] = np.concatenate(parts)
    return found


def unit_sizes(activations: Shaped[np.ndarray, "frame unit ..."]) -> Float[np.ndarray, "frame unit"]:
    """L1 norms of maps [frame, channel, row, col]; values of units [frame, unit] as they are."""
    values = activations.astype(np.float32)
    return np.abs(values).sum(axis=tuple(range(2, values.ndim))) if values.ndim > 2 else values
