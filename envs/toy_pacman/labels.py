"""Ground truth of toy Ms. Pac-Man's frames: where all things are and how far.

Columns, one entry per game; cell (0, 0) is the bottom-left one, distances are steps of the shortest way:

    agent_x, agent_y, ghost_x, ghost_y
    power_x, power_y           -1 once the power pellet is eaten
    ghost_distance_cells
    power_distance_cells       -1 once it is eaten
    pellet_distance_cells      to the nearest pellet, -1 where there is none
    ghost_scared               bool
    scared_steps               for which it will still be so; 0 if it is not
    pellets_left               the power pellet not counted

Cost: 0.3 us a game.
"""

import numpy as np

from procscope.envs.games import Columns
from procscope.envs.toy_pacman.board import CELLS, DISTANCE
from procscope.envs.toy_pacman.rules import Games

_FAR = 10_000


def labels_of(games: Games) -> Columns:
    """The labels of the games' present frames."""
    agents, ghosts, power = CELLS[games.agents], CELLS[games.ghosts], CELLS[games.power]
    has_power = games.power >= 0
    nearest = np.where(games.pellets, DISTANCE[games.agents], _FAR).min(axis=1)
    whole = {
        "agent_x": agents[:, 0],
        "agent_y": agents[:, 1],
        "ghost_x": ghosts[:, 0],
        "ghost_y": ghosts[:, 1],
        "power_x": np.where(has_power, power[:, 0], -1),
        "power_y": np.where(has_power, power[:, 1], -1),
        "ghost_distance_cells": DISTANCE[games.agents, games.ghosts],
        "power_distance_cells": np.where(has_power, DISTANCE[games.agents, games.power], -1),
        "pellet_distance_cells": np.where(nearest < _FAR, nearest, -1),
        "scared_steps": games.scared_steps,
        "pellets_left": games.pellets.sum(axis=1),
    }
    columns: Columns = {name: values.astype(np.int32) for name, values in whole.items()}
    return columns | {"ghost_scared": games.scared_steps > 0}
