"""What each channel of a hook point does over many frames: mean, spread, extremes, norm, how often it is active.

When to use: for mean-ablation values, for controls of like norm, to find dead channels, to scale an
intervention. Frames are streamed, so a cache of any length fits in memory.

    statistics = cached_channel_statistics(cache, "conv_out")         # over a cache
    statistics = channel_statistics(captured.activations["conv_out"])  # over an array, or over many in turn
    statistics.mean[21], statistics.norm[21]

A channel of a map [frame, channel, row, col] is taken over its frames and positions together; a unit of a
vector [frame, unit] over its frames. All sums are float64, joined batch by batch with the update of Chan,
Golub and LeVeque (1983), which loses no digits where the mean is large against the spread.

Cost: some passes over the values in float64; memory for one batch.

Axes: `frame`, `channel` (or unit), `...` positions of a map.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from procscope.activations.cache import ActivationCache


@dataclass(frozen=True, eq=False)
class ChannelStatistics:
    """One number per channel or unit of each kind, over all the frames that were read."""

    n_frames: int

    mean: Float64[np.ndarray, " channel"]
    """Over frames and positions."""

    std: Float64[np.ndarray, " channel"]
    """Standard deviation over frames and positions (divided by their number, not that less one)."""

    minimum: Float64[np.ndarray, " channel"]

    maximum: Float64[np.ndarray, " channel"]

    norm: Float64[np.ndarray, " channel"]
    """Mean over frames of the Euclidean norm of the channel's map; for a unit, its mean absolute value."""

    share_active: Float64[np.ndarray, " channel"]
    """Share of frames and positions at which the activation is above 0."""

    @property
    def n_channels(self) -> int:
        return len(self.mean)

    def nearest_in_norm(self, channel: int) -> int:
        """The other channel whose `norm` is nearest: the control of like size for an intervention on this one.

        Raises ValueError: no such channel, or no other one.
        """
        if not 0 <= channel < self.n_channels or self.n_channels < 2:
            raise ValueError(
                f"expected one of at least two channels, numbered from 0; given channel {channel} of "
                f"{self.n_channels}"
            )
        distance = np.abs(self.norm - self.norm[channel])
        distance[channel] = np.inf
        return int(distance.argmin())


def channel_statistics(activations: np.ndarray | Iterable[np.ndarray]) -> ChannelStatistics:
    """Statistics of activations [frame, channel, ...] given as one array, or as several in turn.

    Raises ValueError: no frames, fewer than two axes, arrays of different channels, or a value that is not
    finite.
    """
    batches = [activations] if isinstance(activations, np.ndarray) else activations
    total: _Sums | None = None
    for batch in batches:
        if batch.ndim < 2:
            raise ValueError(f"expected activations [frame, channel, ...], given shape {batch.shape}")
        if len(batch) == 0:
            continue
        sums = _sums(batch)
        if total is not None and (len(total.mean), total.positions) != (len(sums.mean), sums.positions):
            raise ValueError(
                f"expected {len(total.mean)} channels of {total.positions} positions as in the batches "
                f"before, given shape {batch.shape}"
            )
        total = sums if total is None else _joined(total, sums)
    if total is None:
        raise ValueError("expected activations of at least one frame, given none")
    n_values = total.n_frames * total.positions
    return ChannelStatistics(
        n_frames=total.n_frames,
        mean=total.mean,
        std=np.sqrt(total.squares / n_values),
        minimum=total.minimum,
        maximum=total.maximum,
        norm=total.norms / total.n_frames,
        share_active=total.active / n_values,
    )


def cached_channel_statistics(
    cache: ActivationCache, hook_point: str, batch_size: int = 1024
) -> ChannelStatistics:
    """Statistics over every frame of a cache (whose float16 values are what is summed).

    Raises ValueError: the cache has no such hook point, or its activations have no channel axis.
    """
    return channel_statistics(
        batch.activations[hook_point] for batch in cache.batches([hook_point], batch_size=batch_size)
    )


@dataclass(frozen=True, eq=False)
class _Sums:
    """Running totals of some frames; arrays have one entry per channel."""

    n_frames: int
    positions: int
    mean: np.ndarray
    squares: np.ndarray
    """Sum of squared differences from `mean`."""
    minimum: np.ndarray
    maximum: np.ndarray
    norms: np.ndarray
    active: np.ndarray


def _sums(batch: np.ndarray) -> _Sums:
    values = batch.reshape(*batch.shape[:2], -1).astype(np.float64)
    finite = np.isfinite(values)
    if not finite.all():
        frame, channel, _ = np.argwhere(~finite)[0]
        raise ValueError(
            f"expected finite activations; channel {channel} has {values[frame, channel].max()} in frame "
            f"{frame} of a batch. Build the cache with float32, or find where the network overflows"
        )
    mean = values.mean(axis=(0, 2))
    return _Sums(
        n_frames=len(values),
        positions=values.shape[2],
        mean=mean,
        squares=((values - mean[:, None]) ** 2).sum(axis=(0, 2)),
        minimum=values.min(axis=(0, 2)),
        maximum=values.max(axis=(0, 2)),
        norms=np.sqrt((values**2).sum(axis=2)).sum(axis=0),
        active=(values > 0).sum(axis=(0, 2)).astype(np.float64),
    )


def _joined(one: _Sums, two: _Sums) -> _Sums:
    n_frames = one.n_frames + two.n_frames
    share = two.n_frames / n_frames
    apart = two.mean - one.mean
    return _Sums(
        n_frames=n_frames,
        positions=one.positions,
        mean=one.mean + apart * share,
        squares=one.squares + two.squares + apart**2 * (one.n_frames * one.positions * share),
        minimum=np.minimum(one.minimum, two.minimum),
        maximum=np.maximum(one.maximum, two.maximum),
        norms=one.norms + two.norms,
        active=one.active + two.active,
    )
