"""What units do in every frame of a cache, in one pass: their mean, their highest place, and where that is.

When to use: before choosing frames or patches, and for what a unit reaches on data. Each chunk of activations is read
once, block by block; what is kept is three numbers a frame and unit, from which everything else is exact: the highest
frames, any quantile, any choice among levels.

    scan = scan_units(cache, Channels("conv_out", range(128)))
    scan.mean[:, 21], scan.quantile(0.999)
    candidates = scan.best_of_levels(21, by="peak", most=64)

Cost: 200,000 frames of 128 maps of 8 x 8: 0.26 GB kept, below 1 GB in all, and about the time of reading the cache
(`python benchmarks/visualization.py`).

Axes: `frame`, `unit`, `candidate` frames in falling order.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from tqdm import tqdm

from procscope.activations.cache import ActivationCache
from procscope.visualization.units import Units

By = Literal["mean", "peak"]
LARGEST_BYTES = 1_200_000_000
_KEPT_BYTES = 10
"""A frame and unit: mean and peak as float32, the place of the peak as int16."""
_FRAMES_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class UnitScan:
    """Each unit in each frame."""

    units: Units
    mean: Float[np.ndarray, "frame unit"]
    """Over the map."""
    peak: Float[np.ndarray, "frame unit"]
    """At its highest place."""
    place: Int[np.ndarray, "frame unit"]
    """Number of that place, row by row."""
    map_shape: tuple[int, int]
    """Rows and columns of the map; (1, 1) of a layer without maps."""
    levels: Int[np.ndarray, " frame"]
    """The same number for frames of the same level."""

    def of(self, by: By) -> Float[np.ndarray, "frame unit"]:
        """The mean or the peak."""
        return self.mean if by == "mean" else self.peak

    def quantile(self, q: float, by: By = "mean") -> Float[np.ndarray, " unit"]:
        """A quantile over frames, of each unit."""
        return np.quantile(self.of(by), q, axis=0).astype(np.float64)

    def position(self, frame: int, unit: int) -> tuple[int, int]:
        """Row and column of a unit's highest place in a frame."""
        row, col = divmod(int(self.place[frame, unit]), self.map_shape[1])
        return row, col

    def best_of_levels(self, unit: int, by: By, most: int) -> Int[np.ndarray, " candidate"]:
        """The highest frame of each level, the highest of these first: frames of one level are nearly the same."""
        order = np.argsort(-self.of(by)[:, unit], kind="stable")
        _, first = np.unique(self.levels[order], return_index=True)
        return order[np.sort(first)][:most]

    def at_quantiles(
        self, unit: int, quantiles: Float[np.ndarray, " q"], by: By = "mean"
    ) -> Int[np.ndarray, " q"]:
        """The frames whose rank is nearest to each quantile."""
        order = np.argsort(self.of(by)[:, unit], kind="stable")
        return order[np.rint(quantiles * (len(order) - 1)).astype(int)]


def scan_units(cache: ActivationCache, units: Units, *, progress: str = "") -> UnitScan:
    """Read the units' hook point of a cache once, from its first frame to its last.

    Raises ValueError: a hook point that the cache has not, units that are not there, values that are not finite, more
    frames and units than 1.2 GB hold (`LARGEST_BYTES`).
    """
    n_frames, n_units = len(cache), len(units)
    if n_frames * n_units * _KEPT_BYTES > LARGEST_BYTES:
        most = LARGEST_BYTES // (n_frames * _KEPT_BYTES)
        raise ValueError(
            f"expected at most {most} units at a time of {n_frames:,} frames, so that they fit in memory; given "
            f"{n_units}. Give some of them: units.part(range({most}))"
        )
    shape = cache.activations(units.hook_point).shape[2:]
    map_shape = (int(shape[0]), int(shape[1])) if len(shape) == 2 else (1, 1)
    mean, peak = (np.empty((n_frames, n_units), np.float32) for _ in range(2))
    place = np.empty((n_frames, n_units), np.int16)
    levels = np.empty(n_frames, np.int64)
    with tqdm(total=n_frames, desc=progress, disable=None if progress else True) as bar:
        for batch in cache.batches([units.hook_point], ["level_seed"], batch_size=_FRAMES_AT_ONCE):
            values = units.values(batch.activations[units.hook_point])
            map_shape = map_shape if values.shape[2] > 1 else (1, 1)
            mean[batch.index] = values.mean(axis=2)
            highest = values.argmax(axis=2)
            place[batch.index] = highest
            peak[batch.index] = np.take_along_axis(values, highest[:, :, None], axis=2)[:, :, 0]
            levels[batch.index] = batch.labels["level_seed"]
            bar.update(len(batch))
    if not np.isfinite(peak).all() or not np.isfinite(mean).all():
        raise ValueError(
            f"expected finite values at {units.hook_point!r}. Build the cache with float32, or find where the network "
            "overflows"
        )
    # A level without a seed is one of its own.
    levels = np.where(levels < 0, -1 - np.arange(n_frames), levels)
    return UnitScan(units, mean, peak, place, map_shape, levels)
