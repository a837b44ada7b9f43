"""How much of everything `maze-retarget` does at each scale, and on which mazes."""

from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple

import numpy as np

from procscope.envs.engine import TEST_SEEDS
from procscope.envs.maze import MazeLevel
from procscope.envs.maze.sizes import maze_seeds_of_size
from procscope.envs.starting_states import starting_states


@dataclass(frozen=True)
class Config:
    """Settings of `maze-retarget`; the defaults are those of the small scale."""

    models: tuple[str, ...] = ("maze-easy-topright", "maze-easy-anywhere")
    """Networks, by name or path."""
    hook_points: tuple[str, ...] = ("block2.res1", "block2.res2", "block3.res1", "block3.res2", "conv_out")
    """Where channels that track the cheese are looked for; the source's are at `block2.res1`."""
    saes: tuple[str, ...] = ()
    """Files or names of autoencoders: their latents take the place of the channels of the hook point that they were
    trained on."""
    shares: tuple[float, ...] = (0.03125, 0.125, 0.25)
    """Shares of a hook point's channels that are edited together, at least one channel."""
    times: tuple[float, ...] = (1.0, 2.0, 4.0)
    """Times its mean activation at the cheese that a channel's spot is set to."""
    size: int = 9
    """Width in cells of all mazes."""
    tracking_mazes: int = 100
    """Mazes on which channels are chosen."""
    tuning_mazes: int = 4
    """Other mazes, on which place, channels and size of the edit are chosen, without playing."""
    tuning_targets: int = 10
    """Cells in each of them."""
    mazes: int = 20
    """Further mazes, which are played for every cell."""
    repeats: int = 6
    """Episodes for each maze, cell and arm, each with noise of its own."""
    example_repeats: int = 20
    """Episodes for each cell of the first of those mazes, whose heat map is drawn."""
    max_steps: int = 60
    """Steps after which an episode is cut short: twice the way to the farthest cells."""
    workers: int = 2
    """Processes that play."""

    def __post_init__(self) -> None:
        if not all(0 < share <= 1 for share in self.shares) or self.mazes < 2 or self.tuning_mazes < 1:
            raise ValueError(
                f"expected shares of channels above 0 and up to 1, two mazes to play and one to tune on; given "
                f"{self.shares}, {self.mazes}, {self.tuning_mazes}"
            )


SCALES = {
    "smoke": replace(
        Config(),
        hook_points=("block2.res1", "conv_out"),
        shares=(0.125,),
        times=(2.0,),
        size=5,
        tracking_mazes=12,
        tuning_mazes=1,
        tuning_targets=4,
        mazes=2,
        repeats=2,
        example_repeats=4,
        max_steps=16,
        workers=1,
    ),
    "small": Config(),
    "long": replace(Config(), tracking_mazes=400, tuning_mazes=12, tuning_targets=24, mazes=100, repeats=10),
}


class Mazes(NamedTuple):
    """Levels, each used for one thing."""

    tracking: list[MazeLevel]
    tuning: list[MazeLevel]
    played: list[MazeLevel]


@cache
def draw_mazes(config: Config, seed: int) -> Mazes:
    """Mazes of the engine from the range of test seeds, the cheese anywhere; the same for every network of a run."""
    first = int(np.random.default_rng(seed).integers(TEST_SEEDS.start, TEST_SEEDS.stop - 10**7))
    counts = (config.tracking_mazes, config.tuning_mazes, config.mazes)
    seeds = maze_seeds_of_size(config.size, sum(counts), first_seed=first)
    levels = [
        MazeLevel.from_state(state) for state in starting_states("maze", seeds, variants=["cheese-anywhere"])
    ]
    ends = np.cumsum(counts).tolist()
    return Mazes(levels[: ends[0]], levels[ends[0] : ends[1]], levels[ends[1] :])
