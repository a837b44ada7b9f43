"""What would be true if a probe's reading were: in which cell a thing would lie, and which move would lead there.

When to use: after a reading was changed by an intervention, to ask whether the network goes where the reading says. A
reading that was moved names a point of the picture; the thing is taken to lie in the nearest cell that the agent can
get to, and the claimed move is the first one of the shortest way there.

    cells = nearest_cells(free, agent, pixels)            # [frame, xy], -1 where the agent can go nowhere
    moves = first_moves(free, agent, cells)               # [frame], STAY where there is no way or no need of one

Cost: some milliseconds for 100 frames.

Axes: `frame` of levels that the picture shows as a whole; `y x` cells of the world, y upwards; `xy` (x, y); `rowcol` a
point of the 64 x 64 picture.
"""

import numpy as np
from jaxtyping import Bool, Float, Int, Real

from procscope.envs.actions import Move
from procscope.envs.frames import FRAME_SIZE
from procscope.envs.paths import best_moves, distance_maps


def cells_at(pixels: Real[np.ndarray, "frame rowcol"], world: int) -> Int[np.ndarray, "frame xy"]:
    """The cells that points of the picture lie in, of a world that it shows as a whole."""
    row, col = np.asarray(pixels, dtype=np.float64).T
    x, y = np.floor(col * world / FRAME_SIZE), world - 1 - np.floor(row * world / FRAME_SIZE)
    return np.clip(np.stack([x, y], axis=1), 0, world - 1).astype(np.int64)


def middles_of(cells: Int[np.ndarray, "frame xy"], world: int) -> Float[np.ndarray, "frame rowcol"]:
    """The points of the picture in the middle of cells."""
    unit = FRAME_SIZE / world
    return np.stack([(world - cells[:, 1] - 0.5) * unit, (cells[:, 0] + 0.5) * unit], axis=1)


def nearest_cells(
    free: Bool[np.ndarray, "frame y x"],
    agent: Int[np.ndarray, "frame xy"],
    pixels: Real[np.ndarray, "frame rowcol"],
) -> Int[np.ndarray, "frame xy"]:
    """Of the cells that each agent can get to, its own left out, the one whose middle is nearest to a point."""
    world = free.shape[1]
    reached = distance_maps(free, agent) > 0
    y, x = np.indices(free.shape[1:])
    middles = middles_of(np.stack([x.reshape(-1), y.reshape(-1)], axis=1), world)
    apart = ((np.asarray(pixels)[:, None] - middles) ** 2).sum(axis=2)
    best = np.where(reached.reshape(len(free), -1), apart, np.inf)
    place = best.argmin(axis=1)
    cells = np.stack([place % world, place // world], axis=1)
    return np.where(np.isfinite(best.min(axis=1))[:, None], cells, -1)


def first_moves(
    free: Bool[np.ndarray, "frame y x"],
    agent: Int[np.ndarray, "frame xy"],
    cells: Int[np.ndarray, "frame xy"],
) -> Int[np.ndarray, " frame"]:
    """First move of the shortest way from the agent to a cell, as `Move`; STAY for a cell of -1 and without a way.

    Raises ValueError: a cell that is not free.
    """
    moves = best_moves(distance_maps(free, cells))
    found = moves[np.arange(len(free)), agent[:, 1], agent[:, 0]]
    return np.where(cells[:, 0] >= 0, found, int(Move.STAY)).astype(np.int64)


def cells_elsewhere(
    free: Bool[np.ndarray, "frame y x"],
    agent: Int[np.ndarray, "frame xy"],
    moves: Int[np.ndarray, " frame"],
    rng: np.random.Generator,
    attempts: int = 12,
) -> Int[np.ndarray, "frame xy"]:
    """A random cell that each agent can get to, and not by that first move; -1 where some attempts found none."""
    world = free.shape[1]
    reached = (distance_maps(free, agent) > 0).reshape(len(free), -1)
    found = np.full((len(free), 2), -1)
    for _ in range(attempts):
        place = np.where(reached, rng.random(reached.shape), -1.0).argmax(axis=1)
        cells = np.where(reached.any(axis=1)[:, None], np.stack([place % world, place // world], axis=1), -1)
        wanted = (first_moves(free, agent, cells) != moves) & (cells[:, 0] >= 0) & (found[:, 0] < 0)
        found[wanted] = cells[wanted]
    return found
