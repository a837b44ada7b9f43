"""How long the site of an autoencoder's latents takes, part by part.

    python benchmarks/feature_site.py                                     # 10,000 frames, 512 latents
    python benchmarks/feature_site.py --frames 100000 --width 2048        # the size that 5 minutes are meant for
    python benchmarks/feature_site.py --cache caches/maze --hook conv_out

The cache is of a zoo network that plays the engine's levels (made first, and not counted; --cache takes one that is
there). The autoencoder's directions are random and its normalisation is the cache's: as many latents are active as in a
trained one, and how well they reconstruct costs no time. What `sae train` would take is not counted; measuring the
latents, which `procscope analyze sae` may have done before, is a part of its own.

For each part: seconds by the clock, and of the processor, all threads together. On a machine that does other work the
clock says little: with two free cores and two workers, a part takes between half of the processor's seconds and all.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from procscope.activations.cache import ActivationCache
from procscope.activations.cache_config import CacheConfig
from procscope.activations.collect import build_cache
from procscope.saes.normalisation import measure_normalisation
from procscope.saes.sae import ARCHITECTURE, Sae
from procscope.web.features import site
from procscope.web.features.inputs import open_inputs
from procscope.workbench.checkpoint_header import CheckpointHeader
from procscope.workbench.checkpoints import save_checkpoint
from procscope.workbench.parallel import one_thread

PARTS = {
    "latent_maps": "latents of the shown frames",
    "read_frames": "frames",
    "attribution_maps": "heat maps by attribution",
    "_write_latents": "records and sheets of latents",
    "_write_thumbnails": "thumbnails",
}
"""Functions that `write_site` calls, by what they do."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--model", default="", help="by default maze-easy-topright, or the one that --cache is of"
    )
    parser.add_argument("--hook", default="fc")
    parser.add_argument("--cache", default="", help="one that is there, with frames")
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--k", type=int, default=32)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(options, Path(folder))


def measure(options: argparse.Namespace, folder: Path) -> None:
    """Make what is needed, and time the rest."""
    if options.cache:
        cache = ActivationCache.open(options.cache)
    else:
        config = CacheConfig(
            options.model or "maze-easy-topright",
            (options.hook,),
            options.frames,
            variants=("cheese-anywhere",),
            keep_frames=True,
        )
        cache = build_cache(config, folder / "cache", command="benchmark", say=print)
    sae = random_sae(folder / "sae.safetensors", cache, options)
    print(f"{options.width} latents of {options.hook}, {len(cache):,} frames, {options.workers} workers")
    with timed("measuring the latents"), one_thread():
        inputs = open_inputs(str(sae), cache=cache.path, model=options.model)
    for name, title in PARTS.items():
        setattr(site, name, told(getattr(site, name), title))
    with timed("the site"):
        page = site.write_site(inputs, folder / "site", workers=options.workers)
    files = [path for path in page.parent.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    print(f"{len(files):,} files, {size / 2**20:.0f} MB, {size / options.width / 1000:.0f} kB a latent")


def random_sae(path: Path, cache: ActivationCache, options: argparse.Namespace) -> Path:
    """Directions at random, each its own encoder."""
    normalisation = measure_normalisation(cache, options.hook)
    sae = Sae(len(normalisation.mean), options.width, "top-k", options.k)
    directions = torch.randn(sae.n_latents, sae.n_inputs, generator=torch.Generator().manual_seed(0))
    sae.W_dec.copy_(directions / directions.norm(dim=1, keepdim=True))
    sae.W_enc.copy_(sae.W_dec.T)
    sae.mean.copy_(torch.as_tensor(np.asarray(normalisation.mean)))
    sae.scale.fill_(float(normalisation.scale))
    facts = {"hook_point": options.hook, "model_hash": cache.source["model"]["weights_hash"]}
    save_checkpoint(path, sae, CheckpointHeader(ARCHITECTURE, sae.options, training=facts))
    return path


@contextmanager
def timed(title: str) -> Iterator[None]:
    """Print what a block takes."""
    clock, processor = time.perf_counter(), time.process_time()
    yield
    clock, processor = time.perf_counter() - clock, time.process_time() - processor
    print(f"{title:32} {clock:8.1f} s by the clock {processor:8.1f} s of the processor", flush=True)


def told(function, title: str):
    """A function that prints what it took."""

    def run(*given, **named):
        with timed(f"  {title}"):
            return function(*given, **named)

    return run


if __name__ == "__main__":
    main()
