"""Caches with known sparse features in them, for tests of autoencoders."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from procscope.activations.cache import ActivationCache
from procscope.activations.cache_format import ArraySpec, CacheSpec
from procscope.activations.cache_writer import BlockContents, open_for_writing, write_block


def write_cache(
    directory: Path, arrays: dict[str, np.ndarray], labels: dict[str, np.ndarray], block: int = 500
) -> ActivationCache:
    """A cache of given activations (hook point to [frame, ...]) and labels."""
    n = len(next(iter(arrays.values())))
    spec = CacheSpec(
        n,
        block,
        {
            f"activations/{name}": ArraySpec(array.shape[1:], str(array.dtype))
            for name, array in arrays.items()
        },
        {"model": {"weights_hash": "x" * 64, "name": "made-up"}},
    )
    with open_for_writing(directory, spec) as writer:
        for number in range(spec.n_blocks):
            part = spec.block_slice(number)
            contents = BlockContents(
                {f"activations/{name}": array[part] for name, array in arrays.items()},
                pa.table({name: values[part] for name, values in labels.items()}),
            )
            writer.commit(number, write_block(directory, spec, number, contents))
    return ActivationCache.open(directory)


def sparse_features(
    n: int, inputs: int, features: int, active: float, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Samples float16 [sample, input] with a mean and a scale, unit directions, and coefficients of each sample."""
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(features, inputs))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    z = (rng.random((n, features)) < active / features) * rng.uniform(0.5, 1.5, (n, features))
    return (3 * z @ directions + np.linspace(-2, 2, inputs)).astype(np.float16), directions, z


def episode_labels(n: int, length: int = 20) -> dict[str, np.ndarray]:
    """Episodes of one length, each of a level of its own."""
    episode = np.arange(n) // length
    return {"episode": episode, "step": np.arange(n) % length, "level_seed": episode + 1_000_000_000}
