"""How much memory a long cache takes to write and to read: it does not grow with its length.

    python benchmarks/cache_memory.py [--frames 1000000] [--directory DIR]

Writes `conv_out`, `fc` and labels through the cache's own writer, block by block, with made-up activations in place of
a network's, so that a million frames take minutes (and about 3 GB of disk); then streams all of it shuffled, and reads
the labels whole. Prints the peak of the process's memory after each. Bar: 2 GB.
"""

import argparse
import resource
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from procscope.activations.cache import ActivationCache
from procscope.activations.cache_config import BLOCK_FRAMES
from procscope.activations.cache_format import ArraySpec, CacheSpec
from procscope.activations.cache_writer import BlockContents, open_for_writing, write_block

N_LABELS = 18


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument(
        "--directory", type=Path, default=None, help="where to write; a temporary one by default"
    )
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(dir=options.directory)) / "cache"
    arrays = {
        "activations/conv_out": ArraySpec((32, 8, 8), "float16"),
        "activations/fc": ArraySpec((256,), "float16"),
    }
    spec = CacheSpec(options.frames, BLOCK_FRAMES, arrays, {"model": {}})
    rng = np.random.default_rng(0)
    made_up = {
        path: np.maximum(rng.standard_normal((BLOCK_FRAMES, *array.shape)), 0).astype(array.dtype)
        for path, array in arrays.items()
    }
    report("imported")
    try:
        with open_for_writing(directory, spec) as writer:
            for block in writer.missing_blocks():
                rows = spec.block_slice(block)
                n = rows.stop - rows.start
                labels = pa.table(
                    {f"label{i}": rng.integers(0, 20, n).astype(np.int32) for i in range(N_LABELS)}
                )
                contents = BlockContents({path: made_up[path][:n] for path in arrays}, labels)
                writer.commit(block, write_block(directory, spec, block, contents))
        report(f"{options.frames:,} frames written")
        cache = ActivationCache.open(directory)
        read = sum(len(batch) for batch in cache.batches(["conv_out", "fc"], ["label0"], shuffle=0))
        report(f"{read:,} frames streamed, shuffled")
        cache.labels()
        report("all labels read")
    finally:
        shutil.rmtree(directory.parent, ignore_errors=True)


def report(what: str, began: float = time.perf_counter()) -> None:
    """Print the peak of memory so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{time.perf_counter() - began:7.0f} s  peak {peak:5.2f} GB  {what}", flush=True)


if __name__ == "__main__":
    main()
