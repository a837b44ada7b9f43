"""What small sites are made from in tests: a tiny network, a cache of it, and random autoencoders of that."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from procscope.activations.cache import ActivationCache
from procscope.activations.cache_format import ArraySpec, CacheSpec
from procscope.activations.cache_writer import BlockContents, open_for_writing, write_block
from procscope.activations.capture import capture
from procscope.activations.hooks import HookedNetwork
from procscope.agents.networks.impala import Impala
from procscope.saes.sae import ARCHITECTURE, Sae
from procscope.workbench.checkpoint_header import CheckpointHeader
from procscope.workbench.checkpoints import load_network, save_checkpoint

DEAD = 3
"""The last latents of every autoencoder made here are silent."""


def tiny_network(path: Path) -> Path:
    """An untrained maze policy."""
    torch.manual_seed(0)
    options = {"widths": [4, 4, 6], "hidden": 24}
    header = CheckpointHeader("impala", options, environment={"game": "maze", "mode": "easy"})
    save_checkpoint(path, Impala(widths=(4, 4, 6), hidden=24), header)
    return path


def walked_cache(directory: Path, network: Path, frames: int = 512) -> ActivationCache:
    """What it says of made-up pictures: a white square that walks over coloured tiles, eight steps an episode."""
    rng = np.random.default_rng(0)
    tiles = rng.integers(40, 200, (frames // 8, 8, 8, 3), dtype=np.uint8)
    pictures = np.repeat(tiles.repeat(8, axis=1).repeat(8, axis=2), 8, axis=0)
    x, y = rng.integers(0, 8, (2, frames))
    for i in range(frames):
        pictures[i, 8 * (7 - y[i]) : 8 * (8 - y[i]), 8 * x[i] : 8 * x[i] + 8] = 255
    episode = np.arange(frames) // 8
    labels = {"episode": episode, "step": np.arange(frames) % 8, "level_seed": 10**9 + episode, "agent_x": x}
    labels |= {"agent_y": y, "best_move": np.where(x < 4, 0, 4), "action": np.where(x < 4, 1, 7)}
    hook_points = ("conv_out", "fc")
    found = capture(load_network(network).network, pictures, hook_points).activations
    return write_cache_with_frames(directory, dict(found), pictures, labels, 128, network)


def random_sae(
    path: Path, cache: ActivationCache, hook_point: str, n_latents: int, k: int, seed: int = 1
) -> Path:
    """Random directions; what a latent is large for is as good as any for a page. The last `DEAD` never fire."""
    values = np.asarray(cache.activations(hook_point)[:], np.float32)
    samples = values.swapaxes(0, 1).reshape(values.shape[1], -1)
    sae = Sae(len(samples), n_latents, "top-k", k)
    directions = torch.randn(n_latents, len(samples), generator=torch.Generator().manual_seed(seed))
    sae.W_dec.copy_(directions / directions.norm(dim=1, keepdim=True))
    sae.W_enc.copy_(sae.W_dec.T)
    sae.b_enc[-DEAD:] = -1e3
    sae.mean.copy_(torch.from_numpy(samples.mean(axis=1)))
    sae.scale.fill_(float(samples.std()))
    facts = {
        "hook_point": hook_point,
        "model_hash": cache.source["model"]["weights_hash"],
    }
    save_checkpoint(path, sae, CheckpointHeader(ARCHITECTURE, sae.options, training=facts))
    return path


def network_of(path: Path) -> HookedNetwork:
    network = load_network(path).network
    assert isinstance(network, HookedNetwork)
    return network


def write_cache_with_frames(
    directory: Path,
    activations: dict[str, np.ndarray],
    frames: np.ndarray,
    labels: dict[str, np.ndarray],
    block: int,
    network: Path | None = None,
) -> ActivationCache:
    """A cache of given activations, by hook point, and pictures; of no network if none is named."""
    arrays = {f"activations/{name}": values for name, values in activations.items()} | {"frames": frames}
    known = "x" * 64 if network is None else load_network(network).weights_hash
    spec = CacheSpec(
        len(frames),
        block,
        {path: ArraySpec(values.shape[1:], str(values.dtype)) for path, values in arrays.items()},
        {"model": {"weights_hash": known, "architecture": "impala"}},
    )
    with open_for_writing(directory, spec) as writer:
        for number in range(spec.n_blocks):
            part = spec.block_slice(number)
            contents = BlockContents(
                {path: values[part] for path, values in arrays.items()},
                pa.table({name: values[part] for name, values in labels.items()}),
            )
            writer.commit(number, write_block(directory, spec, number, contents))
    return ActivationCache.open(directory)
