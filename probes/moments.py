"""Sums of products of features and targets, fold by fold: all that linear probes need, from one pass over the frames.

When to use: `ridge.py` does. From these sums come, without a frame being looked at again, the coefficients of every
target at every ridge strength, the same without any fold, and the squared error on that fold.

    moments = gather(features, targets, fold_of_sample, n_folds=10)
    whole, rest = moments.total(), moments.without(3)

All sums are float64, about a reference point near the data (the first batch's means), and are centred when they are
read, so that a large mean costs no digits.

Cost: one pass; n d² multiplications (200,000 x 512 on one core: some seconds) and (folds) x d x (d + targets) x 8
bytes, whatever the number of frames. `LARGEST_BYTES` refuses more than fits beside everything else in 1 GB.

Axes: `sample` frames (or their positions), `dimension` of the features, `column` of the targets, `part` folds.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float64, Int, Shaped

LARGEST_BYTES = 700 * 2**20
_AT_WORK = 8
"""Matrices of the dimensions that are held beside the sums while probes are solved for."""


class Batch(NamedTuple):
    """Some samples' features."""

    samples: Int[np.ndarray, " sample"] | slice
    """Their places among all samples."""
    features: Shaped[np.ndarray, "sample dimension"]


class Columns:
    """Columns of targets that are made some samples at a time, so that one-hot columns are never held for all.

    Args:
        parts: numbers [sample], or (codes [sample], how many) for as many columns of 0 and 1.
    """

    def __init__(self, parts: Sequence[np.ndarray | tuple[np.ndarray, int]]) -> None:
        self._parts = list(parts)
        widths = [part[1] if isinstance(part, tuple) else 1 for part in self._parts]
        self.starts: list[int] = np.cumsum([0, *widths]).tolist()
        """First column of each part; at the end, their number."""

    def __getitem__(
        self, samples: Int[np.ndarray, " sample"] | slice
    ) -> Float64[np.ndarray, "sample column"]:
        made = [
            (part[0][samples][:, None] == np.arange(part[1])).astype(np.float64)
            if isinstance(part, tuple)
            else part[samples][:, None].astype(np.float64)
            for part in self._parts
        ]
        return np.concatenate(made, axis=1)


class Centred(NamedTuple):
    """Sums about the means of the same samples."""

    n: int
    x: Float64[np.ndarray, " dimension"]
    """Means."""
    y: Float64[np.ndarray, " column"]
    xx: Float64[np.ndarray, "dimension dimension"]
    """Sums of products of differences from the means."""
    xy: Float64[np.ndarray, "dimension column"]
    yy: Float64[np.ndarray, " column"]


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums about one reference point, part by part."""

    n: Int[np.ndarray, " part"]
    center_x: Float64[np.ndarray, " dimension"]
    center_y: Float64[np.ndarray, " column"]
    x: Float64[np.ndarray, "part dimension"]
    y: Float64[np.ndarray, "part column"]
    xx: Float64[np.ndarray, "part dimension dimension"]
    xy: Float64[np.ndarray, "part dimension column"]
    yy: Float64[np.ndarray, "part column"]

    @property
    def n_parts(self) -> int:
        return len(self.n)

    @property
    def dimensions(self) -> int:
        return len(self.center_x)

    def total(self) -> Centred:
        """Of all samples."""
        return self._centred(np.ones(self.n_parts, bool))

    def without(self, part: int) -> Centred:
        """Of all samples but those of a part."""
        return self._centred(np.arange(self.n_parts) != part)

    def up_to(self, part: int) -> Centred:
        """Of the samples of the parts before this one."""
        return self._centred(np.arange(self.n_parts) < part)

    def mean_y(self, without: int | None = None) -> Float64[np.ndarray, " column"]:
        """Means of the targets, of all samples or of those outside a part."""
        chosen = np.arange(self.n_parts) != without
        return self.center_y + self.y[chosen].sum(axis=0) / self.n[chosen].sum()

    @property
    def squares(self) -> Float64[np.ndarray, " column"]:
        """Squared differences of all targets from their means."""
        y = self.y.sum(axis=0)
        return np.maximum(self.yy.sum(axis=0) - y**2 / self.n.sum(), 0.0)

    def about(self, part: int, other: Centred) -> Centred:
        """Sums of a part about the means of other samples: the part's squared error follows from them."""
        n = int(self.n[part])
        dx, dy = self.center_x - other.x, self.center_y - other.y
        x, y = self.x[part], self.y[part]
        return Centred(
            n,
            other.x,
            other.y,
            self.xx[part] + np.outer(x, dx) + np.outer(dx, x) + n * np.outer(dx, dx),
            self.xy[part] + np.outer(x, dy) + np.outer(dx, y) + n * np.outer(dx, dy),
            self.yy[part] + 2 * y * dy + n * dy**2,
        )

    def _centred(self, parts: np.ndarray) -> Centred:
        n = int(self.n[parts].sum())
        if n == 0:
            raise ValueError("expected samples in at least one other part; there are none")
        x, y = self.x[parts].sum(axis=0), self.y[parts].sum(axis=0)
        # Of two ways to the same sum, the one with fewer matrices to add.
        xx = self.xx[parts].sum(axis=0) if parts.sum() <= 2 else self._sum_xx - self.xx[~parts].sum(axis=0)
        xy, yy = self.xy[parts].sum(axis=0), self.yy[parts].sum(axis=0)
        return Centred(
            n,
            self.center_x + x / n,
            self.center_y + y / n,
            xx - np.outer(x, x) / n,
            xy - np.outer(x, y) / n,
            np.maximum(yy - y**2 / n, 0.0),
        )

    @cached_property
    def _sum_xx(self) -> np.ndarray:
        return self.xx.sum(axis=0)


def gather(
    batches: Iterable[Batch],
    targets: Float64[np.ndarray, "sample column"] | Columns,
    part: Int[np.ndarray, " sample"],
    n_parts: int,
) -> Moments:
    """Sums over all batches.

    Raises ValueError: features that are not finite, batches of different dimensions, no samples, more dimensions than
    fit into `LARGEST_BYTES`.
    """
    sums: Moments | None = None
    for samples, features in batches:
        if len(features) == 0:
            continue
        if sums is None:
            sums = _empty(features, targets[samples], n_parts)
        if features.shape[1] != sums.dimensions:
            raise ValueError(f"expected {sums.dimensions} features as before, given {features.shape[1]}")
        _add(sums, as_float64(features), targets[samples], part[samples])
    if sums is None:
        raise ValueError("expected at least one sample, given none")
    return sums


def as_float64(features: Shaped[np.ndarray, "sample dimension"]) -> Float64[np.ndarray, "sample dimension"]:
    """A copy of the numbers as float64 (by torch, which converts float16 many times faster).

    Raises ValueError: one is NaN or infinite.
    """
    wide = torch.from_numpy(np.ascontiguousarray(features)).to(torch.float64, copy=True).numpy()
    if not np.isfinite(wide.sum()):
        sample, dimension = np.argwhere(~np.isfinite(wide))[0]
        raise ValueError(
            f"expected finite features; number {dimension} of sample {sample} of a batch is {wide[sample, dimension]}. "
            "Build the cache with float32, or find where the network overflows"
        )
    return wide


def require_memory(dimensions: int, n_parts: int, what: str = "these features") -> None:
    """Raises ValueError: the sums of so many dimensions and parts would take more than `LARGEST_BYTES`."""
    needed = 8 * dimensions**2 * (n_parts + _AT_WORK)
    if needed > LARGEST_BYTES:
        most = int((LARGEST_BYTES / 8 / (n_parts + _AT_WORK)) ** 0.5)
        raise ValueError(
            f"expected at most {most} dimensions for {n_parts} folds, whose sums fit into {LARGEST_BYTES / 1e9:.2f} "
            "GB; "
            f"{what} have {dimensions}. Read the layer pooled or at one position, or ask for fewer folds"
        )


def _empty(features: np.ndarray, targets: np.ndarray, n_parts: int) -> Moments:
    dimensions, columns = features.shape[1], targets.shape[1]
    require_memory(dimensions, n_parts)
    return Moments(
        np.zeros(n_parts, np.int64),
        as_float64(features).mean(axis=0),
        targets.mean(axis=0),
        np.zeros((n_parts, dimensions)),
        np.zeros((n_parts, columns)),
        np.zeros((n_parts, dimensions, dimensions)),
        np.zeros((n_parts, dimensions, columns)),
        np.zeros((n_parts, columns)),
    )


def _add(sums: Moments, features: np.ndarray, targets: np.ndarray, part: np.ndarray) -> None:
    features -= sums.center_x
    targets = targets - sums.center_y
    for one in np.unique(part):
        chosen = part == one
        x, y = (features, targets) if chosen.all() else (features[chosen], targets[chosen])
        sums.n[one] += len(x)
        sums.x[one] += x.sum(axis=0)
        sums.y[one] += y.sum(axis=0)
        sums.xx[one] += x.T @ x
        sums.xy[one] += x.T @ y
        sums.yy[one] += (y**2).sum(axis=0)
