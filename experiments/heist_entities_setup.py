"""How much of everything `heist-entities` does at each scale, and on which levels."""

from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple

import numpy as np

from procscope.envs.engine import TEST_SEEDS
from procscope.envs.heist import HeistLevel
from procscope.envs.heist.pairs import CornerPair, Stages, corner_pairs, recoloured, stages_of
from procscope.envs.level_frames import LevelFrames, frames_from_seeds
from procscope.envs.maze import MazeLevel
from procscope.envs.starting_states import starting_states

HALF = "the first half of all levels chooses units, the second half judges them"


@dataclass(frozen=True)
class Config:
    """Settings of `heist-entities`; the defaults are those of the small scale."""

    models: tuple[str, ...] = ("heist-easy-impala",)
    """Heist networks, by name or path."""
    maze_models: tuple[str, ...] = ("maze-easy-topright",)
    """Maze networks whose cheese is tracked beside, by name or path; none leaves the comparison out."""
    hook_points: tuple[str, ...] = ()
    """Where maps are read; by default one for each size of map and the last maps."""
    saes: tuple[str, ...] = ()
    """Files of SAEs: their latents take the place of the channels of the hook point that they were trained on."""
    untrained: int = 3
    """Networks of the same kind with initial weights of their own, for comparison."""
    rooms: int = 8
    """Open rooms, of which only the look differs."""
    mazes: int = 24
    """Mazes of the engine with three keys and locks; as many with a cheese."""
    places: int = 16
    """Cells that each thing is moved to in a maze."""
    room_agents: int = 12
    """Cells of the agent in a room."""
    maze_agents: int = 6
    """Cells of the agent in a maze."""
    stages: int = 200
    """Levels with three keys, at two stages of their plan: does a unit say which key comes next?"""
    corners: int = 60
    """Base mazes with the next key round a corner, eight levels each."""
    readout_levels: int = 1000
    """Levels of the engine, the agent midway, on which direction channels are judged."""
    workers: int = 2
    """Processes."""

    def __post_init__(self) -> None:
        if min(self.rooms, self.mazes, self.stages) < 4 or self.untrained < 1 or self.corners < 2:
            raise ValueError(
                "expected at least four rooms, mazes and levels with stages (half of them choose, half judge), "
                f"two base mazes with corners and one untrained network; given {self.rooms}, {self.mazes}, "
                f"{self.stages}, {self.corners}, {self.untrained}"
            )


SCALES = {
    "smoke": replace(
        Config(),
        untrained=1,
        rooms=4,
        mazes=4,
        places=6,
        room_agents=2,
        maze_agents=2,
        stages=12,
        corners=6,
        readout_levels=100,
        workers=1,
    ),
    "small": Config(),
    "long": replace(Config(), untrained=8, rooms=20, mazes=200, room_agents=24, stages=1000, corners=300),
}


class Levels(NamedTuple):
    """All levels of a run."""

    rooms: list[HeistLevel]
    mazes: list[HeistLevel]
    cheese: list[MazeLevel]
    stages: list[Stages]
    recoloured: list[Stages]
    """The same levels with their colours exchanged at random: there, the order of colours is not that of the plan."""
    corners: list[tuple[CornerPair, ...]]
    midway: LevelFrames


@cache
def draw_levels(config: Config, seed: int) -> Levels:
    """Levels of the engine from the range of test seeds; rooms and corners are drawn by the run's seed."""
    rng = np.random.default_rng((seed, 1))
    first = int(rng.integers(TEST_SEEDS.start, TEST_SEEDS.stop - 10**7))
    rooms = [HeistLevel.generate(9, 3, rng) for _ in range(config.rooms)]
    corners = [corner_pairs(rng) for _ in range(config.corners)]
    with_three = _with_three_keys(first, config.mazes + config.stages)
    cheese = [
        MazeLevel.from_state(state)
        for state in starting_states("maze", range(first, first + config.mazes), variants=["cheese-anywhere"])
    ]
    after = first + 10**6
    midway = frames_from_seeds("heist", range(after, after + config.readout_levels), ["midway"])
    stages = [stages_of(level) for level in with_three[config.mazes :]]
    other_colours = [
        stages_of(recoloured(level, rng.permutation(3).tolist())) for level in with_three[config.mazes :]
    ]
    return Levels(rooms, with_three[: config.mazes], cheese, stages, other_colours, corners, midway)


def _with_three_keys(first_seed: int, count: int) -> list[HeistLevel]:
    """Levels of the variant keys:3 whose first two keys are taken in turn."""
    found: list[HeistLevel] = []
    while len(found) < count:
        seeds = range(first_seed, first_seed + 2 * (count - len(found)) + 8)
        first_seed = seeds.stop
        for state in starting_states("heist", seeds, variants=["keys:3"]):
            level = HeistLevel.from_state(state)
            if _has_stages(level) and len(level.empty_cells()) >= 8:
                found.append(level)
    return found[:count]


def _has_stages(level: HeistLevel) -> bool:
    legs = level.plan().legs
    return len(level.keys) == 3 and sum(leg.kind == "key" for leg in legs) == 3 and legs[1].kind == "lock"
