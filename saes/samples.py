"""Shuffled batches of activations from a cache of any size, in bounded memory, from any place on.

When to use: to train an autoencoder. It is an iterator of tensors, which is what sae-lens calls a data provider, so its
`SAETrainer` takes it as it is.

    samples = CacheSamples(cache, "fc", batch_size=2048, seed=0)
    for batch in samples: ...                     # float32 [sample, input], pass after pass, without end
    samples.at(step)                              # the same from that batch on, as a resumed training needs it

How it is shuffled. Each pass draws an order of the cache's blocks; as many blocks as fit into the pool are read, and
all samples in it are put in random order. Batches are cut from the pools one after the other, and span them where one
ends. So the order depends on the seed, the pass and the pool's size alone, and batch n can be given without those
before it: one pool is read anew. It is no uniform draw of all orders; a batch mixes all blocks of a pool.

Of a map, every position is a sample, or `positions_per_frame` of them, drawn for each frame anew in each pass: evenly,
or by the norm of the activation there beside `center` (as S4's study did, so that empty floor does not fill the data).

Cost: `benchmarks/sae_samples.py`. Memory: the pool, one block and a batch, whatever the
length of the cache. Values that are not finite are refused, with their block and row.

Axes: `sample` a frame or a position of one; `input` a unit or channel.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32, Shaped
from torch import Tensor

from procscope.activations.cache import ActivationCache


class Place(NamedTuple):
    """Where a batch begins."""

    of_pass: int
    pool: int
    offset: int
    """Samples of the pool before it."""


class CacheSamples(Iterator[Tensor]):
    """Batches of one hook point, without end.

    Args:
        cache: where they are read.
        hook_point: a vector [unit] or a map [channel, row, col].
        batch_size: samples.
        seed: of all orders and draws.
        pool_bytes: of activations in memory at once; at least one block is.
        positions_per_frame: of a map; 0 for all.
        by_norm: draw these in proportion to their norm.
        center: what is taken off before norms are measured; nothing by default.

    Raises ValueError: a hook point that the cache has not; positions of a vector, or more than the map has; a batch
    larger than a pass.
    """

    def __init__(
        self,
        cache: ActivationCache,
        hook_point: str,
        *,
        batch_size: int,
        seed: int = 0,
        pool_bytes: int = 256 * 2**20,
        positions_per_frame: int = 0,
        by_norm: bool = False,
        center: Float[Tensor, " input"] | None = None,
    ) -> None:
        self._array = cache.activations(hook_point)
        shape = self._array.shape[1:]
        n_positions = int(np.prod(shape[1:]))
        if positions_per_frame and len(shape) == 1:
            raise ValueError(
                f"expected a map to draw positions of; {hook_point} gives {shape[0]} numbers a frame. Leave "
                "positions_per_frame at 0"
            )
        if positions_per_frame > n_positions:
            raise ValueError(
                f"expected at most the {n_positions} positions of {hook_point} a frame; given {positions_per_frame}"
            )
        self.cache, self.hook_point, self.n_inputs = cache, hook_point, int(shape[0])
        self.batch_size, self.seed = batch_size, seed
        self.samples_per_frame = positions_per_frame or n_positions
        self._draws, self._by_norm = positions_per_frame, by_norm
        self._center = None if center is None else center.cpu().numpy()
        spec = cache.spec
        self.samples_per_pass = spec.n_frames * self.samples_per_frame
        if not 1 <= batch_size <= self.samples_per_pass:
            raise ValueError(
                f"expected a batch of 1 to {self.samples_per_pass:,} samples, all that {cache.path} has of "
                f"{hook_point}; given {batch_size:,}. Take a smaller batch_size or a larger cache"
            )
        kept_bytes = self.samples_per_frame * self.n_inputs * self._array.dtype.itemsize
        self._pool_blocks = max(1, pool_bytes // (spec.block_frames * kept_bytes))
        self._batch = 0
        self._stream: Iterator[Tensor] | None = None

    def at(self, batch: int) -> "CacheSamples":
        """The same iterator, going on with that batch, counted from 0."""
        self._batch, self._stream = batch, None
        return self

    def __next__(self) -> Float32[Tensor, "sample input"]:
        if self._stream is None:
            self._stream = self._batches_from(self._batch)
        self._batch += 1
        return next(self._stream)

    def _batches_from(self, batch: int) -> Iterator[Tensor]:
        of_pass, before = divmod(batch * self.batch_size, self.samples_per_pass)
        left: list[Tensor] = []
        n_left = 0
        while True:
            order = np.random.default_rng((self.seed, of_pass)).permutation(self.cache.spec.n_blocks)
            for number, start in enumerate(range(0, len(order), self._pool_blocks)):
                blocks = order[start : start + self._pool_blocks]
                size = sum(self._samples_of(int(block)) for block in blocks)
                if before >= size:
                    before -= size
                    continue
                pool = self._read_pool(blocks, size, of_pass)
                mixed = np.random.default_rng((self.seed, of_pass, number, 1)).permutation(size)
                at, before = before, 0
                while at < size:
                    rows = torch.from_numpy(mixed[at : at + self.batch_size - n_left])
                    left.append(pool[rows].float())
                    n_left += len(rows)
                    at += len(rows)
                    if n_left == self.batch_size:
                        yield left[0] if len(left) == 1 else torch.cat(left)
                        left, n_left = [], 0
                del pool
            of_pass += 1

    def _samples_of(self, block: int) -> int:
        frames = self.cache.spec.block_slice(block)
        return (frames.stop - frames.start) * self.samples_per_frame

    def _read_pool(self, blocks: np.ndarray, size: int, of_pass: int) -> Shaped[Tensor, "sample input"]:
        """The samples of some blocks, in their type on disk, one block after the other."""
        pool = torch.empty(size, self.n_inputs, dtype=torch.from_numpy(np.empty(0, self._array.dtype)).dtype)
        at = 0
        for block in blocks.tolist():
            rows = read_samples(self.cache, self.hook_point, block)
            if self._draws:
                rows = rows[self._drawn(rows, np.random.default_rng((self.seed, of_pass, block, 2)))]
            pool[at : at + len(rows)] = rows
            at += len(rows)
        return pool

    def _drawn(self, rows: Tensor, rng: np.random.Generator) -> Tensor:
        """Which rows of a block stay: `positions_per_frame` of each frame, without drawing one twice."""
        n_positions = int(np.prod(self._array.shape[2:]))
        n_frames = len(rows) // n_positions
        keys = rng.gumbel(size=(n_frames, n_positions))  # the largest keys are a draw without replacement
        if self._by_norm:
            values = rows.float() if self._center is None else rows.float() - torch.from_numpy(self._center)
            norms = values.norm(dim=1).numpy().reshape(n_frames, n_positions)
            keys += np.log(np.maximum(norms, 1e-30))
        chosen = np.argpartition(-keys, self._draws - 1, axis=1)[:, : self._draws]
        return torch.from_numpy((chosen + n_positions * np.arange(n_frames)[:, None]).reshape(-1))


def read_samples(cache: ActivationCache, hook_point: str, block: int) -> Shaped[Tensor, "sample input"]:
    """All samples of one block, in their type on disk, frame by frame and row by row of a map.

    Raises ValueError: a value that is not finite, with its block and row.
    """
    frames = cache.spec.block_slice(block)
    array = np.asarray(cache.activations(hook_point)[frames])
    values = torch.from_numpy(array)
    if not torch.isfinite(values.sum(dtype=torch.float32)):
        bad = ~torch.isfinite(values.reshape(len(values), -1)).all(dim=1)
        if bad.any():
            row = int(bad.nonzero()[0])
            raise ValueError(
                f"expected finite activations of {hook_point}; row {row} of block {block} of {cache.path} (frame "
                f"{frames.start + row}) holds NaN or infinity, as do {int(bad.sum())} of the block's {len(bad)} "
                "frames. Build the cache anew, with --dtype float32 if the values are too large for float16"
            )
    return values.movedim(1, -1).reshape(-1, values.shape[1])
