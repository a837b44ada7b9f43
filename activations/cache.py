"""The on-disk activation cache, read: activations with the truth of every frame, streamed.

When to use: every analysis reads its activations from here. `cache_format.py` says how it lies on disk,
`collect.py` fills it.

    cache = ActivationCache.open("caches/maze", model=network)     # refuses another network's cache
    cache.activations("conv_out")[:100]                            # zarr array [frame, channel, row, col]
    cache.labels(["agent_x", "goal_x"])                            # pyarrow table, one row per frame
    for batch in cache.batches(["fc"], labels=["best_move"], shuffle=0):
        batch.activations["fc"], batch.labels["best_move"]

Cost: memory for one block (in order) or some blocks (shuffled), whatever the cache's length; about 300 MB/s
of activations from a local disk on one core. Labels of a million frames take about 5 MB a column.

Axes: `frame` rows of the cache.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zarr
from jaxtyping import Bool, Int
from torch import nn

from procscope.activations.cache_format import ATTRIBUTE, CacheSpec, labels_path
from procscope.activations.hooks import HookedModules
from procscope.activations.kept_blocks import KeptBlocks
from procscope.workbench.checkpoints import weights_hash
from procscope.workbench.plugins import suggest

POOL_BYTES = 128 * 2**20
"""Activations held at once for shuffling."""


@dataclass(frozen=True)
class CacheBatch:
    """Some frames of a cache; row i of everything belongs to frame `index[i]`."""

    index: Int[np.ndarray, "frame"]
    """Positions in the cache."""

    activations: dict[str, np.ndarray]
    """Hook point to [frame, ...]."""

    labels: dict[str, np.ndarray]
    """Column to [frame] or, for logits, [frame, action]."""

    frames: np.ndarray | None
    """uint8 [frame, row, col, rgb], when asked for."""

    def __len__(self) -> int:
        return len(self.index)


class ActivationCache:
    """A finished cache. Make one with `ActivationCache.open`."""

    def __init__(self, path: str, group: zarr.Group, spec: CacheSpec):
        self.path, self.spec = path, spec
        self._group = group
        self.kept = KeptBlocks()

    @classmethod
    def open(cls, path: str | Path, model: nn.Module | str | None = None) -> "ActivationCache":
        """Open a cache on this machine or at an `fsspec` URL (`s3://…`, `memory://…`, `https://…`).

        Args:
            path: directory or URL.
            model: the network whose activations are expected, or its `weights_hash`.

        Raises:
            FileNotFoundError: nothing is there.
            ValueError: no cache, an unfinished one, or one of another network (both hashes are named).
        """
        location = str(path)
        try:
            group = zarr.open_group(location, mode="r")
        except FileNotFoundError:
            raise FileNotFoundError(
                f"there is no activation cache at {location}. Make one with procscope cache build"
            ) from None
        cache = cls(location, group, CacheSpec.from_attributes(dict(group.attrs)))
        cache._require_finished()
        if model is not None:
            cache.require_model(model)
        return cache

    def __len__(self) -> int:
        return self.spec.n_frames

    def __repr__(self) -> str:
        return (
            f"ActivationCache({self.path!r}, {len(self)} frames, hook points {', '.join(self.hook_points)})"
        )

    @property
    def hook_points(self) -> list[str]:
        """Names of the hook points that are stored."""
        return [
            path.removeprefix("activations/") for path in self.spec.arrays if path.startswith("activations/")
        ]

    @property
    def source(self) -> dict[str, Any]:
        """What the contents depend on: model, actor, sampling, environment, seed, versions."""
        return self.spec.source

    @property
    def builds(self) -> list[dict[str, Any]]:
        """The commands that worked on this cache, with time and place."""
        attributes: Any = self._group.attrs[ATTRIBUTE]
        return list(attributes["builds"])

    def require_model(self, model: nn.Module | str) -> None:
        """Raises ValueError, naming both hashes, unless the cache holds activations of this network."""
        if isinstance(model, HookedModules):
            model = model.model
        given = model if isinstance(model, str) else weights_hash(model.state_dict())
        found = self.source.get("model", {})
        if given != found.get("weights_hash"):
            raise ValueError(
                f"expected a cache of the network with weights hash {given}; {self.path} holds activations "
                f"of another one, with weights hash {found.get('weights_hash')}. Build one of this network"
            )

    @property
    def counts(self) -> dict[str, int]:
        """Of all that was played for its rows, where not all is kept (pairs): transitions, episodes and the like."""
        total: Counter[str] = Counter()
        for block in range(self.spec.n_blocks):
            metadata = self._read_labels(block, []).schema.metadata or {}
            total.update(json.loads(metadata.get(b"counts", b"{}")))
        return dict(total)

    def activations(self, hook_point: str) -> zarr.Array:
        """The activations at a hook point, [frame, ...]: nothing is read until it is sliced.

        Raises ValueError: the cache has no such hook point (the nearest are suggested).
        """
        if hook_point not in self.hook_points:
            raise ValueError(
                f"expected a hook point of this cache, got {hook_point!r}. "
                f"{suggest(hook_point, self.hook_points)}"
            )
        return self._array(f"activations/{hook_point}")

    @property
    def frames(self) -> zarr.Array:
        """The observations, uint8 [frame, row, col, rgb].

        Raises ValueError: they were not stored.
        """
        if "frames" not in self.spec.arrays:
            raise ValueError("this cache holds no frames. Build it with --keep-frames")
        return self._array("frames")

    @property
    def label_columns(self) -> list[str]:
        """Names of the labels."""
        return self._read_labels(0, None).column_names

    def labels(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Labels of every frame, in order; `.to_pandas()` makes a data frame.

        Raises ValueError: an unknown column (the nearest are suggested).
        """
        return pa.concat_tables(self._read_labels(block, columns) for block in range(self.spec.n_blocks))

    def batches(
        self,
        hook_points: Sequence[str],
        labels: Sequence[str] = (),
        batch_size: int = 1024,
        shuffle: int | None = None,
        with_frames: bool = False,
        only: Bool[np.ndarray, "frame"] | None = None,
    ) -> Iterator[CacheBatch]:
        """Every frame once, in batches; the last batch may be smaller.

        Args:
            hook_points: whose activations to read.
            labels: columns to read.
            batch_size: frames a batch.
            shuffle: None for the order of the cache; a seed for a random one. Blocks are drawn at random
                and mixed within a pool of some of them (`POOL_BYTES`), so that frames of a batch come from
                several blocks; it is no uniform draw of all orders.
            with_frames: read the observations, too.
            only: which frames, one truth value for each; None for all.

        Raises ValueError: an unknown hook point or column, frames not stored, another number of truth values.
        """
        if batch_size < 1:
            raise ValueError(f"expected a batch size of at least 1, got {batch_size}")
        arrays = {f"activations/{name}": self.activations(name) for name in hook_points}
        if with_frames:
            arrays["frames"] = self.frames
        self._read_labels(0, labels)
        if only is not None and len(only) != len(self):
            raise ValueError(f"expected one truth value for each of {len(self)} frames; given {len(only)}")
        return self._stream(arrays, list(labels), batch_size, shuffle, only)

    def _stream(
        self,
        arrays: dict[str, zarr.Array],
        labels: list[str],
        batch_size: int,
        shuffle: int | None,
        only: np.ndarray | None,
    ) -> Iterator[CacheBatch]:
        rng = None if shuffle is None else np.random.default_rng(shuffle)
        blocks = np.arange(self.spec.n_blocks) if rng is None else rng.permutation(self.spec.n_blocks)
        frame_bytes = sum(self.spec.arrays[path].bytes_per_frame for path in arrays)
        block_bytes = self.spec.block_frames * max(1, frame_bytes)
        pool_blocks = 1 if rng is None else max(1, POOL_BYTES // block_bytes)
        left: list[dict[str, np.ndarray]] = []
        for start in range(0, len(blocks), pool_blocks):
            pool = [
                self._read_block(int(b), arrays, labels, only) for b in blocks[start : start + pool_blocks]
            ]
            rows = {key: np.concatenate([part[key] for part in [*left, *pool]]) for key in pool[0]}
            n_rows = len(rows["index"])
            order = np.arange(n_rows) if rng is None else rng.permutation(n_rows)
            last = start + pool_blocks >= len(blocks)
            stop = n_rows if last else n_rows - n_rows % batch_size
            for first in range(0, stop, batch_size):
                yield _as_batch(rows, order[first : min(first + batch_size, stop)], list(arrays), labels)
            left = [{key: array[order[stop:]] for key, array in rows.items()}]

    def _read_block(
        self, block: int, arrays: dict[str, zarr.Array], labels: list[str], only: np.ndarray | None
    ) -> dict[str, np.ndarray]:
        frames = self.spec.block_slice(block)

        def read() -> dict[str, np.ndarray]:
            table = self._read_labels(block, labels)
            return (
                {"index": np.arange(frames.start, frames.stop)}
                | {path: np.asarray(array[frames]) for path, array in arrays.items()}
                | {f"labels/{name}": column_values(table[name]) for name in labels}
            )

        rows = self.kept.get((block, tuple(arrays), tuple(labels)), read)
        return rows if only is None else {name: array[only[frames]] for name, array in rows.items()}

    def _require_finished(self) -> None:
        """By the commit records, which `fsspec` can list wherever the cache lies."""
        files, root = fsspec.core.url_to_fs(self.path)
        try:
            names = [name.rsplit("/", 1)[-1] for name in files.ls(f"{root}/blocks", detail=False)]
        except FileNotFoundError:
            names = []
        n_committed = sum(name.endswith(".json") for name in names)
        if n_committed < self.spec.n_blocks:
            raise ValueError(
                f"expected a finished cache; {self.path} has {n_committed} of its {self.spec.n_blocks} "
                f"blocks. Give the command that made it again: it goes on. {self.builds[-1]['command']}"
            )

    def _array(self, path: str) -> zarr.Array:
        array = self._group[path]
        assert isinstance(array, zarr.Array)
        return array

    def _read_labels(self, block: int, columns: Sequence[str] | None) -> pa.Table:
        with fsspec.open(f"{self.path}/{labels_path(block)}", "rb") as file:
            parquet = pq.ParquetFile(file)
            known = parquet.schema_arrow.names
            for name in columns or ():
                if name not in known:
                    raise ValueError(f"expected a label of this cache, got {name!r}. {suggest(name, known)}")
            return parquet.read(columns=None if columns is None else list(columns), use_threads=False)


def column_values(column: pa.ChunkedArray) -> np.ndarray:
    """A label column as an array: [frame], or [frame, entry] where every row is a list of one length."""
    array = column.combine_chunks()
    if pa.types.is_fixed_size_list(array.type):
        return array.flatten().to_numpy(zero_copy_only=False).reshape(len(array), array.type.list_size)
    return array.to_numpy(zero_copy_only=False)


def _as_batch(
    rows: dict[str, np.ndarray], order: np.ndarray, arrays: list[str], labels: list[str]
) -> CacheBatch:
    return CacheBatch(
        index=rows["index"][order],
        activations={
            path.removeprefix("activations/"): rows[path][order] for path in arrays if path != "frames"
        },
        labels={name: rows[f"labels/{name}"][order] for name in labels},
        frames=rows["frames"][order] if "frames" in arrays else None,
    )
