"""Make the contents of any block of an activation cache: sample frames, read the network, join the labels.

When to use: `collect.py` does, once per process. Everything that a block depends on is in the config; the
maker only keeps what is dear to make again, the networks and the games.
"""

import hashlib
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from torch import nn

from procscope.activations.actors import Acting, NetworkActor, resolve_actor
from procscope.activations.cache_config import BLOCK_FRAMES, LARGEST_BLOCK_BYTES, CacheConfig
from procscope.activations.cache_format import ArraySpec, CacheSpec
from procscope.activations.cache_writer import BlockContents
from procscope.activations.hooks import HookedModules
from procscope.activations.memory import Reader
from procscope.activations.sampling import Levels, RolloutSampler, SampledBlock, Sampler, StillSampler
from procscope.envs.engine import FRAME_SIZE
from procscope.envs.variants import resolve_variants
from procscope.workbench.checkpoints import load_network, weights_hash
from procscope.workbench.devices import choose_device
from procscope.workbench.provenance import dependency_versions

_VERSIONS = ("procscope", "torch", "numpy", "procgen-mirror", "zarr", "pyarrow")
"""Of the libraries whose version may change a byte."""


class BlockMaker:
    """Makes blocks of the cache that a config describes.

    Args:
        config: of the cache.
        engine_threads: threads that step games, 0 for one per core; no byte depends on it.

    Raises:
        ValueError: an unknown model, hook point, actor or variant; an actor without logits of the raw
            actions.
    """

    def __init__(self, config: CacheConfig, engine_threads: int = 0) -> None:
        self.config = config
        self.network, self._model = _network(config.model, config.device)
        variants = resolve_variants(config.variants, config.game)
        self._variant_names = [variant.name for variant in variants]
        self._acting, self._actor = self._resolve_actor()
        self.reader = Reader(self.network, config.hook_points, config.batch_size, config.dtype)
        self._levels = Levels(
            config.game,
            config.mode,
            variants,
            range(*config.level_seeds),
            config.variant_seed,
            config.engine_options,
            engine_threads,
        )

    def make(self, block: int) -> BlockContents:
        """The contents of a block: its frames, activations and labels."""
        frames = self.spec.block_slice(block)
        sampled = self._sampler.sample(block, frames.stop - frames.start, self.reader)
        arrays = {f"activations/{name}": array for name, array in sampled.captured.activations.items()}
        if self.config.keep_frames:
            arrays["frames"] = sampled.frames
        return BlockContents(arrays, label_table(sampled, " ".join(self._variant_names)))

    @cached_property
    def spec(self) -> CacheSpec:
        """What the cache holds; found by running the network on one black frame."""
        config = self.config
        probe = self.reader.single_frames(np.zeros((1, FRAME_SIZE, FRAME_SIZE, 3), np.uint8))
        if self._acting.is_read and isinstance(self._acting.actor, NetworkActor):
            self._acting.actor.choose(probe.logits, np.random.default_rng(0))
        arrays = {
            f"activations/{name}": ArraySpec(array.shape[1:], array.dtype.name)
            for name, array in probe.activations.items()
        }
        if config.keep_frames:
            arrays["frames"] = ArraySpec((FRAME_SIZE, FRAME_SIZE, 3), "uint8")
        n_frames = len(config.levels) or config.n_frames
        bytes_per_frame = sum(array.bytes_per_frame for array in arrays.values())
        return CacheSpec(n_frames, self._block_frames(n_frames, bytes_per_frame), arrays, self._source())

    def close(self) -> None:
        """Free the games."""
        if "_sampler" in self.__dict__:
            self._sampler.close()

    @cached_property
    def _sampler(self) -> Sampler:
        config, block_frames = self.config, self.spec.block_frames
        if config.sample == "rollouts":
            return RolloutSampler(self._levels, self._acting, config.seed, config.num_envs, block_frames)
        given = config.levels if config.sample == "levels" else None
        return StillSampler(self._levels, self._acting, config.seed, block_frames, config.placement, given)

    def _block_frames(self, n_frames: int, bytes_per_frame: int) -> int:
        config = self.config
        if config.block_frames is not None:
            return config.block_frames
        unit = config.num_envs if config.sample == "rollouts" else 1
        by_size = max(1, LARGEST_BLOCK_BYTES // max(1, bytes_per_frame))
        wanted = min(BLOCK_FRAMES, by_size, n_frames)
        return unit * max(1, -(-wanted // unit))

    def _resolve_actor(self) -> tuple[Acting, dict[str, Any]]:
        config = self.config
        if config.actor is None:
            weights = self._model["weights_hash"]
            described = {"name": "network", "weights_hash": weights, "greedy": config.greedy}
            actor = NetworkActor(self.network, weights, config.greedy)
        else:
            actor, described = resolve_actor(config.actor, config.greedy, config.device)
        is_read = described.get("weights_hash") == self._model["weights_hash"]
        return Acting(actor, config.noise, is_read), described | {"noise": config.noise}

    def _source(self) -> dict[str, Any]:
        """Everything that the contents depend on, as JSON data without paths and times."""
        config, levels = self.config, self._levels
        sampling: dict[str, Any] = {"kind": config.sample}
        if config.sample == "rollouts":
            sampling |= {"num_envs": config.num_envs}
        elif config.sample == "static":
            sampling |= {"placement": config.placement}
        else:
            sampling |= {"levels_sha256": _levels_hash(config.levels)}
        versions = dependency_versions()
        return {
            "model": self._model,
            "actor": self._actor,
            "sampling": sampling,
            "environment": {
                "game": config.game,
                "mode": config.mode,
                "variants": self._variant_names,
                "level_seeds": [levels.level_seeds.start, levels.level_seeds.stop],
                "variant_seed": config.variant_seed,
                "engine_options": dict(config.engine_options),
            },
            "seed": config.seed,
            "batch_size": config.batch_size,
            "device": choose_device(config.device).type,
            "versions": {name: versions[name] for name in _VERSIONS if name in versions},
        }


def label_table(sampled: SampledBlock, variant: str) -> pa.Table:
    """The labels of a block as they are stored: one row per frame, logits as lists of one length."""
    columns: dict[str, Any] = dict(sampled.labels)
    n = len(sampled.frames)
    columns["variant"] = pa.DictionaryArray.from_arrays(np.zeros(n, np.int32), pa.array([variant]))
    logits, value = sampled.captured.logits, sampled.captured.value
    if logits is not None:
        columns["logits"] = pa.FixedSizeListArray.from_arrays(pa.array(logits.reshape(-1)), logits.shape[1])
    if value is not None:
        columns["value"] = value
    first = [name for name in ("episode", "step", "level_seed", "variant") if name in columns]
    return pa.table({name: columns[name] for name in [*first, *(c for c in columns if c not in first)]})


def _network(model: str | nn.Module, device: str) -> tuple[nn.Module, dict[str, Any]]:
    """The network and what to record about it: JSON data without paths."""
    if isinstance(model, str):
        loaded = load_network(model, device)
        header = loaded.header
        described = {"architecture": header.architecture, "options": dict(header.options)}
        return loaded.network, {"weights_hash": loaded.weights_hash} | described
    bare = model.model if isinstance(model, HookedModules) else model
    return model, {"weights_hash": weights_hash(bare.state_dict()), "architecture": type(bare).__name__}


def _levels_hash(levels: tuple[Any, ...]) -> str:
    digest = hashlib.sha256()
    for level in levels:
        digest.update(hashlib.sha256(level.to_state()).digest())
    return digest.hexdigest()
