"""How an activation cache lies on disk, and what makes two caches the same.

    DIR/zarr.json                               the group: what the cache holds and how it was made
    DIR/activations/<hook point>/zarr.json      array [frame, channel, row, col] or [frame, unit]
    DIR/activations/<hook point>/c/<block>/0…   its chunks: one file per block
    DIR/frames/…                                the observations, uint8, when asked for
    DIR/labels/part-<block>.parquet             one row per frame: the truth of it
    DIR/blocks/…                                commit records (`procscope.workbench.blocks`)

Readable without this project: `zarr.open_group(DIR)["activations/conv_out"][:100]` and
`pandas.read_parquet(DIR + "/labels")`. A chunk is one block, so that blocks are written independently,
whole or not at all, and their bytes depend on their contents alone (one codec, zstd level 1, on one
thread).

A cache's *source* is everything that its contents depend on: model, actor, sampling, environment, seed. It is
compared when a build is resumed. Commands, times and paths stand beside it and are in no hash.

Axes: `frame` rows of the cache, `block` runs of `block_frames` frames; the last may be shorter (its chunk is
filled up with zeros, as zarr wants).
"""

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numcodecs import Zstd
from zarr.codecs import ZstdCodec

FORMAT = 1
ATTRIBUTE = "procscope_cache"
_ZSTD_LEVEL = 1


@dataclass(frozen=True)
class ArraySpec:
    """One array of the cache, its first axis being `frame`."""

    shape: tuple[int, ...]
    """Of one frame's entry, such as (32, 8, 8) for channel, row, col."""

    dtype: str
    """NumPy's name of the type, such as float16."""

    @property
    def bytes_per_frame(self) -> int:
        """Uncompressed."""
        return int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class CacheSpec:
    """What a cache holds and what its contents depend on."""

    n_frames: int
    """Rows of every array and of the labels together."""

    block_frames: int
    """Frames a block."""

    arrays: dict[str, ArraySpec]
    """Path in the group ("activations/conv_out", "frames") to array."""

    source: dict[str, Any]
    """JSON data: model, actor, sampling, environment, level seeds, seed, versions."""

    def __post_init__(self) -> None:
        if self.n_frames < 1 or self.block_frames < 1:
            raise ValueError(
                f"expected at least one frame and one frame a block; given {self.n_frames}, "
                f"{self.block_frames}"
            )

    @property
    def n_blocks(self) -> int:
        return -(-self.n_frames // self.block_frames)

    def block_slice(self, block: int) -> slice:
        """The frames of a block."""
        if not 0 <= block < self.n_blocks:
            raise ValueError(f"expected a block from 0 to {self.n_blocks - 1}, got {block}")
        return slice(block * self.block_frames, min((block + 1) * self.block_frames, self.n_frames))

    @property
    def bytes_per_frame(self) -> int:
        """Of the arrays, uncompressed."""
        return sum(array.bytes_per_frame for array in self.arrays.values())

    def as_attributes(self) -> dict[str, Any]:
        """JSON data from which `from_attributes` makes an equal spec."""
        return json.loads(json.dumps({"format": FORMAT, **asdict(self)}))

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, Any]) -> "CacheSpec":
        """The spec in a group's attributes.

        Raises ValueError: they are not those of a cache, or of a later format.
        """
        described = attributes.get(ATTRIBUTE)
        if not isinstance(described, dict) or "format" not in described:
            raise ValueError(
                f"expected a zarr group with the attribute {ATTRIBUTE!r}, as caches have; it has none"
            )
        if described["format"] != FORMAT:
            raise ValueError(
                f"this cache has format {described['format']}, this version of procscope reads {FORMAT}; "
                "use the version that wrote it"
            )
        arrays = {path: ArraySpec(tuple(a["shape"]), a["dtype"]) for path, a in described["arrays"].items()}
        return cls(described["n_frames"], described["block_frames"], arrays, described["source"])


def chunk_path(array_path: str, array: ArraySpec, block: int) -> str:
    """The file of a block of an array, relative to the cache."""
    return "/".join([array_path, "c", str(block), *("0" for _ in array.shape)])


def labels_path(block: int) -> str:
    """The file of a block's labels, relative to the cache."""
    return f"labels/part-{block:06d}.parquet"


def encode_chunk(rows: np.ndarray, array: ArraySpec, block_frames: int) -> bytes:
    """The bytes of a chunk file, as zarr would write them.

    Raises ValueError: `rows` is not [frame, *array.shape] in the array's type, or has too many frames.
    """
    if rows.shape[1:] != array.shape or rows.dtype != np.dtype(array.dtype) or len(rows) > block_frames:
        raise ValueError(
            f"expected at most {block_frames} rows of shape {array.shape} and type {array.dtype}; "
            f"given {rows.shape} of {rows.dtype}"
        )
    if len(rows) < block_frames:
        rows = np.concatenate([rows, np.zeros((block_frames - len(rows), *array.shape), rows.dtype)])
    little_endian = np.ascontiguousarray(rows, dtype=np.dtype(array.dtype).newbyteorder("<"))
    return bytes(Zstd(level=_ZSTD_LEVEL).encode(little_endian))


def group_files(spec: CacheSpec, builds: list[dict[str, Any]]) -> Iterator[tuple[str, bytes]]:
    """The metadata files (path in the cache, bytes) of the zarr group, the root last.

    Args:
        builds: one entry per command that worked on the cache: its words, time, versions.
    """
    with tempfile.TemporaryDirectory() as directory:
        root = zarr.create_group(
            directory, attributes={ATTRIBUTE: spec.as_attributes() | {"builds": builds}}, overwrite=True
        )
        for path, array in spec.arrays.items():
            root.create_array(
                path,
                shape=(spec.n_frames, *array.shape),
                chunks=(spec.block_frames, *array.shape),
                dtype=array.dtype,
                compressors=ZstdCodec(level=_ZSTD_LEVEL),
            )
        files = sorted(
            Path(directory).rglob("zarr.json"), key=lambda file: (file.parent == Path(directory), file)
        )
        for file in files:
            yield file.relative_to(directory).as_posix(), file.read_bytes()


def differences(given: Any, found: Any, where: str = "") -> list[str]:
    """Where two pieces of JSON data differ, as "place: found there, given now" texts."""
    if isinstance(given, dict) and isinstance(found, dict):
        keys = list(dict.fromkeys([*found, *given]))
        return [
            text
            for key in keys
            for text in differences(given.get(key), found.get(key), f"{where}.{key}" if where else str(key))
        ]
    return [] if given == found else [f"{where} was {found!r}, now {given!r}"]


def is_local(path: str | Path) -> bool:
    """Whether `path` is a directory of this machine rather than an `fsspec` URL."""
    return "://" not in str(path)
