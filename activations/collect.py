"""Fill an activation cache: levels become frames, frames activations, with the truth of every frame beside them.

When to use: before any analysis; `procscope cache build` is this on the command line.

    config = CacheConfig(model="maze-easy-topright", hook_points=("conv_out", "fc"), n_frames=50_000)
    cache = build_cache(config, "caches/maze")

Run again after an interruption, it makes the blocks that are missing. The bytes are the same for any number
of workers, since every worker runs torch on one thread, and a block depends on the seed and its number
alone; another kind of processor or another version of torch may differ in the last bits.

Cost: on one core about the time of stepping with labels plus the forward pass of IMPALA 16-32-32, some
hundreds of frames a second; conv_out and fc take about 3 kB a frame on disk.

Axes: `frame` rows of the cache.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path

from procscope.activations.block_maker import BlockMaker
from procscope.activations.cache import ActivationCache
from procscope.activations.cache_config import CacheConfig
from procscope.activations.cache_format import CacheSpec
from procscope.activations.cache_writer import WrittenFile, expected_bytes, open_for_writing, write_block
from procscope.workbench.memory import keep_freed_memory
from procscope.workbench.parallel import parallel_map

__all__ = ["CacheConfig", "build_cache"]


def build_cache(
    config: CacheConfig,
    directory: str | Path,
    *,
    workers: int = 1,
    backend: str = "processes",
    command: str = "",
    say: Callable[[str], None] | None = None,
) -> ActivationCache:
    """Make the blocks of a cache that are not there yet, and open it.

    Args:
        config: what the cache is to hold.
        directory: of the cache, on this machine; made when missing.
        workers: processes; the bytes do not depend on it.
        backend: "processes", or "ray" for a cluster.
        command: the words that asked for it, for the record.
        say: gets sentences for people, such as how many bytes will be written; None shows no progress either.

    Raises:
        ValueError: an unknown model, hook point, actor or variant (the nearest names are suggested); a
            directory that holds another cache (what differs is said) or other things.
        OSError: the disk has too little room, at the start or on the way; committed blocks stay.
    """
    job = _Job(uuid.uuid4().hex, config, str(directory), engine_threads=1 if workers > 1 else 0)
    maker = _maker(job)
    try:
        spec = maker.spec
        with open_for_writing(directory, spec, command) as writer:
            missing = writer.missing_blocks()
            if say is not None:
                say(_plan(spec, len(missing)))
            finished = parallel_map(
                partial(_make_block, job),
                missing,
                workers=workers,
                backend=backend,
                description="" if say is None else "cache blocks",
            )
            for index, files in finished:
                writer.commit(missing[index], files)
    finally:
        maker.close()
        _maker.cache_clear()
    return ActivationCache.open(directory)


def _plan(spec: CacheSpec, n_missing: int) -> str:
    """What will be done, for people."""
    there = f", {spec.n_blocks - n_missing} of them there already" if n_missing < spec.n_blocks else ""
    megabytes = expected_bytes(spec, n_missing) / 1e6
    return (
        f"{spec.n_frames} frames in {spec.n_blocks} blocks of {spec.block_frames}{there}; "
        f"up to {megabytes:.0f} MB to write before compression"
    )


@dataclass(frozen=True)
class _Job:
    """What a worker needs to know; equal for all blocks of one build, so that it loads the network once."""

    token: str
    config: CacheConfig = field(compare=False)
    directory: str = field(compare=False)
    engine_threads: int = field(compare=False)


@lru_cache(maxsize=1)
def _maker(job: _Job) -> BlockMaker:
    keep_freed_memory()
    return BlockMaker(job.config, job.engine_threads)


def _make_block(job: _Job, block: int) -> list[WrittenFile]:
    maker = _maker(job)
    return write_block(job.directory, maker.spec, block, maker.make(block))
