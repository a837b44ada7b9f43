"""How fast pictures are optimised and units scanned, against the bare passes and against one unit at a time.

    python benchmarks/visualization.py [--seconds 120] [--steps 2]               # an atlas of all 128 channels
    python benchmarks/visualization.py --scan-frames 200000 --cache-at DIR      # makes a cache of noise there, 4 GB

On one thread, on IMPALA 64-128-128 (untrained: speed does not depend on weights) and its 128 channels of `conv_out`:

- `optimise_inputs` with Fourier parameters, decorrelated colours and Lucid's transforms, of all channels in batches,
  per step and picture, against a bare forward and backward pass to the input, at the best of several batch sizes. The
  bar: 0.8 of the bare rate.
- the same, one channel at a time.
- `scan_units` over a cache: frames a second, and the process's largest memory. The bar: 200,000 frames below 2 GB.

Of the 512 steps of an atlas only some are made; they are all alike. Ways take turns in one process, and CPU time is
compared, so that other work on the machine hardly matters.
"""

import resource
from pathlib import Path

import numpy as np
import torch
from arguments import parser
from interleaved import interleave

from procscope.activations.cache_format import (
    ArraySpec,
    CacheSpec,
    chunk_path,
    encode_chunk,
    group_files,
    labels_path,
)
from procscope.agents.networks.impala import Impala
from procscope.visualization.colours import Colours
from procscope.visualization.objectives import ChannelMean
from procscope.visualization.optimise_inputs import activations_at, optimise_inputs
from procscope.visualization.picture_parameters import Fourier
from procscope.visualization.picture_transforms import PRESETS

CHANNELS = 128
BATCHES = (8, 16)
"""Larger ones are no faster on a CPU: 16 to 128 pictures took the same time each."""
ALONE = 1
"""Channels that are optimised one at a time in a round."""


def main() -> None:
    """Measure and print."""
    arguments = parser(__doc__, seconds=120)
    arguments.add_argument("--steps", type=int, default=2)
    arguments.add_argument("--scan-frames", type=int, default=0)
    arguments.add_argument("--cache-at", type=Path, default=None)
    options = arguments.parse_args()
    torch.set_num_threads(1)
    if options.scan_frames:
        scan(options.cache_at, options.scan_frames)
    else:
        optimisation(options.seconds, options.steps)


def optimisation(seconds: float, steps: int) -> None:
    """Steps of an atlas's pictures against bare passes."""
    network = Impala((64, 128, 128)).eval().requires_grad_(False)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    grey = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    parameters = Fourier((3, 64, 64), colours=Colours.of(grey))

    def bare(batch: int) -> None:
        inputs = (255 * torch.rand(batch, 3, 64, 64)).contiguous(memory_format=torch.channels_last)
        inputs.requires_grad_()
        maps = activations_at(network, inputs, ["conv_out"])["conv_out"]
        maps[torch.arange(batch), torch.arange(batch)].mean().backward()

    def optimised(channels: range) -> None:
        optimise_inputs(
            network,
            ChannelMean("conv_out", channels),
            parameters,
            PRESETS["lucid"],
            steps=steps,
            brightest=255.0,
            batch_pictures=max(BATCHES),
        )

    ways = {f"bare, {batch}": lambda batch=batch: bare(batch) for batch in BATCHES}
    together = range(CHANNELS)
    ways |= {
        "atlas": lambda: optimised(together),
        "alone": lambda: [optimised(range(channel, channel + 1)) for channel in range(ALONE)],
    }
    rounds = interleave(ways, seconds, least_rounds=4)
    passes = {f"bare, {batch}": batch for batch in BATCHES}
    # A score of the finished picture ends each optimisation: a forward pass, which 512 steps do not notice.
    passes |= {"atlas": steps * len(together), "alone": steps * ALONE}
    each = {way: float(np.median(rounds.cpu_seconds[way])) / count for way, count in passes.items()}
    for way, taken in each.items():
        print(f"  {way}: {1e3 * taken:.1f} ms of CPU time a picture and step")
    forward = _forward_share(network)
    best = min(each[f"bare, {batch}"] for batch in BATCHES)
    per_step = each["atlas"] - forward * best / steps
    print(
        f"atlas of {CHANNELS} channels: {best / per_step:.2f} of the bare rate at its best batch size (bar: 0.8)"
    )
    print(f"{each['alone'] / each['atlas']:.2f} times as fast as one channel at a time")


def _forward_share(network: Impala) -> float:
    """A forward pass alone, as a share of a forward and backward pass: what the score at the end costs."""
    inputs = (255 * torch.rand(16, 3, 64, 64)).contiguous(memory_format=torch.channels_last)

    def forward() -> None:
        with torch.no_grad():
            activations_at(network, inputs, ["conv_out"])

    def both() -> None:
        given = inputs.clone().requires_grad_()
        activations_at(network, given, ["conv_out"])["conv_out"].mean().backward()

    rounds = interleave({"forward": forward, "both": both}, 5, least_rounds=4)
    return float(np.median(rounds.cpu_seconds["forward"]) / np.median(rounds.cpu_seconds["both"]))


def scan(directory: Path, n_frames: int) -> None:
    """One pass over a cache of noise, 128 maps of 8 x 8, whose frames are there as well."""
    from procscope.activations.cache import ActivationCache
    from procscope.visualization.exciting_frames import exciting_frames, exciting_patches
    from procscope.visualization.receptive_fields import receptive_fields
    from procscope.visualization.unit_scan import scan_units
    from procscope.visualization.units import Channels

    if not (directory / "zarr.json").exists():
        _write_noise(directory, n_frames)
    cache = ActivationCache.open(directory)
    fields = receptive_fields(Impala((64, 128, 128)), "conv_out")
    units = Channels("conv_out", range(CHANNELS))
    found: dict[str, object] = {}

    def whole() -> None:
        kept = scan_units(cache, units)
        found["patches"] = exciting_patches(cache, kept, fields)
        found["frames"] = exciting_frames(cache, kept)

    def read() -> None:
        for _ in cache.batches(["conv_out"], batch_size=256, with_frames=True):
            pass

    rounds = interleave({"scan": whole, "read": read}, 0, least_rounds=1)
    gigabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{n_frames:,} frames, {CHANNELS} units: {rounds.rate('scan', n_frames):,.0f} frames/s with patches and frames "
        f"chosen, {rounds.cpu_speed('scan', 'read'):.2f} of the rate of reading the cache; {gigabytes:.2f} GB at most "
        "(bar: 2)"
    )


def _write_noise(directory: Path, n_frames: int, block_frames: int = 2000) -> None:
    """A cache of one block of noise, over and over."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(0)
    arrays = {
        "activations/conv_out": ArraySpec((CHANNELS, 8, 8), "float16"),
        "frames": ArraySpec((64, 64, 3), "uint8"),
    }
    spec = CacheSpec(n_frames, block_frames, arrays, {"model": {"weights_hash": "noise"}})
    for name, content in group_files(spec, [{"command": "benchmarks/visualization.py"}]):
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    maps = rng.normal(size=(block_frames, CHANNELS, 8, 8)).astype(np.float16)
    frames = rng.integers(0, 256, (block_frames, 64, 64, 3), dtype=np.uint8)
    chunks = [encode_chunk(maps, arrays["activations/conv_out"], block_frames)]
    chunks += [encode_chunk(frames, arrays["frames"], block_frames)]
    (directory / "labels").mkdir(exist_ok=True)
    (directory / "blocks").mkdir(exist_ok=True)
    for block in range(spec.n_blocks):
        for (name, array), content in zip(arrays.items(), chunks, strict=True):
            path = directory / chunk_path(name, array, block)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        seeds = np.arange(block * block_frames, (block + 1) * block_frames) // 20
        pq.write_table(pa.table({"level_seed": seeds}), directory / labels_path(block))
        (directory / "blocks" / f"{block:06d}.json").write_text("{}")


if __name__ == "__main__":
    main()
