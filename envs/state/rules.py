"""What a state may hold: the values that the engine plays without ending, hanging, or losing the agent.

What: `Limit`s of single fields, one frozen `GameRules` per game, and checks of arrays against them, shared by
`state/checks.py` (a state at a time) and `state/write.py` (many at a time). Each bad value was found by giving it to
the compiled engine of procgen 0.10.7, alone in a good state; the limits stay well inside of what it survives.
Cost: some nanoseconds a value; the checks are vectorised.

Axes: state = a state of the batch; y = cell row, upwards; x = cell column, to the right.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

MAX_WORLD_CELLS = 200 * 200
"""The largest world tried in the engine, which with the generators' texts stays below `MAX_STATE_BYTES`."""

MAX_HALF_SIZE = 32

MAX_ENTITIES = 1000
"""Far more than any level has (186); with some thousands, the engine's all-pairs collisions take seconds a step."""

INT32 = (-(2**31), 2**31 - 1)


class Limit(NamedTuple):
    """The least and the greatest value of a field, and how to mend another."""

    low: float
    high: float
    mend: str = "Keep the value that the engine gave"


FLAG = Limit(0, 1, "It is a flag")
FINITE = Limit(-1e9, 1e9, "It must be a finite number")
ANY_INT = Limit(*INT32)
STEPS = Limit(0, 1_000_000, "It is in steps since the level began")
TIME_LEFT = Limit(1, 1_000_000, "The next step would end the episode; for that, leave 1")
SEEDS_IN_RANGE = Limit(1, 2**31 - 1, "The engine divides by this number when it draws a level seed")
SPEED = Limit(-4, 4, "It is in cells a step; great speeds hang the engine")

LIMITS: dict[str, dict[str, Limit]] = {
    "settings": {
        **dict.fromkeys(
            (
                "paint_vel_info",
                "use_monochrome_assets",
                "restrict_themes",
                "use_backgrounds",
                "center_agent",
                "use_sequential_levels",
                "use_easy_jump",
                "grid_step",
            ),
            FLAG,
        ),
        "use_generated_assets": Limit(0, 0, "With generated assets the engine ends the process"),
        "level_seed_low": Limit(0, 2**31 - 2, "Level seeds are not negative"),
        "level_seed_high": Limit(1, 2**31 - 1, "Level seeds are drawn below it"),
    },
    "episode": {
        **dict.fromkeys(("done", "level_complete", "episode_done"), FLAG),
        "timeout": Limit(1, 1_000_000, "It is in steps; the engine's own is 500 in the maze, else 1000"),
        "cur_time": STEPS,
        "episodes_remaining": Limit(0, 1_000_000, "Above 0, that many episodes replay the level"),
        "is_waiting_for_step": Limit(0, 0, "A state is taken between steps; else the engine hangs or ends"),
    },
    "scene": {
        **dict.fromkeys(("random_agent_start", "has_useful_vel_info"), FLAG),
        **dict.fromkeys(("maxspeed", "max_jump"), Limit(0, 4, "It is in cells a step")),
        **dict.fromkeys(("action_vx", "action_vy", "action_vrot"), SPEED),
        "use_procgen_background": Limit(
            0, 0, "The engine ends the process when such an environment is closed"
        ),
        "bg_tile_ratio": Limit(
            0, 1e9, "Below 0 the background is drawn in tiles; near 0 their number hangs the engine"
        ),
        "bg_pct_x": Limit(0, 1, "It is the share of the background that is cut off on the left"),
        "mixrate": Limit(0, 1, "It is a share"),
    },
    "view": {
        "visibility": Limit(1, 256, "It is the width of the view in cells: below 1 black, great ones hang"),
        "min_visibility": Limit(0, 256, "It is the width of the view in cells"),
    },
    "tail": {
        **dict.fromkeys(("has_support", "facing_right", "is_on_crate"), FLAG),
        "gravity": Limit(0, 2, "It is in cells a step a step"),
        "air_control": Limit(0, 1, "It is a share"),
    },
}
"""Limits of the scalar fields by part; a float that is not named must be FINITE, an int may be anything."""

ENTITY_LIMITS: dict[str, Limit] = {
    **dict.fromkeys(
        (
            "will_erase",
            "collides_with_entities",
            "is_reflected",
            "use_abs_coords",
            "smart_step",
            "avoids_collisions",
            "auto_erase",
        ),
        FLAG,
    ),
    **dict.fromkeys(("x", "y"), Limit(-256, 512, "It is the centre, in cells of the world")),
    **dict.fromkeys(("vx", "vy"), SPEED),
    "vrot": Limit(-4, 4, "It is in radians a step, added to the rotation"),
    **dict.fromkeys(
        ("rx", "ry"), Limit(0, MAX_HALF_SIZE, "It is half a size, in cells; great ones hang the engine")
    ),
    "type": Limit(0, 100, "See the engine's types of the game"),
    "collision_margin": Limit(-32, 32, "It is in cells"),
    "friction": Limit(0, 1, "It multiplies the speed at each step"),
    "grow_rate": Limit(0, 2, "It multiplies the half sizes at each step; above 1, the engine soon hangs"),
    "alpha": Limit(0, 1, "It is the opacity"),
    "alpha_decay": Limit(0, 1, "It multiplies the opacity at each step"),
}
"""Limits of every entity's fields, with the same rule for those not named."""

AGENT_LIMITS: dict[str, Limit] = {
    "will_erase": Limit(0, 0, "An erased agent vanishes, and a state without one ends the process"),
    "expire_time": Limit(INT32[0], 0, "At a later step the agent would vanish; -1 is never"),
    "smart_step": Limit(
        1, 1, "Without it nothing stops the agent at walls, and it leaves the world and vanishes"
    ),
    "use_abs_coords": Limit(0, 0, "The agent's place is in cells of the world"),
    "grow_rate": Limit(1, 1, "Else the agent grows or shrinks at each step"),
}
"""What holds for the agent beyond that."""


@dataclass(frozen=True)
class GameRules:
    """The values that are known to be safe in one game."""

    modes: dict[int, str]
    """The game's values of `distribution_mode`."""
    cells: frozenset[int]
    """Cell numbers that the game itself uses."""
    wall: int
    """The cell that the engine takes the outside of the world for."""
    backgrounds: int
    """How many backgrounds there are: `background_index` is below this."""
    image_themes: dict[int, int]
    """For each image of an entity that the game uses: how many themes there are."""
    wall_themes: int = 1


DISTRIBUTION_MODES: dict[int, str] = {0: "easy", 1: "hard", 2: "extreme", 10: "memory"}
"""The engine's number of each mode; no game has all of them."""

WALL, FREE = 51, 100
"""Cells of the maze and of Heist."""


def _modes(*names: str) -> dict[int, str]:
    return {number: name for number, name in DISTRIBUTION_MODES.items() if name in names}


RULES: dict[str, GameRules] = {
    "maze": GameRules(
        _modes("easy", "hard", "memory"), frozenset({2, WALL, FREE}), WALL, 9, {0: 1, 2: 1, 51: 1}
    ),
    "heist": GameRules(
        _modes("easy", "hard", "memory"), frozenset({WALL, FREE}), WALL, 9, {0: 1, 1: 3, 2: 3, 9: 1, 51: 1}
    ),
    "coinrun": GameRules(
        _modes("easy", "hard"),
        frozenset({1, 15, 16, 17, 18, 19, 100}),
        15,
        62,
        {0: 5, 1: 1, 2: 1, 3: 1, 6: 9, 7: 9, 12: 5, 13: 5, 20: 4, 59: 1},
        6,
    ),
}


def rules_of(game: str) -> GameRules:
    """The rules of a game by name; ValueError when it is none of the known ones."""
    if game not in RULES:
        raise ValueError(f"expected a game that the codec knows ({', '.join(RULES)}); got {game!r}")
    return RULES[game]


def check_cells(game: str, cells: np.ndarray) -> None:
    """ValueError unless every cell number is one that the game itself uses. `cells` may have any shape."""
    rules = rules_of(game)
    table = np.zeros(128, dtype=bool)
    table[list(rules.cells)] = True
    # As unsigned numbers, negative cells are large, so that one comparison finds both ends.
    unsigned = cells.view(np.uint32)
    if unsigned.size == 0 or (unsigned.max() < 128 and table[unsigned].all()):
        return
    place = tuple(int(i) for i in np.argwhere(~np.isin(cells, list(rules.cells)))[0])
    raise ValueError(
        f"expected cells of {game} ({', '.join(map(str, sorted(rules.cells)))}); got {cells[place]} at "
        f"index {place} ([..., y, x]). Other numbers are drawn as invented pictures, or end the engine's process"
    )


def check_centres(x: np.ndarray, y: np.ndarray, width: np.ndarray | int, height: np.ndarray | int) -> None:
    """ValueError unless every agent's centre is a finite point of its world, `0 <= x < width`, `0 <= y < height`."""
    # A NaN fails every comparison, so it is refused too.
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    if inside.all():
        return
    index = int(np.argmin(inside))
    size = f"{np.broadcast_to(width, x.shape)[index]}x{np.broadcast_to(height, x.shape)[index]}"
    where = f" at state {index}" if x.size > 1 else ""
    raise ValueError(
        f"expected the agent's centre inside the {size} world; got ({x[index]}, {y[index]}){where}. "
        "A cell's centre is (x + 0.5, y + 0.5)"
    )


def check_limit(name: str, values: np.ndarray | float | int, limit: Limit, item: str = "state") -> None:
    """ValueError unless `limit.low <= value <= limit.high` for all values; `item` is what the first axis counts."""
    array = np.asarray(values)
    good = (array >= limit.low) & (array <= limit.high)
    if good.all():
        return
    index = int(np.argmin(good))
    wanted = f"{limit.low:.8g}" if limit.low == limit.high else f"from {limit.low:.8g} to {limit.high:.8g}"
    where = f" at {item} {np.unravel_index(index, array.shape)[0]}" if array.ndim else ""
    raise ValueError(f"expected {name} {wanted}; got {array.reshape(-1)[index]}{where}. {limit.mend}")
