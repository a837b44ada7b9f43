"""First states of levels, after variants: the levels of an evaluation or an experiment in one call.

The same seeds and variants give the same levels as `ProcgenVectorEnv` does, in any order and number, so that
everything that is measured on them can be compared level by level. Cost: 0.3 ms a level.
"""

from collections.abc import Sequence

import numpy as np

from procscope.envs.engine import Engine, scratch_engine
from procscope.envs.level_supply import LevelSupply, Variants


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
