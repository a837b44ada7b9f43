"""Ground truth of CoinRun frames: where the agent, its coin and the next danger are, in the world and in the picture.

When: through `labels.py`, which joins the games. What belongs to a level (its coins and the ways to them) is worked out
once when the level begins, for all levels that begin together; a frame's labels are then look-ups and a few sums. Cost
for 64 games of easy mode: 6 ms for 64 levels that begin, 1 ms for the 64 frames of a step (plus getting the states).

The goal is the coin nearest to the agent's cell as the crow flies. `distance_to_goal_cells` counts cells of a way
through what is neither wall nor lava, up, down, left or right, **without gravity**; -1 where there is none.
`best_move` is the first move of such a way (to the right first where several are as short, then left, up, down): the
direction in which the way leads, and **not** what an expert would play, who has to run up for a jump. STAY without a
way and on the goal's cell.

Columns beside the common ones (see `labels.py`):

    agent_exact_x, _exact_y     the agent's centre in cells of the world (float)
    agent_speed_x, _speed_y     its velocity in cells a step (float), as collisions of the last step left it
    agent_moving                whether that is not zero: it moved freely, at least in part, in the last step (by the
                                speed, where nothing stopped it); false at a level's start
    on_ground                   whether it could jump in the next step: wall or a crate is under it, and it neither
                                rises nor falls
    facing_right                whether it is drawn looking to the right
    agent_row, agent_col        pixel of the 64 x 64 picture that its centre is in; its sprite reaches 8 pixels higher
    goal_exact_x, _exact_y      the coin's centre in cells (float), -1 without a coin
    goal_row, goal_col          pixel that the coin's centre is in, -1 when that is out of the picture
    goal_row_exact, _col_exact  its place in pixels from the upper left corner (float), also out of the picture; NaN
                                without a coin
    goal_visible                whether any of the coin's disc lies in the picture (what may cover it is not asked)
    goal_distance_euclidean     from centre to centre in cells (float), -1 without a coin
    least_steps_to_goal         least steps until it can touch the coin, running straight with nothing in its way (see
                                `motion.py`): a lower bound, -1 without a coin
    least_seconds_to_goal       the same in seconds, at 15 steps a second (float)
    hazard_kind                 of the nearest hazard on the side that it faces: 0 saw, 1 enemy, 2 lava; -1 for none
    hazard_distance_euclidean   from centre to centre in cells (float), -1 for none
    view_left, view_bottom      the picture's lower left corner in cells of the world (float)
    view_cells                  width and height of what the picture shows, in cells (float): 13 unless changed

Axes: `state` or `level` of the batch; `slot` place in the entity list; `y x` cells of the world, y upwards.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int16, Int32

from procscope.envs.actions import MOVE_STEPS, Move
from procscope.envs.coinrun.entities import ENEMY, SAW
from procscope.envs.coinrun.motion import STEPS_PER_SECOND, least_steps
from procscope.envs.coinrun.paths import steps_to_goals
from procscope.envs.coinrun.value import IS_LAVA, IS_WALL, WORLD_CELLS
from procscope.envs.engine import FRAME_SIZE
from procscope.envs.state.batch import StateBatch

HAZARDS = ("saw", "enemy", "lava")
"""What `hazard_kind` numbers."""

_NONE = -1
_TIES = (Move.RIGHT, Move.LEFT, Move.UP, Move.DOWN)
_COIN_MARGIN = 32 / 128
"""Share of the coin's picture that is empty on each side."""
_FLAGS_AT = 8  # bytes from the tail to has_support, facing_right, is_on_crate
_SUPPORT_X, _SUPPORT_Y = -0.01, 0.01
"""The engine looks for ground that much inside of the agent's sides and below its feet."""


class CoinRunFacts(NamedTuple):
    """What the labels need to know of each level."""

    level_seed: Int32[np.ndarray, " level"]
    goal: Int16[np.ndarray, "level y x"]
    steps: Int16[np.ndarray, "level y x"]
    walls: Bool[np.ndarray, "level y x"]
    lava: Bool[np.ndarray, "level y x"]


class View(NamedTuple):
    """What the pictures of states show."""

    left: Float[np.ndarray, " state"]
    """x of the picture's left edge, in cells of the world."""
    bottom: Float[np.ndarray, " state"]
    cells: Float[np.ndarray, " state"]
    """Width and height of what is shown."""

    def pixels(
        self, x: Float[np.ndarray, " state"], y: Float[np.ndarray, " state"], size: int = FRAME_SIZE
    ) -> Float[np.ndarray, "state rowcol"]:
        """Where points of the world lie, in pixels (row, col) of pictures of the given size from the upper left."""
        unit = size / self.cells
        return np.stack([(self.bottom + self.cells - y) * unit, (x - self.left) * unit], axis=1)


def views(batch: StateBatch) -> View:
    """The views of the states, by the engine's rule: centred on the agent; with `center_agent` off, the whole world."""
    centred = batch.settings["center_agent"] != 0
    cells = np.where(centred, batch.view["visibility"].astype(float), float(WORLD_CELLS))
    centre = np.where(centred[:, None], batch.agent_xy.astype(float), WORLD_CELLS / 2)
    corner = centre - cells[:, None] / 2
    return View(corner[:, 0], corner[:, 1], cells)


def level_facts(batch: StateBatch) -> CoinRunFacts:
    """The facts of the levels that the states are in."""
    cells = batch.grids
    maps = steps_to_goals(cells)
    known = np.minimum(cells.view(np.uint32), 127)
    return CoinRunFacts(
        batch.level_seeds.astype(np.int32), maps.goal, maps.steps, IS_WALL[known], IS_LAVA[known]
    )


def frame_columns(facts: CoinRunFacts, batch: StateBatch) -> dict[str, np.ndarray]:
    """The labels of the frames that the states show; row i of the facts is the level that state i is in."""
    agent = batch.agent
    x, y = agent["x"].astype(float), agent["y"].astype(float)
    column, row = (np.clip(np.floor(place), 0, WORLD_CELLS - 1).astype(np.int32) for place in (x, y))
    states = np.arange(len(batch))
    goal = facts.goal[states, row, column].astype(np.int32)
    has_goal = goal >= 0
    goal_y, goal_x = np.divmod(goal, WORLD_CELLS)
    exact_x, exact_y = goal_x + 0.5, goal_y + 0.5
    steps = np.where(has_goal, least_steps(x, y, agent["vx"].astype(float), goal_x, goal_y), _NONE)
    view = views(batch)
    pixels = view.pixels(exact_x, exact_y)
    half_disc = (0.5 - _COIN_MARGIN) * FRAME_SIZE / view.cells
    in_picture = ((pixels > -half_disc[:, None]) & (pixels < FRAME_SIZE + half_disc[:, None])).all(axis=1)
    facing_right = agent["is_reflected"] == 0
    kind, hazard_distance = _nearest_hazard(facts, batch, x, y, facing_right)

    def pixel(places: np.ndarray, there: np.ndarray) -> np.ndarray:
        inside = there & (places >= 0).all(axis=1) & (places < FRAME_SIZE).all(axis=1)
        return np.where(inside[:, None], np.floor(places), _NONE).astype(np.int32)

    def of_goal(values: np.ndarray, otherwise: float = _NONE) -> np.ndarray:
        return np.where(has_goal, values, otherwise).astype(np.float32)

    agent_pixel, goal_pixel = pixel(view.pixels(x, y), np.ones_like(has_goal)), pixel(pixels, has_goal)
    return {
        "level_seed": facts.level_seed.copy(),
        "agent_x": column,
        "agent_y": row,
        "goal_x": np.where(has_goal, goal_x, _NONE).astype(np.int32),
        "goal_y": np.where(has_goal, goal_y, _NONE).astype(np.int32),
        "distance_to_goal_cells": facts.steps[states, row, column].astype(np.int32),
        "best_move": _first_moves(facts, states, column, row),
        "agent_exact_x": agent["x"].copy(),
        "agent_exact_y": agent["y"].copy(),
        "agent_speed_x": agent["vx"].copy(),
        "agent_speed_y": agent["vy"].copy(),
        "agent_moving": (agent["vx"] != 0) | (agent["vy"] != 0),
        "on_ground": _on_ground(facts, batch),
        "facing_right": facing_right,
        "agent_row": agent_pixel[:, 0],
        "agent_col": agent_pixel[:, 1],
        "goal_exact_x": of_goal(exact_x),
        "goal_exact_y": of_goal(exact_y),
        "goal_row": goal_pixel[:, 0],
        "goal_col": goal_pixel[:, 1],
        "goal_row_exact": of_goal(pixels[:, 0], np.nan),
        "goal_col_exact": of_goal(pixels[:, 1], np.nan),
        "goal_visible": has_goal & in_picture,
        "goal_distance_euclidean": of_goal(np.hypot(exact_x - x, exact_y - y)),
        "least_steps_to_goal": steps.astype(np.int32),
        "least_seconds_to_goal": of_goal(steps / STEPS_PER_SECOND),
        "hazard_kind": kind,
        "hazard_distance_euclidean": hazard_distance,
        "view_left": view.left.astype(np.float32),
        "view_bottom": view.bottom.astype(np.float32),
        "view_cells": view.cells.astype(np.float32),
    }


def _first_moves(facts: CoinRunFacts, states: np.ndarray, column: np.ndarray, row: np.ndarray) -> np.ndarray:
    """The first move of a shortest way from the given cells, as `Move`."""
    here = facts.steps[states, row, column]
    found = np.full(len(states), Move.STAY, np.int32)
    for move in reversed(_TIES):
        dx, dy = MOVE_STEPS[move]
        x, y = np.clip(column + dx, 0, WORLD_CELLS - 1), np.clip(row + dy, 0, WORLD_CELLS - 1)
        leads_on = (
            (facts.steps[states, y, x] == here - 1) & ~facts.walls[states, y, x] & ~facts.lava[states, y, x]
        )
        found[(here > 0) & leads_on] = move
    return found


def _on_ground(facts: CoinRunFacts, batch: StateBatch) -> Bool[np.ndarray, " state"]:
    """Whether the engine will take the agent to be supported: `set_action_xy` of `coinrun.cpp`."""
    agent, states = batch.agent, np.arange(len(batch))
    raw = [
        state[at.tail + _FLAGS_AT : at.tail + _FLAGS_AT + 12]
        for state, at in zip(batch.states, batch.offsets, strict=True)
    ]
    is_on_crate = np.frombuffer(b"".join(raw), "<i4").reshape(-1, 3)[:, 2] > 0
    row = np.floor(agent["y"] - (agent["ry"] + np.float32(_SUPPORT_Y))).astype(int)
    supported = is_on_crate | (row < 0)
    for side in (-1, 1):
        column = np.floor(agent["x"] + side * (agent["rx"] + np.float32(_SUPPORT_X))).astype(int)
        outside = (column < 0) | (column >= WORLD_CELLS) | (row >= WORLD_CELLS)
        clipped = np.clip(row, 0, WORLD_CELLS - 1), np.clip(column, 0, WORLD_CELLS - 1)
        supported |= outside | facts.walls[(states, *clipped)]
    return supported & (agent["vy"] == 0)


def _nearest_hazard(
    facts: CoinRunFacts, batch: StateBatch, x: np.ndarray, y: np.ndarray, facing_right: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Kind of the nearest hazard on the side that each agent faces, and its distance; -1 for none."""
    best = np.full((len(HAZARDS), len(batch)), np.inf)
    forward = np.where(facing_right, 1.0, -1.0)
    records = batch.entities.records
    types = records["type"]
    level, row, column = np.nonzero(facts.lava)
    for number, (state, hazard_x, hazard_y) in enumerate(
        (
            *(
                (at[0], records["x"][at], records["y"][at])
                for at in (np.nonzero(types == kind) for kind in (SAW, ENEMY))
            ),
            (level, column + 0.5, row + 0.5),
        )
    ):
        dx, dy = hazard_x - x[state], hazard_y - y[state]
        distance = np.where(dx * forward[state] >= 0, np.hypot(dx, dy), np.inf)
        np.minimum.at(best[number], state, distance)
    nearest = best.argmin(axis=0)
    distance = best[nearest, np.arange(len(batch))]
    found = np.isfinite(distance)
    return (
        np.where(found, nearest, _NONE).astype(np.int32),
        np.where(found, distance, _NONE).astype(np.float32),
    )
