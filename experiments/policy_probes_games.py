"""What `policy-probes` and `probe-to-cause` ask of each game's policies, and the frames on which they ask it.

One frame a level, the agent anywhere, so that frames are independent of each other; drawn as the network was taught to
see them. Beside the labels of `procscope.envs.labels` come the moves that lie ahead, and where things lie that have no
column of their own.

Axes: `frame` one a level, `y x` cells of the world, y upwards.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import UInt8

from procscope.agents.outcomes import end_columns
from procscope.envs.coinrun import CoinRunLevel
from procscope.envs.engine import ALL_SEEDS, Engine, EngineOptions
from procscope.envs.heist import HeistLevel
from procscope.envs.heist.pairs import recoloured
from procscope.envs.heist.things import COLOURS
from procscope.envs.labels import Columns, label_states
from procscope.envs.level_supply import Variants
from procscope.envs.maze import MazeLevel
from procscope.envs.maze.geometry import MazeGeometry
from procscope.envs.starting_states import starting_states
from procscope.envs.state.batch import StateBatch, read_batch
from procscope.envs.views import views
from procscope.experiments.coinrun_misgeneralization_setup import agent_from_end, coin_beside
from procscope.probes.plans import planned_moves

PLAN_STEPS = (1, 2, 4, 8)
"""Which of the moves ahead are asked for."""
_AT_ONCE = 512
_AGENT = ("agent_row", "agent_col")


@dataclass(frozen=True)
class Asked:
    """One thing that a policy may know."""

    name: str
    parts: tuple[str, ...]
    """Expressions of the labels; of a place, its row and column in the picture."""
    kind: Literal["number", "class", "place"] = "number"
    only_where: str = ""
    """Frames that count."""
    known: tuple[tuple[str, ...], ...] = ()
    """Labels whose tables are baselines: what these predict, a probe that reads them would find, too."""
    closer: bool = False
    """Whether it is looked at with the multinomial and the small-network probe and a description length, too."""


def _plan(where: str) -> tuple[Asked, ...]:
    names = ["next move", *(f"move {step} ahead" for step in PLAN_STEPS[1:])]
    return tuple(
        Asked(
            name,
            (f"plan_{step}",),
            "class",
            where,
            known=(("plan_1", "room"), ("plan_1", "room", "side")) if step > 1 else (("side",),),
            closer=step in (1, 4),
        )
        for name, step in zip(names, PLAN_STEPS, strict=True)
    )


_FAR = f"distance_to_goal_cells >= {PLAN_STEPS[-1]}"
_TWO_KEYS = "next_target_kind == 0 and n_keys_left >= 2"
_BOTH = "goal_visible and wall_in_sight"


class GameStudy(NamedTuple):
    """How a game's policies are asked."""

    variants: Variants
    asked: tuple[Asked, ...]
    types: tuple[str, ...]
    """Labels whose combinations tell frames apart for control tasks: what is seen and recurs in other levels."""


def any_colours(level: HeistLevel, rng: np.random.Generator) -> HeistLevel:
    """Colours exchanged at random: then the order of colours does not give the next key away."""
    return recoloured(level, rng.permutation(3).tolist())


def coin_in_sight(level: CoinRunLevel, rng: np.random.Generator) -> CoinRunLevel:
    """The coin on the ground two to five columns from the agent, where there is room, else nowhere."""
    columns = int(rng.integers(2, 6)) * (1 if rng.random() < 0.5 else -1)
    return coin_beside(columns)(level, rng)


GAMES = {
    "maze": GameStudy(
        ("cheese-anywhere", "mouse-anywhere"),
        (
            Asked("cheese: place in numbers", ("goal_row", "goal_col")),
            Asked("cheese: is it here", ("goal_row", "goal_col"), "place"),
            Asked("cheese: straight distance", ("goal_distance_euclidean",)),
            Asked("cheese: steps to it", ("distance_to_goal_cells",), closer=True),
            Asked("corner: place in numbers", ("corner_col",)),
            Asked("corner: steps to it", ("distance_to_corner_cells",)),
            Asked("corner: first move to it", ("best_move_to_corner",), "class", _FAR),
            *_plan(_FAR),
        ),
        ("agent_row", "agent_col"),
    ),
    "heist": GameStudy(
        ("keys:3", any_colours, "midway"),
        (
            Asked(
                "next target: kind", ("next_target_kind",), "class", known=(("n_keys_left", "n_locks_left"),)
            ),
            Asked("next target: place in numbers", ("next_row", "next_col")),
            Asked("next key: colour", ("next_target_colour",), "class", _TWO_KEYS, (("keys_left",),), True),
            Asked("next key: place in numbers", ("next_row", "next_col"), only_where=_TWO_KEYS),
            Asked("other key: place in numbers", ("other_row", "other_col"), only_where=_TWO_KEYS),
            Asked("next key: is it here", ("next_row", "next_col"), "place", _TWO_KEYS),
            Asked("other key: is it here", ("other_row", "other_col"), "place", _TWO_KEYS),
            Asked("keys held", ("holds_blue", "holds_green", "holds_red"), "class"),
            Asked("gem: place in numbers", ("goal_row", "goal_col")),
            Asked("gem: steps to it", ("distance_to_goal_cells",), closer=True),
            *_plan(_FAR),
        ),
        ("agent_row", "agent_col"),
    ),
    "coinrun": GameStudy(
        ("no-coin", agent_from_end(1, 16), coin_in_sight),
        (
            Asked("coin: in sight", ("goal_visible",), "class"),
            Asked("coin: place in numbers", ("goal_row_exact", "goal_col_exact"), only_where="goal_visible"),
            Asked("coin: is it here", ("goal_row_exact", "goal_col_exact"), "place", "goal_visible"),
            Asked("coin: distance", ("goal_distance_euclidean",), only_where="goal_visible", closer=True),
            Asked("coin: to the right", ("goal_col_exact > 32",), "class", "goal_visible", closer=True),
            Asked("end wall: in sight", ("wall_in_sight",), "class"),
            Asked("coin: column, both in sight", ("goal_col_exact",), only_where=_BOTH),
            Asked("end wall: column, both in sight", ("wall_col",), only_where=_BOTH),
            Asked("hazard: distance", ("hazard_distance_euclidean",), only_where="hazard_kind > -0.5"),
        ),
        ("agent_y", "hazard_kind"),
    ),
}
"""By game."""


@dataclass(frozen=True)
class Drawn:
    """Which frames: one of each of some levels, drawn as a network was taught to see them."""

    game: str
    mode: str
    looks: tuple[tuple[str, Any], ...]
    """Fields of `EngineOptions`."""
    first_seed: int
    frames: int


class Shown(NamedTuple):
    """Frames, one a level, and all that is known of them."""

    frames: UInt8[np.ndarray, "frame 64 64 3"]
    labels: Columns
    """Those of `procscope.envs.labels` and of `_more_labels`."""
    free: np.ndarray | None
    """[frame, y, x]: cells of the world that can be walked on now; None in CoinRun."""


@lru_cache(maxsize=2)
def shown(drawn: Drawn) -> Shown:
    """The frames of a study. Cost: 3 to 5 ms a frame."""
    options = EngineOptions(drawn.game, drawn.mode, num_envs=64, level_seeds=ALL_SEEDS, **dict(drawn.looks))
    engine, parts = Engine(options), []
    for start in range(0, drawn.frames, _AT_ONCE):
        seeds = range(drawn.first_seed + start, drawn.first_seed + min(start + _AT_ONCE, drawn.frames))
        states = starting_states(
            drawn.game, seeds, mode=drawn.mode, variants=GAMES[drawn.game].variants, engine=engine
        )
        labels = label_states(states)
        more, free = _more_labels(drawn.game, states, labels)
        parts.append((engine.render(states), {**labels, **more}, free))
    engine.close()
    frames, labels, free = zip(*parts, strict=True)
    return Shown(
        np.concatenate(frames),
        {name: np.concatenate([part[name] for part in labels]) for name in labels[0]},
        None if free[0] is None else np.concatenate(free),
    )


def _more_labels(game: str, states: list[bytes], labels: Columns) -> tuple[Columns, np.ndarray | None]:
    """Labels that are asked for and that no game has by itself, and the free cells of the world."""
    batch = read_batch(states)
    if game == "coinrun":
        wall = end_columns(batch) + 1.0
        column = views(batch).pixels(wall, labels["agent_exact_y"].astype(float))[:, 1]
        return {"wall_col": column, "wall_in_sight": (column >= 0) & (column < 64)}, None
    if game == "maze":
        mazes = [MazeLevel.from_state(state) for state in states]
        more, free = _corner_labels(mazes, labels)
        plan = planned_moves(mazes, PLAN_STEPS[-1])
    else:
        levels = [HeistLevel.from_state(state) for state in states]
        more, free = _key_labels(batch, labels), _walkable(levels)
        plan = planned_moves(levels, PLAN_STEPS[-1])
    more |= {f"plan_{step}": plan[:, step - 1] for step in PLAN_STEPS}
    more["room"] = labels["agent_x"] % 2 * 2 + labels["agent_y"] % 2
    target = ("goal_row", "goal_col") if game == "maze" else ("next_row", "next_col")
    places = {**labels, **more}
    apart = [
        np.sign(np.round(places[name] - places[at], -1)) for name, at in zip(target, _AGENT, strict=True)
    ]
    more["side"] = (3 * apart[0] + apart[1] + 4).astype(np.int64)
    return more, free


def _corner_labels(mazes: list[MazeLevel], labels: Columns) -> tuple[Columns, np.ndarray]:
    """The pixel column of the maze's upper right cell, and the cells of the world that are free."""
    world = mazes[0].world
    geometry = MazeGeometry.of_frames(labels["maze_size"], world)
    corner = np.stack([labels["maze_size"] - 1] * 2, axis=1)
    free = np.zeros((len(mazes), world, world), bool)
    for number, maze in enumerate(mazes):
        margin = int(geometry.margin[number])
        free[number, margin : margin + maze.size, margin : margin + maze.size] = ~maze.walls
    return {"corner_col": geometry.cell_centers(corner, 64)[:, 1]}, free


def _key_labels(batch: StateBatch, labels: Columns) -> Columns:
    """Pixels of the next target and of a key that is not next, and which keys lie there as a number."""
    lies = np.stack([labels[f"key_{colour}_x"] >= 0 for colour in COLOURS], axis=1)
    next_key = np.where(labels["next_target_kind"] == 0, labels["next_target_colour"], -1)
    other = (lies & (np.arange(3) != next_key[:, None])).argmax(axis=1)
    rows, cols = (
        np.stack([labels[f"key_{colour}_{axis}"] for colour in COLOURS], axis=1) for axis in ("row", "col")
    )
    pixels = views(batch).pixels(labels["next_target_x"] + 0.5, labels["next_target_y"] + 0.5)
    at = np.arange(len(other))
    return {
        "next_row": pixels[:, 0],
        "next_col": pixels[:, 1],
        "other_row": rows[at, other],
        "other_col": cols[at, other],
        "keys_left": lies @ (1 << np.arange(len(COLOURS))),
    }


def _walkable(levels: list[HeistLevel]) -> np.ndarray:
    """[level, y, x]: no wall, and no lock whose key is not held."""
    free = np.stack([~level.walls for level in levels])
    for number, level in enumerate(levels):
        for lock in level.locks:
            if COLOURS.index(lock.colour) not in level.held_numbers():
                free[number, lock.cell[1], lock.cell[0]] = False
    return free
