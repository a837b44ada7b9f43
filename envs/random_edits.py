"""Random edits that levels of any game can have: the proposals of a search over levels (`level_search.py`).

When: as part of `game(name).random_edits`, to which a game adds its own (`envs/<game>/random_edits.py`). An edit is a
function `(level, rng) -> level`; ValueError where a level cannot have it. All of them leave a level that plays and in
which the goal can be reached. Most leave one that the engine's generator, or play in one of its levels, could have come
to; where an edit may not, its docstring says so.
Cost: 0.05 to 0.3 ms a level; `played_on` up to 1 ms.

Axes: `y x` cells, y upwards.
"""

from typing import Any

import numpy as np
from jaxtyping import Bool

from procscope.envs.actions import N_ACTIONS
from procscope.envs.cells import Cell, cells_where, read_only
from procscope.envs.engine import scratch_engine
from procscope.envs.paths import distance_maps, path_down
from procscope.envs.state.rules import rules_of

MOST_STEPS = 8
"""Steps of play in one edit."""


def background_changed(level: Any, rng: np.random.Generator) -> Any:
    """Another of the game's backgrounds, shifted anew."""
    number, offset = int(rng.integers(rules_of(level.game).backgrounds)), float(rng.random())
    return level.with_background(number, offset)


def played_on(level: Any, rng: np.random.Generator) -> Any:
    """The level after 1 to `MOST_STEPS` steps of one random action. ValueError where that ends the episode."""
    engine = scratch_engine(level.game, level.mode, num_envs=1)
    engine.set_states([level.to_state()])
    action, steps = np.array([rng.integers(N_ACTIONS)]), int(rng.integers(1, MOST_STEPS + 1))
    for step in range(steps):
        engine.act(action)
        if engine.first[0]:
            raise ValueError(f"the episode ends {step + 1} steps from there; it must go on")
    return type(level).from_state(engine.get_states()[0])


def moved_link(
    walls: Bool[np.ndarray, "y x"], origin: Cell, taken: set[Cell], rng: np.random.Generator
) -> Bool[np.ndarray, "y x"]:
    """Walls of a maze with one shut link opened, and one of the loop that this makes shut: a spanning tree stays one.

    Args:
        origin: a room, by which all others are known: rooms are every other cell.
        taken: cells in which something is, that no wall may go to.

    ValueError where every link is open, or all of the loop is taken.
    """
    ys, xs = np.indices(walls.shape)
    odd_x, odd_y = (xs - origin[0]) % 2 == 1, (ys - origin[1]) % 2 == 1
    links = odd_x != odd_y
    inner = np.zeros_like(walls)
    rooms = np.argwhere(~walls & ~odd_x & ~odd_y)
    (low_y, low_x), (high_y, high_x) = rooms.min(axis=0), rooms.max(axis=0)
    inner[low_y : high_y + 1, low_x : high_x + 1] = True
    shut = cells_where(walls & links & inner)
    if not shut:
        raise ValueError("every link between two rooms of the maze is open already")
    x, y = shut[rng.integers(len(shut))]
    step_x, step_y = ((x - origin[0]) % 2, (y - origin[1]) % 2)
    here, there = (x - step_x, y - step_y), (x + step_x, y + step_y)
    way = path_down(distance_maps(~walls[None], np.array([there]))[0], here)
    loop = [cell for cell in way if links[cell[1], cell[0]] and cell not in taken]
    if not loop:
        raise ValueError(f"no link on the way from {here} to {there} can be shut: something is in each")
    shut_x, shut_y = loop[rng.integers(len(loop))]
    changed = walls.copy()
    changed[y, x], changed[shut_y, shut_x] = False, True
    return read_only(changed)
