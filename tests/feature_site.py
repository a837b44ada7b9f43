"""A small real site for tests: a tiny network's play in the engine's maze, and a random autoencoder of it."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from procscope.activations.cache import ActivationCache
from procscope.activations.cache_config import CacheConfig
from procscope.activations.cache_format import ArraySpec, CacheSpec
from procscope.activations.cache_writer import BlockContents, open_for_writing, write_block
from procscope.activations.collect import build_cache
from procscope.agents.networks.impala import Impala
from procscope.saes.sae import ARCHITECTURE, Sae
from procscope.workbench.checkpoint_header import CheckpointHeader
from procscope.workbench.checkpoints import load_network, save_checkpoint

DEAD = 3
"""The last latents of every autoencoder made here are silent."""


def tiny_network(path: Path) -> Path:
    """An untrained maze policy."""
    torch.manual_seed(0)
    header = CheckpointHeader("impala", {"widths": [4, 4, 6], "hidden": 24}, game="maze", mode="easy")
    save_checkpoint(path, Impala(widths=(4, 4, 6), hidden=24), header)
    return path


def played_cache(directory: Path, network: Path, frames: int = 512) -> ActivationCache:
    """Its play, with frames."""
    config = CacheConfig(
        model=str(network),
        hook_points=("conv_out", "fc"),
        n_frames=frames,
        block_frames=128,
        game="maze",
        mode="easy",
        seed=0,
        keep_frames=True,
        num_envs=8,
    )
    return build_cache(config, directory, command="tests")


def random_sae(path: Path, cache: ActivationCache, hook_point: str, n_latents: int, k: int, network: str = "") -> Path:
    """Random directions; what a latent is large for is as good as any for a page. The last `DEAD` never fire."""
    values = np.asarray(cache.activations(hook_point)[:], np.float32)
    samples = values.swapaxes(0, 1).reshape(values.shape[1], -1)
    sae = Sae(len(samples), n_latents, "top-k", k)
    directions = torch.randn(n_latents, len(samples), generator=torch.Generator().manual_seed(1))
    sae.W_dec.copy_(directions / directions.norm(dim=1, keepdim=True))
    sae.W_enc.copy_(sae.W_dec.T)
    sae.b_enc[-DEAD:] = -1e3
    sae.mean.copy_(torch.from_numpy(samples.mean(axis=1)))
    sae.scale.fill_(float(samples.std()))
    facts = {
        "hook_point": hook_point,
        "model": network,
        "model_hash": cache.source["model"]["weights_hash"],
    }
    save_checkpoint(path, sae, CheckpointHeader(ARCHITECTURE, sae.options, training=facts))
    return path


def network_of(path: Path) -> torch.nn.Module:
    return load_network(path).network


def write_cache_with_frames(
    directory: Path, activations: np.ndarray, frames: np.ndarray, labels: dict[str, np.ndarray], block: int = 500
) -> ActivationCache:
    """A made-up cache of the hook point `fc`."""
    spec = CacheSpec(
        len(frames),
        block,
        {
            "activations/fc": ArraySpec(activations.shape[1:], str(activations.dtype)),
            "frames": ArraySpec(frames.shape[1:], "uint8"),
        },
        {"model": {"weights_hash": "x" * 64}},
    )
    with open_for_writing(directory, spec) as writer:
        for number in range(spec.n_blocks):
            part = spec.block_slice(number)
            contents = BlockContents(
                {"activations/fc": activations[part], "frames": frames[part]},
                pa.table({name: values[part] for name, values in labels.items()}),
            )
            writer.commit(number, write_block(directory, spec, number, contents))
    return ActivationCache.open(directory)
