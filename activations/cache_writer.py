"""Write an activation cache block by block: start or resume, write, commit.

When to use: `collect.py` does; use it yourself to put activations from elsewhere into the same format.

    with open_for_writing(directory, spec, command="…") as writer:
        for block in writer.missing_blocks():
            files = write_block(directory, spec, block, contents)     # in any process, in any order
            writer.commit(block, files)

A block is made of whole files, each written under another name, synced and renamed. It counts once its commit
record is on disk; a killed build leaves at most a few uncommitted files, which the next run writes again
with the same bytes. One process at a time holds a cache open for writing.

Cost: compressing at about 150 MB/s of activations (a core), four syncs a block.
"""

import errno
import hashlib
import io
import json
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from procscope.activations.cache_format import (
    ATTRIBUTE,
    CacheSpec,
    chunk_path,
    differences,
    encode_chunk,
    group_files,
    is_local,
    labels_path,
)
from procscope.workbench.atomic import write_bytes_atomically
from procscope.workbench.blocks import BlockStore

_LABEL_BYTES_PER_FRAME = 200
"""Upper estimate: fifteen logits, some thirty numbers, uncompressed."""


@dataclass(frozen=True)
class BlockContents:
    """The frames of one block."""

    arrays: dict[str, np.ndarray]
    """Path in the group ("activations/conv_out", "frames") to [frame, ...]."""

    labels: pa.Table
    """One row per frame."""


class WrittenFile(NamedTuple):
    """A file of a block, as the commit record names it."""

    path: str
    """Relative to the cache."""

    size_bytes: int

    sha256: str


def write_block(
    directory: str | Path, spec: CacheSpec, block: int, contents: BlockContents
) -> list[WrittenFile]:
    """Write and sync the files of one block; it counts only after `CacheWriter.commit`.

    Raises:
        ValueError: the contents are not the arrays of `spec` with one row per frame of the block.
        OSError: the disk is full; the cache is as it was before.
    """
    frames = spec.block_slice(block)
    expected = frames.stop - frames.start
    rows = {path: len(array) for path, array in contents.arrays.items()} | {
        "labels": contents.labels.num_rows
    }
    if contents.arrays.keys() != spec.arrays.keys() or set(rows.values()) != {expected}:
        raise ValueError(
            f"block {block} needs {expected} rows of each of {sorted(spec.arrays)} and of the labels; "
            f"given {rows}"
        )
    files = [
        _write(
            directory,
            chunk_path(path, array, block),
            encode_chunk(contents.arrays[path], array, spec.block_frames),
        )
        for path, array in spec.arrays.items()
    ]
    return [*files, _write(directory, labels_path(block), _encode_labels(contents.labels))]


class CacheWriter:
    """A cache open for writing, by one process at a time. Make one with `open_for_writing`."""

    def __init__(self, directory: Path, spec: CacheSpec):
        self.directory, self.spec = directory, spec
        self.store = BlockStore(directory / "blocks")

    def missing_blocks(self) -> list[int]:
        """Blocks that are not committed, in order."""
        return sorted(set(range(self.spec.n_blocks)) - self.store.committed())

    def commit(self, block: int, files: Sequence[WrittenFile]) -> None:
        """Make a written block count."""
        record = {file.path: {"bytes": file.size_bytes, "sha256": file.sha256} for file in files}
        self.store.commit(block, {"files": record})


@contextmanager
def open_for_writing(directory: str | Path, spec: CacheSpec, command: str = "") -> Iterator[CacheWriter]:
    """Start a cache in `directory` or go on with the one that is there, for the length of a `with` block.

    Args:
        directory: a local directory; made when missing.
        command: the words that started this, for the record.

    Raises:
        ValueError: a URL; a directory with other things in it; a cache of another spec (what differs is
            said).
        OSError: the disk has less room than the rest of the cache may need; nothing is written then.
        BlockingIOError: another process is writing this cache.
    """
    if not is_local(directory):
        raise ValueError(
            f"caches are written to a local directory, given {directory}. Copy it there afterwards"
        )
    directory = Path(directory)
    _previous_builds(directory, spec)
    writer = CacheWriter(directory, spec)
    n_missing = spec.n_blocks - len(writer.store.committed())
    require_disk_space(directory, expected_bytes(spec, n_missing))
    with writer.store.lock():
        builds = _previous_builds(directory, spec)
        if n_missing:
            started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            builds.append({"command": command, "started": started, "directory": str(directory.resolve())})
            for path, data in group_files(spec, builds):
                (directory / path).parent.mkdir(parents=True, exist_ok=True)
                write_bytes_atomically(directory / path, data)
        yield writer


def expected_bytes(spec: CacheSpec, n_blocks: int) -> int:
    """Upper estimate of what that many blocks take on disk: the arrays uncompressed, and the labels."""
    return n_blocks * spec.block_frames * (spec.bytes_per_frame + _LABEL_BYTES_PER_FRAME)


def require_disk_space(directory: Path, needed_bytes: int) -> None:
    """Raises OSError when the disk that `directory` is (to be) on has less than that free."""
    existing = directory.absolute()
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free
    if free < needed_bytes:
        raise OSError(
            errno.ENOSPC,
            f"the cache may need {needed_bytes / 1e9:.2f} GB and the disk has {free / 1e9:.2f} GB free. "
            f"Take fewer frames or hook points, or another disk",
            str(directory),
        )


def _previous_builds(directory: Path, spec: CacheSpec) -> list[dict[str, Any]]:
    """The builds recorded in `directory`; refused unless it is empty or holds a cache of this spec."""
    root = directory / "zarr.json"
    if not root.exists():
        others = [path.name for path in directory.iterdir()] if directory.is_dir() else []
        if directory.exists() and not directory.is_dir():
            raise ValueError(
                f"expected a directory for the cache, given the file {directory}. Take another path"
            )
        # What a build killed in its first moments leaves: its lock and arrays without a group.
        if foreign := sorted(set(others) - {"blocks", "activations", "frames"}):
            raise ValueError(
                f"expected an empty directory or a cache, but {directory} holds {', '.join(foreign[:5])}. "
                f"Take another one"
            )
        return []
    attributes = json.loads(root.read_text(encoding="utf-8")).get("attributes", {})
    found = CacheSpec.from_attributes(attributes)
    if changed := differences(spec.as_attributes(), found.as_attributes()):
        raise ValueError(
            f"{directory} holds a cache of another kind: {'; '.join(changed[:8])}. "
            f"Give the command that made it, or another directory"
        )
    return list(attributes[ATTRIBUTE]["builds"])


def _write(directory: str | Path, path: str, data: bytes) -> WrittenFile:
    target = Path(directory) / path
    target.parent.mkdir(parents=True, exist_ok=True)
    write_bytes_atomically(target, data)
    return WrittenFile(path, len(data), hashlib.sha256(data).hexdigest())


def _encode_labels(labels: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(labels, buffer, compression="zstd", compression_level=1, version="2.6", store_schema=True)
    return buffer.getvalue()
