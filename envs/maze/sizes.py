"""Level seeds of mazes of one size: the engine draws sizes at random, so they are looked up.

Cost: 0.1 ms a level looked at; one in seven mazes of mode easy has a given size.
"""

import numpy as np

from procscope.envs.engine import scratch_engine
from procscope.envs.maze.labels import maze_sizes
from procscope.envs.state.batch import read_batch


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
