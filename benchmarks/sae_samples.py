"""What shuffled reading from a cache costs beside training, and how much memory it takes.

    python benchmarks/sae_samples.py [--frames 400000] [--pool-mb 40] [--steps 60]

A made-up cache of vectors (float16, half of the values 0, as after a ReLU), ten times as large as the pool that may be
in memory. The CPU time of reading so many batches over that of the training steps of these batches (512 inputs, 2,048
latents, k 32), in one process; and the largest growth of the process's memory while reading, beside what it was before.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from procscope.activations.cache import ActivationCache
from procscope.activations.cache_format import ArraySpec, CacheSpec
from procscope.activations.cache_writer import BlockContents, open_for_writing, write_block
from procscope.saes.config import SaeConfig
from procscope.saes.learners import FusedTopK
from procscope.saes.samples import CacheSamples

INPUTS, BLOCK, BATCH = 512, 2048, 2048


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=400_000)
    parser.add_argument("--pool-mb", type=int, default=40)
    parser.add_argument("--steps", type=int, default=60)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        cache = make_cache(Path(folder), options.frames)
        samples = CacheSamples(cache, "fc", batch_size=BATCH, pool_bytes=options.pool_mb * 2**20)
        next(samples)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(options.steps):
            next(samples)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        learner = FusedTopK(SaeConfig(batch_size=BATCH), INPUTS)
        optimiser = torch.optim.Adam(learner.parameters, lr=1e-3, fused=True)
        dead = torch.zeros(2048, dtype=torch.bool)
        reading = training = 0.0
        for _ in range(options.steps):
            cpu = time.process_time()
            batch = next(samples)
            reading += time.process_time() - cpu
            batch = (batch - 0.4).div_(0.6)
            cpu = time.process_time()
            learner.step(batch, dead, 1.0)
            optimiser.step()
            learner.after_step()
            training += time.process_time() - cpu
    size = options.frames * INPUTS * 2 / 2**20
    read = options.steps * BATCH * INPUTS * 2 / 2**20
    print(
        f"cache {size:.0f} MB, pool {options.pool_mb} MB, {read:.0f} MB read: reading takes {reading / training:.1%} "
        f"of the training's CPU time ({reading:.1f} s and {training:.1f} s); after its first batch, reading made the "
        f"process grow by {grown:.0f} MB"
    )


def make_cache(directory: Path, frames: int) -> ActivationCache:
    """Random activations, written block by block."""
    spec = CacheSpec(frames, BLOCK, {"activations/fc": ArraySpec((INPUTS,), "float16")}, {"model": {}})
    rng = np.random.default_rng(0)
    with open_for_writing(directory, spec) as writer:
        for block in range(spec.n_blocks):
            part = spec.block_slice(block)
            n = part.stop - part.start
            values = np.maximum(rng.standard_normal((n, INPUTS), dtype=np.float32), 0).astype(np.float16)
            contents = BlockContents({"activations/fc": values}, pa.table({"episode": np.arange(n)}))
            writer.commit(block, write_block(directory, spec, block, contents))
    return ActivationCache.open(directory)


if __name__ == "__main__":
    main()
