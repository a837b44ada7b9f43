"""The fields of a Procgen state, in the order of its bytes: one frozen dataclass for each part.

What: the classes below are the layout. A field's annotation is its encoding (`KINDS`), and the order of the fields
is the order of the bytes, so there is no second table that could disagree. `value.py` parses and writes them one
state at a time, `state/offsets.py` and `state/batch.py` use the record dtypes made from them (`record_dtype`).
When: to look up what a field is called, or to teach the codec another game (a tail class in `TAILS`).
Source: procgen 0.10.7, state version 0; every field checked against the compiled engine.

Flags are kept as the engine's raw int (0 or 1; the engine takes any other value as 1), so nothing is lost. Floats are
float32 held in a Python float, which is exact (but for a signalling NaN, which turns quiet).

Axes: entity = an entity, in drawing order.
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

SERIALIZE_VERSION = 0
END_MARKER = 0xCAFECAFE
MAX_STATE_BYTES = 1 << 20
"""The engine reads a larger state and then ends the process when asked to give it back."""


@dataclass(frozen=True, slots=True)
class RandomGenerator:
    """One of the engine's mt19937 generators.

    `text` is its 624 words and the position, in decimal with blanks between.
    """

    is_seeded: int
    text: bytes

    @classmethod
    def from_seed(cls, seed: int) -> "RandomGenerator":
        """The generator that the engine makes from an int32 `seed`; ValueError when it is not one."""
        if not -(2**31) <= seed < 2**31:
            raise ValueError(f"expected a seed that fits an int32; got {seed}. Take seed % 2**31")
        # C++'s std::mt19937 and NumPy's legacy seeding are the same algorithm (Matsumoto and Nishimura, 2002).
        bit_generator = np.random.MT19937()
        bit_generator._legacy_seeding(seed % 2**32)  # pyright: ignore[reportAttributeAccessIssue]
        state: Any = bit_generator.state["state"]
        return cls(1, b" ".join(b"%d" % word for word in [*state["key"].tolist(), state["pos"]]))


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """The options that the engine was made with; a state brings its own along, and they stay in force after resets."""

    paint_vel_info: int
    use_generated_assets: int
    use_monochrome_assets: int
    restrict_themes: int
    use_backgrounds: int
    center_agent: int
    debug_mode: int
    distribution_mode: int
    use_sequential_levels: int
    use_easy_jump: int
    plain_assets: int
    physics_mode: int
    grid_step: int
    level_seed_low: int
    level_seed_high: int
    game_type: int
    game_n: int


@dataclass(frozen=True, slots=True)
class Episode:
    """Where the episode stands: what the last step gave, which level is played and how long."""

    reward: float
    done: int
    level_complete: int
    action: int
    timeout: int
    current_level_seed: int
    prev_level_seed: int
    episodes_remaining: int
    episode_done: int
    last_reward_timer: int
    last_reward: float
    default_action: int
    fixed_asset_seed: int
    cur_time: int
    is_waiting_for_step: int


@dataclass(frozen=True, slots=True)
class Scene:
    """The level's look and the agent's motion, as every game shares them."""

    use_procgen_background: int
    background_index: int
    bg_tile_ratio: float
    bg_pct_x: float
    char_dim: float
    last_move_action: int
    move_action: int
    special_action: int
    mixrate: float
    maxspeed: float
    max_jump: float
    action_vx: float
    action_vy: float
    action_vrot: float
    center_x: float
    center_y: float
    random_agent_start: int
    has_useful_vel_info: int
    step_rand_int: int


@dataclass(frozen=True, slots=True)
class View:
    """The world's size in cells, and how it was last drawn (the engine recomputes unit, view_dim and the offsets)."""

    main_width: int
    main_height: int
    out_of_bounds_object: int
    unit: float
    view_dim: float
    x_off: float
    y_off: float
    visibility: float
    min_visibility: float


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity: `x`, `y` is its centre in world cells, `rx`, `ry` are half sizes. Held as rows of `ENTITY_DTYPE`."""

    x: float
    y: float
    vx: float
    vy: float
    rx: float
    ry: float
    type: int
    image_type: int
    image_theme: int
    render_z: int
    will_erase: int
    collides_with_entities: int
    collision_margin: float
    rotation: float
    vrot: float
    is_reflected: int
    fire_time: int
    spawn_time: int
    life_time: int
    expire_time: int
    use_abs_coords: int
    friction: float
    smart_step: int
    avoids_collisions: int
    auto_erase: int
    alpha: float
    health: float
    theta: float
    grow_rate: float
    alpha_decay: float
    climber_spawn_x: float


@dataclass(frozen=True, slots=True)
class MazeTail:
    """The maze's own fields: both are ignored when the engine reads a state and made anew at a reset."""

    maze_dim: int
    world_dim: int


@dataclass(frozen=True, slots=True)
class HeistTail:
    """The heist's own fields; `has_keys[k]` says whether the agent holds the key of colour k."""

    num_keys: int
    world_dim: int
    has_keys: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CoinRunTail:
    """CoinRun's own fields."""

    last_agent_y: float
    wall_theme: int
    has_support: int
    facing_right: int
    is_on_crate: int
    gravity: float
    air_control: float


Tail = MazeTail | HeistTail | CoinRunTail
TAILS: dict[str, type[Tail]] = {"maze": MazeTail, "heist": HeistTail, "coinrun": CoinRunTail}
"""The tail class of each game that the codec knows."""

KINDS: dict[Any, str] = {int: "<i4", float: "<f4"}
"""How a scalar field is stored: its annotation, and the NumPy dtype of its four bytes."""


def record_dtype(part: type) -> np.dtype:
    """The NumPy record of a part whose fields are all scalars, without padding."""
    return np.dtype([(field.name, KINDS[field.type]) for field in fields(part)])


ENTITY_DTYPE = record_dtype(Entity)
"""An entity as a NumPy record: 31 fields, 124 bytes."""

EntityRecords = np.ndarray
"""A one-dimensional array of `ENTITY_DTYPE`. (A jaxtyping annotation would spell out all 31 fields at each check.)"""
