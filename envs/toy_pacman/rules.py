"""The rules of toy Ms. Pac-Man, played in a batch of games at once.

The agent moves a cell a step (`procscope.envs.actions.Move`) and eats what is there: a pellet 10 points, the power
pellet 50. The ghost then moves four times in five, mostly the shortest way to the agent, else at random. After a power
pellet it is scared for 20 steps: it moves every other time, away from the agent, and is worth 200 points; eaten, it
begins again from its home. Else it ends the game where it meets the agent. When all is eaten the maze fills again. The
points are those of Ms. Pac-Man.

Cost: 1.5 us a step and game with 256 games, pictures included; no Python loop over games.

Axes: `game` games of the batch; `cell` free cells of the maze (`board.py`).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from procscope.envs.toy_pacman.board import (
    AFTER,
    AWAY,
    CORNERS,
    DISTANCE,
    GHOST_HOME,
    N_CELLS,
    N_NEIGHBOURS,
    NEIGHBOUR,
    TOWARDS,
    draw,
)

PELLET_POINTS, POWER_POINTS, GHOST_POINTS = 10.0, 50.0, 200.0
SCARED_STEPS = 20
CALMING_STEPS = 5
"""A scared ghost changes its colour for the last of those."""

GHOST_SPEED, SCARED_SPEED = 0.8, 0.5
"""Probability that the ghost moves in a step."""

CHASE = 0.75
"""Probability that a move of the ghost is one towards the agent."""

LEAST_START_DISTANCE = 5
"""Steps from the ghost's home to where the agent begins."""


class Moved(NamedTuple):
    """What a step came to."""

    points: Float[np.ndarray, " game"]
    caught: Bool[np.ndarray, " game"]
    """The ghost got the agent: the game is over."""


class Games:
    """A batch of games. Every draw is from `rng`, in an order that the batch as a whole decides."""

    def __init__(self, n: int, rng: np.random.Generator) -> None:
        """`begin` starts them."""
        self.rng = rng
        self.agents, self.ghosts, self.power = (np.zeros(n, np.int64) for _ in range(3))
        """Cells; of the power pellet, -1 once it is eaten."""
        self.scared_steps = np.zeros(n, np.int64)
        """Steps for which the ghost will still be scared."""
        self.pellets = np.zeros((n, N_CELLS), bool)

    def begin(self, games: Int[np.ndarray, " chosen"]) -> None:
        """Start these games."""
        starts = np.flatnonzero(DISTANCE[GHOST_HOME] >= LEAST_START_DISTANCE)
        self.agents[games] = self.rng.choice(starts, len(games))
        self.ghosts[games], self.scared_steps[games] = GHOST_HOME, 0
        self._fill(games)

    def move(self, moves: Int[np.ndarray, " game"]) -> Moved:
        """Play a step in every game. A game that is over must `begin` again before the next."""
        games = np.arange(len(self.agents))
        self.agents = AFTER[self.agents, moves]
        self.scared_steps = np.maximum(self.scared_steps - 1, 0)
        ate_pellet = self.pellets[games, self.agents]
        ate_power = self.power == self.agents
        self.pellets[games, self.agents] = False
        self.power[ate_power] = -1
        self.scared_steps[ate_power] = SCARED_STEPS
        points = PELLET_POINTS * ate_pellet + POWER_POINTS * ate_power
        met_points, caught = self._meet()
        self._move_ghosts(~caught)
        later_points, later_caught = self._meet()
        empty = np.flatnonzero(~self.pellets.any(axis=1) & (self.power < 0))
        self._fill(empty)
        return Moved(points + met_points + later_points, caught | later_caught)

    def frames(self) -> UInt8[np.ndarray, "game row col rgb"]:
        """Pictures of the games."""
        scared = self.scared_steps > 0
        return draw(
            self.pellets,
            self.power,
            self.agents,
            self.ghosts,
            scared,
            scared & (self.scared_steps <= CALMING_STEPS),
        )

    def save(self) -> dict[str, np.ndarray]:
        """The games as arrays, the generator's state apart."""
        return {name: getattr(self, name).copy() for name in _FIELDS}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go on from what `save` gave."""
        for name in _FIELDS:
            setattr(self, name, np.array(saved[name]))

    def _fill(self, games: Int[np.ndarray, " chosen"]) -> None:
        """Pellets everywhere but under the agent, and the power pellet in a corner where the agent is not."""
        self.pellets[games] = True
        drawn = self.rng.integers(len(CORNERS), size=len(games))
        corners = np.where(CORNERS[drawn] == self.agents[games], CORNERS[::-1][drawn], CORNERS[drawn])
        self.power[games] = corners
        self.pellets[games, corners] = False
        self.pellets[games, self.agents[games]] = False

    def _meet(self) -> tuple[Float[np.ndarray, " game"], Bool[np.ndarray, " game"]]:
        met = self.agents == self.ghosts
        ate_ghost = met & (self.scared_steps > 0)
        self.ghosts[ate_ghost], self.scared_steps[ate_ghost] = GHOST_HOME, 0
        return GHOST_POINTS * ate_ghost, met & ~ate_ghost

    def _move_ghosts(self, playing: Bool[np.ndarray, " game"]) -> None:
        chance = self.rng.random((3, len(playing)))
        scared = self.scared_steps > 0
        moves = playing & (chance[0] < np.where(scared, SCARED_SPEED, GHOST_SPEED))
        straying = NEIGHBOUR[self.ghosts, (chance[2] * N_NEIGHBOURS[self.ghosts]).astype(np.int64)]
        chasing = np.where(chance[1] < CHASE, TOWARDS[self.ghosts, self.agents], straying)
        to = np.where(scared, AWAY[self.ghosts, self.agents], chasing)
        self.ghosts = np.where(moves, to, self.ghosts)


_FIELDS = ("agents", "ghosts", "power", "scared_steps", "pellets")
