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
from procscope.visualization.units import Channels, Directions, Units
from procscope.workbench.checkpoints import LoadedModel


def cache_for(
    model: LoadedModel,
    hook_point: str,
    n_frames: int,
    seed: int,
    directory: Path,
    *,
    say: Callable[[str], None] | None = None,
) -> ActivationCache:
    """A cache of the network's own play with its frames, built or gone on with.

    Raises ValueError: an unknown hook point; the directory holds another cache.
    """
    hook_points = [hook_point]
    if isinstance(model.network, HookedNetwork):
        points = model.network.hook_points()
        select_points(points, hook_point)
        # The forced choice reads a late layer.
        hook_points += [name for name in ("fc", "fc2") if name in points and name != hook_point][-1:]
    header = model.header
    config = CacheConfig(
        model=model.name,
        hook_points=tuple(hook_points),
        n_frames=n_frames,
        game=header.game,
        mode=header.mode,
        engine_options=tuple(header.engine_options.items()),
        seed=seed,
        keep_frames=True,
    )
    return build_cache(config, directory, command="procscope visualize", say=say)


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
