"""Where an atlas's cache and units come from, if the user names only a network and a hook point.

When to use: `procscope visualize` does.

Cost: building a cache takes some hundreds of frames a second.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from procscope.activations.cache import ActivationCache
from procscope.activations.cache_config import CacheConfig
from procscope.activations.collect import build_cache
from procscope.activations.hooks import HookedNetwork, select_points
from procscope.activations.pairs import takes_pairs
from procscope.visualization.atlas.settings import CENTRE_PATCH, DEFAULT_METHODS
from procscope.visualization.units import Channels, Directions, Encoder, Latents, Units
from procscope.workbench.checkpoints import LoadedModel

LATE = ("fc", "fc2", "pooled")
"""Layers without maps that the forced choice reads."""


def cache_for(
    model: LoadedModel,
    hook_point: str,
    n_frames: int,
    seed: int,
    directory: Path,
    *,
    actor: str | None = None,
    say: Callable[[str], None] | None = None,
) -> ActivationCache:
    """A cache of play with its frames, built or gone on with: a policy's own, or transitions for a reward network.

    Args:
        actor: who plays: expert, random, a model's name or path; a policy plays itself without it. Transitions are
            played and thinned as those that the reward network was trained on, where it says so.

    Raises ValueError: an unknown hook point; a reward network without an actor; the directory holds another cache.
    """
    hook_points = [hook_point]
    if isinstance(model.network, HookedNetwork):
        points = model.network.hook_points()
        select_points(points, hook_point)
        # The forced choice reads a late layer.
        hook_points += [name for name in LATE if name in points and name != hook_point][-1:]
    header = model.header
    pairs = takes_pairs(model.network)
    if pairs and actor is None:
        raise ValueError(
            f"expected an actor for {model.name}, which predicts rewards and does not play. Give one, such as --actor "
            f"random or a policy of {header.game} (procscope zoo list), or a cache of transitions"
        )
    learned = header.training.get("transitions", {}) if pairs else {}
    config = CacheConfig(
        model=model.name,
        hook_points=tuple(hook_points),
        n_frames=n_frames,
        game=header.game,
        mode=header.mode,
        sample="pairs" if pairs else "rollouts",
        actor=actor,
        noise=learned.get("actor", {}).get("noise", 0.0),
        greedy=learned.get("actor", {}).get("greedy", False),
        keep_unrewarded=learned.get("sampling", {}).get("keep_unrewarded", 1.0),
        engine_options=tuple(header.engine_options.items()),
        seed=seed,
        keep_frames=True,
    )
    return build_cache(config, directory, command="procscope visualize", say=say)


def applicable_methods(
    model: LoadedModel, cache: ActivationCache, hook_point: str, methods: Sequence[str] = DEFAULT_METHODS
) -> tuple[str, ...]:
    """Those of the methods that can be used: no patches of a layer without maps, no levels of transitions."""
    left_out = set() if cache.activations(hook_point).ndim == 4 else {"patches", CENTRE_PATCH}
    left_out |= {"levels"} if takes_pairs(model.network) else set()
    return tuple(method for method in methods if method not in left_out)


def chosen_units(
    cache: ActivationCache, hook_point: str, channels: Sequence[int] = (), directions: Path | None = None
) -> Units:
    """Channels of a hook point, all if none are named, or the directions in a file.

    Raises ValueError: both are given, channels that there are not, a file without directions of this hook point.
    """
    shape = cache.activations(hook_point).shape[1:]
    if directions is None:
        chosen = tuple(channels) or tuple(range(shape[0]))
        if max(chosen) >= shape[0]:
            raise ValueError(
                f"expected channels of {hook_point!r} from 0 to {shape[0] - 1}, given {max(chosen)}"
            )
        return Channels(hook_point, chosen)
    if channels:
        raise ValueError("expected channels or a file of directions, given both")
    found = np.load(directions, allow_pickle=False)
    if found.ndim < 2 or found.shape[1:] not in (shape[:1], shape):
        raise ValueError(
            f"expected directions [unit, {shape[0]}] of {hook_point!r} in {directions}, given shape {found.shape}"
        )
    return Directions(hook_point, found, [f"direction {number}" for number in range(len(found))])


def chosen_latents(
    model: LoadedModel, hook_point: str, encoder: LoadedModel, chosen: Sequence[int] = ()
) -> Latents:
    """Latents of a sparse autoencoder of a network's hook point, all if none are named.

    Raises ValueError: no autoencoder, one of another network or hook point, latents that there are not.
    """
    if not isinstance(encoder.network, Encoder):
        raise ValueError(
            f"expected a sparse autoencoder; {encoder.name} is a network of the architecture "
            f"{encoder.header.architecture!r}. Train one: procscope sae train"
        )
    learned = encoder.header.training
    if (learned.get("model_hash"), learned.get("hook_point")) != (model.weights_hash, hook_point):
        raise ValueError(
            f"expected an autoencoder of {hook_point!r} of {model.name}, weights {model.weights_hash[:16]}; "
            f"{encoder.name} is of {learned.get('hook_point')!r}, weights {str(learned.get('model_hash'))[:16]}"
        )
    n_latents = int(encoder.network.n_latents)  # pyright: ignore[reportArgumentType, reportCallIssue]
    wanted = tuple(chosen) or tuple(range(n_latents))
    if max(wanted) >= n_latents:
        raise ValueError(f"expected latents of {encoder.name} from 0 to {n_latents - 1}, given {max(wanted)}")
    return Latents(hook_point, encoder.network, wanted)
