"""A heat map over a frame: how much each place of it has to do with a latent's activation there.

Two kinds, told apart on the page:

- `activation`: at a hook point with a map, the latent has a value at each position (`latent_maps.py`).
- `attribution`: at a hook point without one, how much each position of the last map before it adds to the latent or
  takes from it (`attribution.py`).

Axes: `pair` a latent and a frame, as in `shown_frames.py`; `latent`; `row col` of the map, from the top left.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float32, Int8

FULL = 127
"""The largest stored value: the latent's `scale`."""


@dataclass(frozen=True, eq=False)
class HeatMaps:
    """Of every frame that is shown; a value is `values / FULL * scale`."""

    kind: Literal["activation", "attribution"]
    hook_point: str
    """Whose positions these are."""
    values: Int8[np.ndarray, "pair row col"]
    scale: Float32[np.ndarray, " latent"]
    """The largest size of a value over the frames shown, or over all; in units of the latent."""
    center: float
    """Where in its square of the picture a position looks, 0.5 the middle (`procscope.saes.labels.looks_at`)."""


def quantised(
    values: Float32[np.ndarray, "pair row col"], scale: Float32[np.ndarray, " pair"]
) -> Int8[np.ndarray, "pair row col"]:
    """Values in steps of `scale / FULL`; 0 where the scale is."""
    steps = values * (FULL / np.where(scale > 0, scale, np.inf))[:, None, None]
    return np.clip(np.rint(steps), -FULL, FULL).astype(np.int8)
