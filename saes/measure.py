"""Everything about one trained autoencoder: reconstruction, latents, and what the network does with it spliced in.

When to use: the analysis and the experiments do; `report.py` tells what comes out.
Cost: that of its parts, of which episodes cost most.
"""

import numpy as np

from procscope.activations.cache import ActivationCache
from procscope.interventions.zero_channels import independent_frames
from procscope.saes.latents import measure_latents
from procscope.saes.reconstruction import measure_reconstruction
from procscope.saes.result import SaeResult
from procscope.saes.sae import TrainedSae
from procscope.saes.spliced import play_of_cache, splice_on_frames
from procscope.workbench.checkpoints import LoadedModel
from procscope.workbench.members import Members

_FRAMES_AT_ONCE = 256


def measure_sae(
    trained: TrainedSae,
    cache: ActivationCache,
    model: LoadedModel | None,
    *,
    statements: tuple[str, ...] = (),
    frames: int = 1000,
    level_seeds: range = range(0),
    max_steps: int = 500,
    seed: int = 0,
    members: Members | None = None,
    progress: bool = False,
) -> SaeResult:
    """Measure what can be measured with what is given.

    Args:
        cache: of the same network; with frames, for effects and splicing into frames.
        model: the network; None leaves out all that runs it.
        statements: that latents are compared with; by default those that the labels allow.
        frames: that the reconstruction is spliced into, each of another level.
        level_seeds: of the levels played; none by default.
        members: where played blocks are kept.

    Raises ValueError: a cache of another network, and what the parts refuse.
    """
    if trained.model_hash:
        cache.require_model(trained.model_hash)
    missing: dict[str, str] = {}
    reconstruction = measure_reconstruction(trained.sae, cache, trained.hook_point, seed=seed)
    network = None if model is None else model.network
    latents = measure_latents(trained, cache, network, statements=statements, seed=seed, progress=progress)
    on_frames = in_play = None
    if network is not None and "frames" in cache.spec.arrays:
        rows = independent_frames(cache, frames, np.random.default_rng(seed))
        stored = cache.frames
        parts = np.array_split(rows, max(1, len(rows) // _FRAMES_AT_ONCE))
        batches = (np.asarray(stored.oindex[part]) for part in parts)
        on_frames = splice_on_frames(network, batches, trained.hook_point, trained.sae, reconstruction.means)
    else:
        missing["spliced frames"] = (
            "the network is not known" if network is None else "the cache holds no frames (--keep-frames)"
        )
    if network is not None and len(level_seeds):
        try:
            in_play = play_of_cache(
                network,
                cache,
                trained,
                reconstruction.means,
                level_seeds,
                seed=seed,
                max_steps=max_steps,
                members=members,
                progress="episodes" if progress else None,
            )
        except ValueError as error:
            missing["spliced play"] = str(error)
    return SaeResult(trained, reconstruction, latents, on_frames, in_play, missing | dict(latents.missing))
