"""A Heist level in the engine's state bytes: read out of them, and written into them.

What: `read_heist` gives the fields of the level that a state is in, `write_heist` puts a level into a copy of a state
and leaves every other byte alone, the generators above all: what the engine draws next stays its own. The list of
entities is written anew, so that a state grows and shrinks with its keys and locks. What is read is written back
byte for byte, in mid-episode too; a state whose entities are not those that the engine makes is refused.
When: through `HeistLevel.from_state` and `to_state`. For many states at once, read as arrays, see `state/batch.py`.
Cost: about 25 microseconds to read and 15 to write.

Source: procgen's heist.cpp: order of the entities (agent; keys, locks and gem by x, then by y; one key on the ring for
each entry of has_keys), their half sizes, and the places on the ring.

Axes: y = cell row, counted upwards; x = cell column, counted to the right.
"""

import struct
from typing import Any

import numpy as np

from procscope.envs.heist.value import (
    COLOURS,
    MIDDLE,
    WORLD_CELLS,
    HeistValue,
    Key,
    Lock,
    Offset,
)
from procscope.envs.maze.structure import Cell
from procscope.envs.maze.value import N_BACKGROUNDS, read_only
from procscope.envs.state.layout import END_MARKER, ENTITY_DTYPE
from procscope.envs.state.offsets import EPISODE_DTYPE, SCENE_DTYPE, SETTINGS_DTYPE, Offsets, locate

WALL, FREE = 51, 100
"""What the engine calls the two kinds of cell."""

AGENT, LOCK, KEY, GEM, RING_KEY = 0, 1, 2, 9, 11
"""What the engine calls the kinds of entity; a ring key shows a key that is held, below the top right corner."""

AGENT_HALF_SIZE = 0.375
HALF_SIZES: dict[int, tuple[float, float]] = {
    AGENT: (AGENT_HALF_SIZE, AGENT_HALF_SIZE),
    LOCK: (0.5, 0.5),
    KEY: (0.375, 0.2321428656578064),
    GEM: (0.375, 0.2571428418159485),
    RING_KEY: (0.03, 0.018571428954601288),
}
"""(rx, ry) in cells, of a ring key in shares of the picture: the engine fits them to the sprites' proportions."""

_MODES = {0: "easy", 1: "hard", 10: "memory"}
_NO_SEED = -1
_SIZE = ENTITY_DTYPE.itemsize
_END = struct.pack("<I", END_MARKER)


def _offset(dtype: np.dtype, name: str) -> int:
    return dtype.fields[name][1]  # pyright: ignore[reportOptionalSubscript]


_MONOCHROME = _offset(SETTINGS_DTYPE, "use_monochrome_assets")
_BACKGROUNDS = _offset(SETTINGS_DTYPE, "use_backgrounds")
_MODE = _offset(SETTINGS_DTYPE, "distribution_mode")
_SEED = _offset(EPISODE_DTYPE, "current_level_seed")
_INDEX = _offset(SCENE_DTYPE, "background_index")
_SHIFT = _offset(SCENE_DTYPE, "bg_pct_x")
_TYPE = _offset(ENTITY_DTYPE, "type")
_ROTATION = _offset(ENTITY_DTYPE, "rotation")
_LIFE = _offset(ENTITY_DTYPE, "life_time")
_place = struct.Struct("<2f")
_motion = struct.Struct("<4f")
_kind = struct.Struct("<3i")
_one_int = struct.Struct("<i")
_one_float = struct.Struct("<f")


def _record(kind: int, theme: int = 0) -> bytes:
    """An entity as the engine makes it, at (0, 0)."""
    record = np.zeros(1, ENTITY_DTYPE)
    record["rx"], record["ry"] = HALF_SIZES[kind]
    record["type"], record["image_type"], record["image_theme"] = kind, kind, theme
    for name in ("fire_time", "spawn_time", "expire_time"):
        record[name] = -1
    for name in ("friction", "auto_erase", "alpha", "health", "grow_rate", "alpha_decay"):
        record[name] = 1
    record["theta"] = -100
    if kind == AGENT:
        record["smart_step"] = record["render_z"] = 1
    if kind == RING_KEY:
        record["image_type"], record["render_z"], record["use_abs_coords"] = KEY, 1, 1
        record["rotation"] = np.pi / 2
        # As the engine computes them, in double precision from its float32 radius.
        radius = float(np.float32(0.03))
        record["x"], record["y"] = 1 - radius * (2 * theme + 1.25), radius * 0.75
    return record.tobytes()


_AGENT = _record(AGENT)
_GEM = _record(GEM)
_KEYS = [_record(KEY, theme) for theme in range(len(COLOURS))]
_LOCKS = [_record(LOCK, theme) for theme in range(len(COLOURS))]
_RING = [_record(RING_KEY, theme) for theme in range(len(COLOURS))]


def read_heist(state: bytes) -> dict[str, Any]:
    """The level that the state is in, as the fields of `HeistValue` by name.

    Raises ValueError for a state of another game, and for one that no level describes: another world than its mode's,
    cells of unknown kind, two gems, the agent or a thing in a wall, two things in one cell, keys of a colour that
    has_keys has no entry for, entities of other kinds or with other properties than the engine gives them.
    """
    at = _heist_offsets(state)
    world = at.width
    (number,) = _one_int.unpack_from(state, at.settings + _MODE)
    mode = _MODES.get(number)
    if mode is None or WORLD_CELLS[mode] != world or at.height != world:
        raise ValueError(
            f"expected a Heist state with the world of its mode ({WORLD_CELLS}); this one has "
            f"{world}x{at.height} cells and distribution_mode {number}"
        )
    cells = np.frombuffer(state, "<i4", world * world, at.cells).reshape(world, world)
    walls = cells == WALL
    if np.count_nonzero(walls) + np.count_nonzero(cells == FREE) != world * world:
        raise ValueError(f"the cells of Heist are {WALL} (wall) and {FREE} (free); this state has others")
    held = _read_held(state, at)
    if at.agent < 0:
        raise ValueError("Heist has an agent (an entity of type 0); this state has none")
    fields: dict[str, Any] = {"walls": read_only(walls)}
    x, y, vx, vy = _motion.unpack_from(state, at.agent)
    fields["agent"], fields["agent_offset"] = _cell_of(x, y, "agent", walls)
    fields["gem"], fields["gem_offset"] = None, MIDDLE
    keys, locks = [], []
    taken = set()
    for start in range(at.entities, at.scene, _SIZE):
        kind, _, theme = _kind.unpack_from(state, start + _TYPE)
        if kind in (AGENT, RING_KEY):
            continue
        if kind not in (KEY, LOCK, GEM) or not 0 <= theme < len(COLOURS):
            raise _foreign(f"type {kind}, theme {theme}")
        point_x, point_y = _place.unpack_from(state, start)
        cell, offset = _cell_of(point_x, point_y, "key, lock or gem", walls)
        if cell in taken:
            raise ValueError(f"a cell holds one key, lock or gem; in this state, {cell} has two")
        taken.add(cell)
        if kind == KEY:
            keys.append(Key(COLOURS[theme], cell, offset))
        elif kind == LOCK:
            if cell == fields["agent"]:
                raise ValueError(f"the agent must be outside of locks; in this state it is in one, at {cell}")
            locks.append(Lock(COLOURS[theme], cell))
        elif fields["gem"] is not None:
            raise ValueError("a level of Heist has at most one gem; this state has several")
        else:
            fields["gem"], fields["gem_offset"] = cell, offset
    colours = {thing.colour for thing in (*keys, *locks)}
    if any(COLOURS.index(colour) >= len(held) for colour in colours):
        raise ValueError(
            f"has_keys must have an entry for each colour in use ({', '.join(sorted(colours))}); in this state it "
            f"has {len(held)}. The engine would read past its end"
        )
    (rotation,) = _one_float.unpack_from(state, at.agent + _ROTATION)
    fields |= {"keys": tuple(sorted(keys, key=_by_cell)), "locks": tuple(sorted(locks, key=_by_cell))}
    fields |= {"held": held, "mode": mode, "level_seed": None}
    fields |= {"agent_velocity": (vx, vy), "agent_rotation": rotation}
    (seed,) = _one_int.unpack_from(state, at.episode + _SEED)
    if seed >= 0:
        fields["level_seed"] = seed
    fields |= _read_look(state, at)
    if _entity_bytes(fields, _life_time(state, at)) != state[at.entities : at.scene]:
        raise _foreign("properties or an order that the engine does not give them")
    if not (abs(vx) <= 1 and abs(vy) <= 1 and abs(rotation) <= 4 * np.pi):
        raise ValueError(f"the agent's velocity ({vx}, {vy}) or rotation {rotation} is not one of play")
    return fields


def write_heist(template: bytes, level: HeistValue) -> bytes:
    """A copy of the Heist state `template` that is in `level`.

    Cells, entities, keys held, level seed (-1 for None), background and theme are the level's; all else, the generators
    and the clock of the episode too, stays as it is. Raises ValueError if the template is no Heist state of the level's
    mode.
    """
    at = _heist_offsets(template)
    world = WORLD_CELLS[level.mode]
    if (at.width, at.height) != (world, world) or at.agent < 0:
        raise ValueError(
            f"a level of mode {level.mode!r} needs a state with an agent in a world of {world}x{world} cells as its "
            f"template; the given one has {at.width}x{at.height} cells"
        )
    entities = _entity_bytes(level.__dict__, _life_time(template, at))
    cells = np.where(level.walls, np.int32(WALL), np.int32(FREE)).astype("<i4", copy=False)
    held = level.held
    front = bytearray(template[: at.entities])
    seed = _NO_SEED if level.level_seed is None else level.level_seed
    _one_int.pack_into(front, at.episode + _SEED, seed)
    _one_int.pack_into(front, at.settings + _MONOCHROME, level.theme == "monochrome")
    _one_int.pack_into(front, at.settings + _BACKGROUNDS, level.background is not None)
    _one_int.pack_into(front, at.entities - 4, len(entities) // _SIZE)
    middle = bytearray(template[at.scene : at.cells])
    if level.background is not None:
        _one_int.pack_into(middle, _INDEX, level.background)
        _one_float.pack_into(middle, _SHIFT, level.background_offset)
    tail = struct.pack(f"<{3 + len(held)}i", len(held), world, len(held), *held)
    return b"".join((front, entities, middle, cells.tobytes(), tail, _END))


def _entity_bytes(level: dict[str, Any], life_time: int) -> bytes:
    """The level's entities in the engine's order, from the fields by name."""
    things = [(cell, offset, _KEYS[COLOURS.index(colour)]) for colour, cell, offset in level["keys"]]
    things += [(cell, MIDDLE, _LOCKS[COLOURS.index(colour)]) for colour, cell in level["locks"]]
    if level["gem"] is not None:
        things.append((level["gem"], level["gem_offset"], _GEM))
    things.sort(key=lambda thing: thing[0])
    ring = len(level["held"])
    entities = bytearray().join([_AGENT, *(record for _, _, record in things), *_RING[:ring]])
    (x, y), (dx, dy) = level["agent"], level["agent_offset"]
    _motion.pack_into(entities, 0, x + dx, y + dy, *level["agent_velocity"])
    _one_float.pack_into(entities, _ROTATION, level["agent_rotation"])
    for number, ((x, y), (dx, dy), _) in enumerate(things, 1):
        _place.pack_into(entities, number * _SIZE, x + dx, y + dy)
    if life_time:
        for start in range(_LIFE, len(entities), _SIZE):
            _one_int.pack_into(entities, start, life_time)
    return bytes(entities)


def _read_held(state: bytes, at: Offsets) -> tuple[bool, ...]:
    length = (at.end - at.tail) // 4
    numbers = struct.unpack_from(f"<{length}i", state, at.tail) if length >= 3 else ()
    flags = numbers[3:]
    if len(numbers) < 3 or numbers[0] != len(flags) or numbers[2] != len(flags) or len(flags) > len(COLOURS):
        raise ValueError(
            f"expected the end of a Heist state to be num_keys, world_dim and has_keys, of as many entries as "
            f"num_keys and at most {len(COLOURS)}; got {list(numbers)}"
        )
    if not set(flags) <= {0, 1}:
        raise ValueError(f"the entries of has_keys are 0 or 1; in this state they are {list(flags)}")
    return tuple(flag == 1 for flag in flags)


def _read_look(state: bytes, at: Offsets) -> dict[str, Any]:
    (has_background,) = _one_int.unpack_from(state, at.settings + _BACKGROUNDS)
    (monochrome,) = _one_int.unpack_from(state, at.settings + _MONOCHROME)
    background, shift = None, 0.0
    if has_background:
        (background,) = _one_int.unpack_from(state, at.scene + _INDEX)
        (shift,) = _one_float.unpack_from(state, at.scene + _SHIFT)
        if not (0 <= background < N_BACKGROUNDS and 0 <= shift <= 1):
            raise ValueError(
                f"background_index must be 0 to {N_BACKGROUNDS - 1} and bg_pct_x 0 to 1; in this state they "
                f"are {background} and {shift}"
            )
    theme = "monochrome" if monochrome else "textured"
    return {"background": background, "background_offset": shift, "theme": theme}


def _cell_of(x: float, y: float, what: str, walls: np.ndarray) -> tuple[Cell, Offset]:
    """The cell of a point and its offset there; ValueError unless it is a free one."""
    size = len(walls)
    if not (0 <= x < size and 0 <= y < size) or walls[int(y), int(x)]:
        raise ValueError(
            f"the {what} must be in a free cell; in this state one is at ({x}, {y}) in the world"
        )
    return (int(x), int(y)), (x - int(x), y - int(y))


def _life_time(state: bytes, at: Offsets) -> int:
    """Steps that the entities have lived: alike for all, as they are made with the level."""
    return _one_int.unpack_from(state, at.agent + _LIFE)[0]


def _by_cell(thing: Key | Lock) -> Cell:
    return thing.cell


def _foreign(what: str) -> ValueError:
    return ValueError(
        "expected the entities of Heist (one agent, keys, locks, a gem, a ring key for each entry of has_keys) as the "
        f"engine makes them; this state has some of {what}. EngineState edits such states"
    )


def _heist_offsets(state: bytes) -> Offsets:
    at = locate(state)
    if at.game != "heist":
        raise ValueError(f"expected a state of the game heist; this one is of {at.game!r}")
    return at
