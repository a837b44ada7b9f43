"""Make the contents of any block of an activation cache: sample frames, read the network, join the labels.

When to use: `collect.py` does, once per process. Everything that a block depends on is in the config; the
maker only keeps what is dear to make again, the networks and the games.
"""

import hashlib
import json
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from torch import nn

from procscope.activations.actors import Acting, Actor, NetworkActor, resolve_actor
from procscope.activations.cache_config import BLOCK_FRAMES, LARGEST_BLOCK_BYTES, CacheConfig
from procscope.activations.cache_format import ArraySpec, CacheSpec
from procscope.activations.cache_writer import BlockContents
from procscope.activations.hooks import HookedModules
from procscope.activations.memory import Reader
from procscope.activations.own_look import OwnLook
from procscope.activations.pairs import PairSampler, takes_pairs
from procscope.activations.sampling import Levels, RolloutSampler, SampledBlock, Sampler, StillSampler
from procscope.envs.engine import EngineOptions
from procscope.envs.frames import FRAME_SIZE
from procscope.envs.state.settings import LOOKS
from procscope.envs.variants import resolve_variants
from procscope.workbench.checkpoints import checkpoint_path, load_network, read_checkpoint, weights_hash
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
            actions; pairs for a network that takes single frames, or the other way round.
    """

    def __init__(self, config: CacheConfig, engine_threads: int = 0) -> None:
        self.config = config
        self.network, self._model = _network(config.model, config.device)
        _require_fitting_frames(self.network, config.sample)
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
        probe = self.reader.single_frames(np.zeros((1, *self._frame_shape), np.uint8))
        if self._acting.is_read and isinstance(self._acting.actor, NetworkActor):
            self._acting.actor.choose(probe.logits, np.random.default_rng(0))
        arrays = {
            f"activations/{name}": ArraySpec(array.shape[1:], array.dtype.name)
            for name, array in probe.activations.items()
        }
        if config.keep_frames:
            arrays["frames"] = ArraySpec(self._frame_shape, "uint8")
        n_frames = len(config.levels) or config.n_frames
        bytes_per_frame = sum(array.bytes_per_frame for array in arrays.values())
        return CacheSpec(n_frames, self._block_frames(n_frames, bytes_per_frame), arrays, self._source())

    def close(self) -> None:
        """Free the games."""
        if "_sampler" in self.__dict__:
            self._sampler.close()

    @property
    def _frame_shape(self) -> tuple[int, int, int]:
        return (FRAME_SIZE, FRAME_SIZE, 6 if self.config.sample == "pairs" else 3)

    @cached_property
    def _sampler(self) -> Sampler:
        config, block_frames = self.config, self.spec.block_frames
        if config.sample == "pairs":
            return PairSampler(
                self._levels, self._acting, config.seed, config.num_envs, config.keep_unrewarded
            )
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
            assert self.network is not None
            weights = self._model["weights_hash"]
            described = {"name": "network", "weights_hash": weights, "greedy": config.greedy}
            actor = NetworkActor(self.network, weights, config.greedy)
        else:
            actor, described = resolve_actor(config.actor, config.greedy, config.device)
            if isinstance(actor, NetworkActor):
                actor, described = self._in_own_look(actor, described)
        is_read = described.get("weights_hash", "another") == self._model.get("weights_hash")
        return Acting(actor, config.noise, is_read), described | {"noise": config.noise}

    def _in_own_look(self, actor: NetworkActor, described: dict[str, Any]) -> tuple[Actor, dict[str, Any]]:
        """An actor that was trained on another look of this game sees its own."""
        config = self.config
        header = read_checkpoint(checkpoint_path(str(config.actor))).header
        given = dict(config.engine_options)
        names = [name for name in LOOKS if name in given or name in header.engine_options]
        defaults = EngineOptions(config.game)
        own, shown = (
            {name: look.get(name, getattr(defaults, name)) for name in names}
            for look in (header.engine_options, given)
        )
        if own == shown or header.game != config.game:
            return actor, described
        return OwnLook(actor, config.game, config.mode, own), described | {"sees": own}

    def _source(self) -> dict[str, Any]:
        """Everything that the contents depend on, as JSON data without paths and times."""
        config, levels = self.config, self._levels
        sampling: dict[str, Any] = {"kind": config.sample}
        if config.sample == "rollouts":
            sampling |= {"num_envs": config.num_envs}
        elif config.sample == "pairs":
            sampling |= {"num_envs": config.num_envs, "keep_unrewarded": config.keep_unrewarded}
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
    """The labels of a block as they are stored: one row per frame, logits and rewards as lists of one length."""
    columns: dict[str, Any] = dict(sampled.labels)
    n = len(sampled.frames)
    columns["variant"] = pa.DictionaryArray.from_arrays(np.zeros(n, np.int32), pa.array([variant]))
    said = sampled.captured
    if said.logits is not None:
        columns["logits"] = _lists(said.logits)
    if said.value is not None:
        columns["value"] = said.value
    if said.rewards is not None:
        columns["predicted_rewards"] = _lists(said.rewards)
        columns["predicted_reward"] = said.rewards[np.arange(n), sampled.labels["action"]]
    first = [name for name in ("episode", "step", "level_seed", "variant") if name in columns]
    table = pa.table({name: columns[name] for name in [*first, *(c for c in columns if c not in first)]})
    return table.replace_schema_metadata({"counts": json.dumps(sampled.counts)}) if sampled.counts else table


def _lists(rows: np.ndarray) -> pa.FixedSizeListArray:
    return pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1)), rows.shape[1])


def _require_fitting_frames(network: nn.Module | None, sample: str) -> None:
    if network is None or takes_pairs(network) == (sample == "pairs"):
        return
    wants, mend = ("pairs of frames", "pairs") if takes_pairs(network) else ("single frames", "rollouts")
    raise ValueError(
        f"{type(network).__name__} takes {wants}; given sample={sample!r}. Take sample={mend!r} (--sample {mend})"
    )


def _network(model: str | nn.Module | None, device: str) -> tuple[nn.Module | None, dict[str, Any]]:
    """The network and what to record about it: JSON data without paths."""
    if model is None:
        return None, {}
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
