"""How much of everything `maze-channels-wishes` does at each scale, and on which mazes."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from procscope.envs.actions import Move
from procscope.envs.engine import TEST_SEEDS
from procscope.envs.maze import MazeLevel
from procscope.envs.maze.lattice_free import lattice_free_maze
from procscope.envs.maze.sizes import maze_seeds_of_size
from procscope.envs.maze.variants import cheese_top_right, mouse_where_possible
from procscope.envs.starting_states import starting_states


@dataclass(frozen=True)
class Config:
    """Settings of `maze-channels-wishes`; the defaults are those of the small scale."""

    models: tuple[str, ...] = ("maze-easy-topright", "maze-easy-anywhere")
    """Networks, by name or path."""
    hook_point: str = "conv_out"
    """The study's layer: the last convolutional one, after its ReLU."""
    share: float = 0.125
    """Of the layer's channels that are taken away at once: 4 of 32, and the study's 16 of 128."""
    size: int = 15
    """Width in cells of the mazes that are shown; the study's are 25."""
    base_mazes: int = 50
    """Mazes of 7 x 7 cells of which pairs are made to find channels."""
    squares: int = 1000
    """Random squares, one a maze, on which readings and the channels' variation are measured."""
    decision_mazes: int = 2000
    """Mazes that are searched for decision squares, in each distribution."""
    corridor_mazes: int = 300
    """Mazes in which a cell of each kind is looked at."""
    field_mazes: int = 40
    """Mazes whose vector field is made."""
    played_size: int = 9
    """Width in cells of the mazes that are played."""
    played_mazes: int = 300
    """Mazes that are played, the cheese anywhere."""
    max_steps: int = 60
    """Steps after which an episode is cut short: twice the way to the farthest cells."""

    def __post_init__(self) -> None:
        if not 0 < self.share <= 0.5:
            raise ValueError(
                f"expected a share of the channels above 0 and up to 0.5, so that as many others are left as controls; "
                f"given {self.share}"
            )


SCALES = {
    "smoke": replace(
        Config(),
        base_mazes=4,
        squares=40,
        decision_mazes=80,
        corridor_mazes=12,
        field_mazes=3,
        played_mazes=12,
        max_steps=40,
    ),
    "small": Config(),
    "long": replace(
        Config(),
        base_mazes=200,
        squares=4000,
        decision_mazes=20_000,
        corridor_mazes=2000,
        field_mazes=200,
        played_mazes=2000,
    ),
}


class Mazes(NamedTuple):
    """Level seeds of the engine's mazes, each used for one thing, and levels made here."""

    squares: list[int]
    calibration: list[int]
    decisions: list[int]
    corridors: list[MazeLevel]
    fields: list[MazeLevel]
    played: list[MazeLevel]


def draw_mazes(config: Config, seed: int) -> Mazes:
    """Mazes of the engine from the range of test seeds; the same for every network of a run."""
    first = int(np.random.default_rng(seed).integers(TEST_SEEDS.start, TEST_SEEDS.stop - 10**7))
    counts = np.array([config.squares, config.squares, config.decision_mazes])
    ends = np.cumsum([*counts, config.corridor_mazes, config.field_mazes]).tolist()
    seeds = maze_seeds_of_size(config.size, ends[-1], first_seed=first)
    played = maze_seeds_of_size(config.played_size, config.played_mazes, first_seed=first)
    return Mazes(
        seeds[: ends[0]],
        seeds[ends[0] : ends[1]],
        seeds[ends[1] : ends[2]],
        _with_cheese_anywhere(seeds[ends[2] : ends[3]]),
        _with_cheese_anywhere(seeds[ends[3] :]),
        _with_cheese_anywhere(played),
    )


def squares_of_levels(
    size: int, count: int, rng: np.random.Generator, direction: Move, *, lattice: bool
) -> list[MazeLevel]:
    """Random mazes with the lattice or without, cheese in the top-right 5x5, mouse where the direction is possible."""
    levels = []
    while len(levels) < count:
        level = MazeLevel.generate(size, rng) if lattice else lattice_free_maze(size, rng)
        levels.append(mouse_where_possible([direction])(cheese_top_right(level, rng), rng))
    return levels


def _with_cheese_anywhere(seeds: list[int]) -> list[MazeLevel]:
    states = starting_states("maze", seeds, variants=["cheese-anywhere"])
    return [MazeLevel.from_state(state) for state in states]
