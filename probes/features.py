"""What a probe reads of each frame: a hook point's activations, an encoder's latents, or the picture itself, streamed.

    features = CachedFeatures(cache, "conv_out", "pooled", rows)
    for samples, x in features.batches(): ...          # x [sample, dimension]; samples are places in `rows`

How a map is read is told by `reading.py`.

An `encoder` is anything with `encode` (an SAE): its latents are read in place of the channels, at each position, or in
place of all numbers if it takes as many as the whole map has.

What a network gives that is run on the frames, such as an untrained one, is read by `run_features.py`.

Cost: one pass over the cache (about 300 MB/s).

Axes: `frame` of the cache, `sample` frames or frame x position, `dimension` what is read of one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Int, Shaped

from procscope.activations.cache import ActivationCache
from procscope.activations.encoding import Encoder, encoded
from procscope.envs.frames import FRAME_SIZE
from procscope.probes.moments import Batch
from procscope.probes.reading import Reading

BATCH_BYTES = 32 * 2**20
"""Of a batch's features as float64."""
PIXEL_SIDE = 16
"""Rows and columns of the pixel baseline: 768 numbers a frame."""


@runtime_checkable
class Features(Protocol):
    """Features of some frames, streamed."""

    name: str
    """What is read, for people: `conv_out, pooled`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample."""
        ...

    @property
    def samples_per_frame(self) -> int:
        """1, or the positions of a map."""
        ...

    def batches(self) -> Iterator[Batch]:
        """Every sample once, in order."""
        ...


@dataclass(eq=False)
class ArrayFeatures:
    """Features that are in memory already."""

    array: Shaped[np.ndarray, "sample dimension"]
    name: str = "given features"
    samples_per_frame: int = 1
    shape: tuple[int, ...] = ()
    """Of one sample; by default (dimension,)."""

    def __post_init__(self) -> None:
        self.shape = self.shape or self.array.shape[1:]

    def batches(self) -> Iterator[Batch]:
        size = max(64, BATCH_BYTES // (8 * self.array.shape[1]))
        for start in range(0, len(self.array), size):
            part = slice(start, min(start + size, len(self.array)))
            yield Batch(part, self.array[part])


class _Streamed:
    """Features made of some frames at a time: what cached and pictured ones share."""

    def __init__(
        self, hook_point: str, read: "str | Reading", rows: np.ndarray, of_frame: tuple[int, ...]
    ) -> None:
        self.hook_point, self.read, self.rows = hook_point, Reading.of(read), rows
        self._of_frame = of_frame
        self.name = f"{hook_point}, {self.read}" if len(of_frame) > 1 else hook_point
        self.shape = self.read.shape(of_frame)

    @property
    def samples_per_frame(self) -> int:
        return self.read.samples_per_frame(self._of_frame)

    @property
    def dimensions(self) -> int:
        return int(np.prod(self.shape))

    def _samples(self, first: int, n_frames: int) -> slice:
        each = self.samples_per_frame
        return slice(first * each, (first + n_frames) * each)


class CachedFeatures(_Streamed):
    """A hook point of a cache.

    Args:
        rows: positions in the cache of the frames that count, in order.
        encoder: whose latents are read in place of the activation.

    Raises ValueError: an unknown hook point, a position that it has not, an encoder that takes other sizes.
    """

    def __init__(
        self,
        cache: ActivationCache,
        hook_point: str,
        read: "str | Reading",
        rows: Int[np.ndarray, " frame"],
        encoder: Encoder | None = None,
    ) -> None:
        of_frame = tuple(cache.activations(hook_point).shape[1:])
        self._cache, self._encoder = cache, encoder
        self._raw_numbers = int(np.prod(of_frame))
        if encoder is not None:
            of_frame = encoded(encoder, np.zeros((1, *of_frame), np.float32)).shape[1:]
        super().__init__(hook_point, read, rows, of_frame)

    def batches(self) -> Iterator[Batch]:
        size = max(64, BATCH_BYTES // (8 * max(self._raw_numbers, int(np.prod(self._of_frame)))))
        place = 0
        for batch in self._cache.batches([self.hook_point], batch_size=size):
            stop = int(np.searchsorted(self.rows, batch.index[-1] + 1))
            chosen = self.rows[place:stop] - batch.index[0]
            if len(chosen):
                activations = batch.activations[self.hook_point]
                if len(chosen) < len(activations):
                    activations = activations[chosen]
                if self._encoder is not None:
                    activations = encoded(self._encoder, activations)
                yield Batch(self._samples(place, len(chosen)), self.read.apply(activations))
            place = stop


class PixelFeatures(_Streamed):
    """The picture itself, each square of pixels by its mean: what needs no network.

    Read flat it has 16 x 16 x 3 numbers; pooled, the mean colour. Raises ValueError: the cache holds no frames.
    """

    def __init__(
        self, cache: ActivationCache, read: "str | Reading", rows: Int[np.ndarray, " frame"]
    ) -> None:
        self._frames, self._block = cache.frames, cache.spec.block_frames
        super().__init__("pixels", read, rows, (3, PIXEL_SIDE, PIXEL_SIDE))

    def batches(self) -> Iterator[Batch]:
        for place, frames in frames_in_turn(self._frames, self.rows, self._block):
            yield Batch(self._samples(place, len(frames)), self.read.apply(small_pictures(frames)))


def small_pictures(frames: np.ndarray, side: int = PIXEL_SIDE) -> np.ndarray:
    """Pictures [frame, row, col, rgb] as [frame, rgb, row, col] of fewer rows and columns: means, of 0 to 1."""
    square = FRAME_SIZE // side
    wide = frames.reshape(len(frames), side, square, side, square, 3)
    return (wide.mean(axis=(2, 4), dtype=np.float32) / 255).transpose(0, 3, 1, 2)


def collected(
    features: Features, chosen: Bool[np.ndarray, " sample"]
) -> Shaped[np.ndarray, "chosen dimension"]:
    """The features of the chosen samples in memory, as float32."""
    parts = []
    for samples, x in features.batches():
        wanted = chosen[samples]
        if wanted.any():
            parts.append(np.asarray(x[wanted], dtype=np.float32))
    return np.concatenate(parts)


def frames_in_turn(
    frames: Any, rows: Int[np.ndarray, " frame"], block_frames: int, most: int = 512
) -> Iterator[tuple[int, np.ndarray]]:
    """Some of a cache's frames at a time, each block read once, with the place of the first among `rows`."""
    place = 0
    while place < len(rows):
        start = int(rows[place]) // block_frames * block_frames
        stop = int(np.searchsorted(rows, start + block_frames))
        pictures = np.asarray(frames[start : start + block_frames])[rows[place:stop] - start]
        for first in range(0, len(pictures), most):
            yield place + first, pictures[first : first + most]
        place = stop
