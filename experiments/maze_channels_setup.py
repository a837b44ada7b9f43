"""How much of everything `maze-channels` does at each scale, and on which mazes."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from procscope.envs.engine import TEST_SEEDS
from procscope.envs.maze.sizes import maze_seeds_of_size
from procscope.interventions.paired_play import PlayedMazes


@dataclass(frozen=True)
class Config:
    """Settings of `maze-channels`; the defaults are those of the small scale."""

    models: tuple[str, ...] = ("maze-easy-topright", "maze-easy-corner", "maze-easy-anywhere")
    """Networks, by name or path."""
    hook_point: str = "conv_out"
    """The study's layer: the last convolutional one, after its ReLU."""
    size: int = 15
    """Width in cells of the mazes that are shown; the study's are 25."""
    base_mazes: int = 50
    """Mazes of 7 x 7 cells of which pairs are made to find channels; as many others are there to measure them."""
    squares: int = 1000
    """Random squares, one a maze, for each distribution and direction; as many others set the threshold."""
    decision_mazes: int = 24_000
    """Mazes that are searched for decision squares, in each distribution; in some 4% (UP) and 1% (RIGHT) of those in
    distribution the channel is high there, and the claims ask for 200."""
    played_size: int = 9
    """Width in cells of the mazes that are played; the study's are 15."""
    played_mazes: int = 400
    """Mazes played in every arm; the study's are 1,000."""
    max_steps: int = 256
    """Steps after which an episode is cut short; the study's number."""
    controls: int = 3
    """Control channels of each kind, random and of like norm, for each channel studied."""
    workers: int = 2
    """Processes that play."""


SCALES = {
    "smoke": Config(
        models=("maze-easy-topright", "maze-easy-anywhere"),
        base_mazes=4,
        squares=40,
        decision_mazes=80,
        played_mazes=8,
        max_steps=64,
        controls=1,
        workers=1,
    ),
    "small": Config(),
    "long": replace(
        Config(), base_mazes=200, squares=2000, decision_mazes=60_000, played_mazes=1000, controls=5
    ),
    "paper": replace(
        Config(),
        base_mazes=200,
        squares=2000,
        decision_mazes=60_000,
        played_size=15,
        played_mazes=1000,
        controls=5,
    ),
}
"""At the paper's scale, 1,000 mazes of size 15 are played in every arm; 25 x 25 awaits a network of that size."""


_AT_ONCE = 500
"""Mazes made at once: each takes some 20 kB, and seven are made for one of the right size."""


class Mazes(NamedTuple):
    """Level seeds of the engine's mazes that are shown, each used for one thing, and the mazes that are played."""

    squares: list[int]
    calibration: list[int]
    decisions: list[int]
    played: PlayedMazes


def draw_mazes(config: Config, seed: int) -> Mazes:
    """Mazes of the engine from the range of test seeds; the same for every network of a run."""
    first = int(np.random.default_rng(seed).integers(TEST_SEEDS.start, TEST_SEEDS.stop - 10**7))
    n = config.squares
    seeds: list[int] = []
    for needed in range(2 * n + config.decision_mazes, 0, -_AT_ONCE):
        start = seeds[-1] + 1 if seeds else first
        seeds += maze_seeds_of_size(config.size, min(needed, _AT_ONCE), first_seed=start)
    played = PlayedMazes(config.played_size, config.played_mazes, first, max_steps=config.max_steps)
    return Mazes(seeds[:n], seeds[n : 2 * n], seeds[2 * n :], played)
