"""Features of a network that is run on a cache's frames, such as an untrained one: one pass for all its hook points.

    with run_features(network, cache, [("conv_out", "pooled"), ("fc", "flat")], rows) as found:
        found[0].batches()

What is read is kept in temporary files (not in memory) in the cache's own type, and is gone after the block.

Cost: the forward passes (IMPALA 16-32-32 on one core: 1,000 frames/s); 2 bytes a number on disk.

Axes: `frame`, `sample`, `dimension`.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import Int
from torch import nn
from tqdm import tqdm

from procscope.activations.cache import ActivationCache
from procscope.activations.capture import ActivationType, capture
from procscope.probes.features import ArrayFeatures, frames_in_turn
from procscope.probes.reading import Reading


@contextmanager
def run_features(
    network: nn.Module,
    cache: ActivationCache,
    wanted: Sequence[tuple[str, str | Reading]],
    rows: Int[np.ndarray, " frame"],
    dtype: ActivationType = "float16",
    description: str = "",
) -> Iterator[list[ArrayFeatures]]:
    """Features at some hook points, each read in its way, of the frames at `rows` (positions in the cache, in order).

    Raises ValueError: the cache holds no frames; what `capture` refuses.
    """
    readings = [(hook_point, Reading.of(read)) for hook_point, read in wanted]
    hook_points = list(dict.fromkeys(hook_point for hook_point, _ in readings))
    frames, block = cache.frames, cache.spec.block_frames
    with tempfile.TemporaryDirectory(prefix="procscope-probes-") as directory:
        arrays: list[np.ndarray] = []
        found: list[ArrayFeatures] = []
        with tqdm(total=len(rows), desc=description, disable=None if description else True) as progress:
            for place, pictures in frames_in_turn(frames, rows, block):
                activations = capture(network, pictures, hook_points, dtype=dtype).activations
                for i, (hook_point, read) in enumerate(readings):
                    x = activations[hook_point]
                    each = read.samples_per_frame(x.shape[1:])
                    if len(arrays) <= i:
                        shape = read.shape(x.shape[1:])
                        kept = np.memmap(
                            Path(directory) / f"{i}.npy",
                            dtype=dtype,
                            mode="w+",
                            shape=(len(rows) * each, int(np.prod(shape))),
                        )
                        arrays.append(kept)
                        found.append(ArrayFeatures(kept, f"{hook_point}, {read}", each, shape))
                    arrays[i][place * each : (place + len(pictures)) * each] = read.apply(x)
                progress.update(len(pictures))
        yield found
