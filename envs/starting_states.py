"""First states of levels, after variants: the levels of an evaluation or an experiment in one call.

The same seeds and variants give the same levels as `ProcgenVectorEnv` does, in any order and number, so that
everything that is measured on them can be compared level by level. Cost: 0.3 ms a level.
"""

from collections.abc import Sequence

import numpy as np

from procscope.envs.engine import Engine, scratch_engine
from procscope.envs.labels_maze import maze_sizes
from procscope.envs.level_supply import LevelSupply, Variants
from procscope.envs.state_batch import read_batch


def starting_states(
    game: str,
    level_seeds: Sequence[int],
    *,
    mode: str = "easy",
    variants: Variants = (),
    variant_seed: int = 0,
    engine: Engine | None = None,
) -> list[bytes]:
    """First states of the levels with these seeds, in order, changed by the variants.

    Args:
        engine: made with the options to draw with (its games are used as scratch); a shared one by default.

    Raises ValueError for an unknown game, mode or variant, or a seed out of range.
    """
    engine = scratch_engine(game, mode) if engine is None else engine
    states = engine.levels([int(seed) for seed in level_seeds])
    supply = LevelSupply(game, variants, variant_seed=variant_seed)
    if not supply.is_active or not states:
        return states
    return supply.next_levels(states, np.asarray(level_seeds, dtype=np.int64)).states


def maze_seeds_of_size(
    size: int, n: int, *, first_seed: int, mode: str = "easy", smallest: bool = False
) -> list[int]:
    """The first `n` level seeds from `first_seed` on whose maze has this size (or at least it, with `smallest`).

    Mazes of the engine have odd sizes from 3 to the world's, all equally likely. Raises ValueError for a size that
    the mode has not.
    """
    world = int(read_batch(scratch_engine("maze", mode).levels([0])).common_size()[0])
    if size % 2 == 0 or not 3 <= size <= world:
        raise ValueError(f"mazes of mode {mode} have odd sizes from 3 to {world}; given: {size}")
    found: list[int] = []
    start = first_seed
    while len(found) < n:
        seeds = np.arange(start, start + min(512, max(64, 4 * (n - len(found)))))
        sizes = maze_sizes(read_batch(scratch_engine("maze", mode).levels(seeds.tolist())))
        found += seeds[(sizes >= size) if smallest else (sizes == size)].tolist()
        start = int(seeds[-1]) + 1
    return found[:n]
