"""What moves and stands in a CoinRun level beside its cells: the engine's entity records, made and checked.

What: `saw(x, y)`, `enemy(x, y)`, `crate(x, y)` and `agent(x, y)` make one record each, as the engine's
generator makes them; a level holds them joined in one array, in drawing order (`CoinRunValue.entities`).
When: to give `CoinRunLevel` its entities, or to add one with `with_entities`.
Cost: checking the entities of a level takes about 20 microseconds.
Source: `coinrun.cpp` and `entity.cpp` of procgen 0.10.7; every default compared with levels of the engine.

Places are centres in cells of the world: the middle of the bottom-left cell is (0.5, 0.5).
"""

from collections.abc import Iterable
from operator import index
from typing import SupportsFloat

import numpy as np
from jaxtyping import Bool

from procscope.envs.state.layout import ENTITY_DTYPE, EntityRecords
from procscope.envs.state.rules import (
    AGENT_LIMITS,
    ANY_INT,
    ENTITY_LIMITS,
    FINITE,
    MAX_ENTITIES,
    MAX_HALF_SIZE,
    RULES,
    check_limit,
)

Number = float | int

AGENT, SAW, ENEMY, CRATE, TRAIL = 0, 2, 5, 20, 59
"""The engine's types."""
DECORATIONS = range(60, 100)
"""Types that the engine draws and otherwise leaves alone."""
KINDS: dict[str, int] = {"agent": AGENT, "saw": SAW, "enemy": ENEMY, "crate": CRATE, "trail": TRAIL}
"""Names of the types; `decoration` stands for any of `DECORATIONS`."""
OBSTACLES = ("saw", "enemy", "crate")

AGENT_HALF_WIDTH, AGENT_HALF_HEIGHT = 0.5, 0.5787
AGENT_THEMES, ENEMY_THEMES, CRATE_THEMES = 5, 9, 4
ENEMY_SPEED = 0.15
"""Cells a step."""
UNDRAWN = 5
"""A `render_z` at which the engine draws nothing: -1, 0 and 1 are drawn."""

_PLAIN = {
    "rx": 0.5,
    "ry": 0.5,
    "fire_time": -1,
    "spawn_time": -1,
    "expire_time": -1,
    "friction": 1.0,
    "auto_erase": 1,
    "alpha": 1.0,
    "health": 1.0,
    "theta": -100.0,
    "grow_rate": 1.0,
    "alpha_decay": 1.0,
}
_OWN = {
    "agent": {"ry": AGENT_HALF_HEIGHT, "render_z": 1, "smart_step": 1},
    "saw": {},
    "enemy": {"image_type": 6, "render_z": 1, "smart_step": 1},
    "crate": {},
    "trail": {
        "rx": 0.3,
        "ry": 0.2,
        "vy": 0.01,
        "expire_time": 8,
        "alpha": 0.5,
        "grow_rate": 1.05,
        "alpha_decay": 0.8,
    },
    "decoration": {},
}
_NAMES = ENTITY_DTYPE.names or ()
_FLOATS = [column for column, name in enumerate(_NAMES) if ENTITY_DTYPE[name].kind == "f"]
_LIMITS = [
    ENTITY_LIMITS.get(name, FINITE if column in _FLOATS else ANY_INT) for column, name in enumerate(_NAMES)
]
_MASK, _HIGH = np.zeros((2, len(_NAMES)), np.uint32)
"""A word of a record is surely in range if the bits under the mask, as a number, are at most the high one: a float's
order is that of its bits without the sign. One comparison for all columns; what fails is looked at more closely."""
for _column, _limit in enumerate(_LIMITS):
    if _column in _FLOATS:
        _MASK[_column] = 0xFFFFFFFF if _limit.low == 0 else 0x7FFFFFFF
        _HIGH[_column] = np.float32(_limit.high if _limit.low == 0 else min(-_limit.low, _limit.high)).view(
            np.uint32
        )
    elif _limit is not ANY_INT:
        _MASK[_column], _HIGH[_column] = 0xFFFFFFFF, int(_limit.high)
_AGENT_LIMITS = [(_NAMES.index(name), limit) for name, limit in AGENT_LIMITS.items()]
_THEMES = np.zeros(128, np.uint32)
for _image, _themes in RULES["coinrun"].image_themes.items():
    _THEMES[_image] = _themes
_KNOWN = np.zeros(128, bool)
_KNOWN[[*KINDS.values(), *DECORATIONS]] = True
_TYPE, _IMAGE, _THEME = (_NAMES.index(name) for name in ("type", "image_type", "image_theme"))
_GROWTH = _NAMES.index("grow_rate")
_ONE = np.float32(1).view(np.uint32)


def entity(kind: str, x: Number, y: Number, **fields: Number) -> EntityRecords:
    """One record of a kind with its centre at (x, y): as the engine makes it, but for the fields given.

    Kinds: agent, saw, enemy, crate, trail, and decoration, which takes its `type` (60 to 99) and `image_type`.
    Raises ValueError for another kind or field.
    """
    if not isinstance(kind, str) or kind not in _OWN:
        raise ValueError(f"the kind of an entity must be one of {', '.join(_OWN)}; given: {kind!r}")
    type_number = KINDS.get(kind, DECORATIONS.start)
    values = (
        _PLAIN | {"type": type_number, "image_type": type_number} | _OWN[kind] | {"x": x, "y": y} | fields
    )
    record = np.zeros(1, ENTITY_DTYPE)
    for name, value in values.items():
        if name not in _NAMES:
            raise ValueError(f"the fields of an entity are {', '.join(_NAMES)}; given: {name!r:.80}")
        record[name] = entity_number(name, value)
    return record


def entity_number(name: str, value: SupportsFloat) -> Number:
    """A value for a field of an entity as its kind of number; ValueError for what is none, or does not fit."""
    try:
        if ENTITY_DTYPE[name].kind == "f":
            number = float(value)
            with np.errstate(over="ignore"):  # becomes infinite, which the limits refuse
                np.float32(number)
            return number
        number = index(value)  # pyright: ignore[reportArgumentType]
        np.int32(number)
    except (OverflowError, TypeError, ValueError):
        raise ValueError(
            f"expected a number that fits the field {name} of an entity; given: {value!r:.80}"
        ) from None
    return number


def saw(x: Number, y: Number) -> EntityRecords:
    """A saw: standing still, deadly."""
    return entity("saw", x, y)


def enemy(x: Number, y: Number, *, vx: Number = ENEMY_SPEED, theme: int = 0) -> EntityRecords:
    """A walking enemy: deadly; turns at walls and barriers, walks on air. `vx` in cells a step, `theme` 0 to 8."""
    return entity("enemy", x, y, vx=vx, image_theme=theme)


def crate(x: Number, y: Number, *, theme: int = 0) -> EntityRecords:
    """A crate: the agent passes through it, and stands on it when it comes from above. `theme` 0 to 3."""
    return entity("crate", x, y, image_theme=theme)


def agent(x: Number, y: Number, *, vx: Number = 0.0, vy: Number = 0.0, theme: int = 0) -> EntityRecords:
    """The agent with its velocity in cells a step. `theme`, its colour, 0 to 4."""
    return entity("agent", x, y, vx=vx, vy=vy, image_theme=theme)


def obstacle(kind: str, x: Number, y: Number) -> EntityRecords:
    """A saw, an enemy (that walks to the right) or a crate, by name."""
    if kind not in OBSTACLES:
        raise ValueError(f"an obstacle must be one of {', '.join(OBSTACLES)}; given: {kind!r}")
    return enemy(x, y) if kind == "enemy" else entity(kind, x, y)


def kind_of(type_number: int) -> str:
    """The name of a type."""
    return next((kind for kind, number in KINDS.items() if number == type_number), "decoration")


def is_obstacle(entities: EntityRecords) -> Bool[np.ndarray, " entity"]:
    """True for saws, enemies and crates."""
    return np.isin(entities["type"], (SAW, ENEMY, CRATE))


def joined(records: Iterable[EntityRecords]) -> EntityRecords:
    """Records in one read-only array, in order."""
    try:
        return frozen_entities(np.concatenate([np.zeros(0, ENTITY_DTYPE), *map(frozen_entities, records)]))
    except TypeError:
        raise _no_records(records) from None


def frozen_entities(entities: EntityRecords) -> EntityRecords:
    """A copy on immutable memory; ValueError unless it is a one-dimensional array of `ENTITY_DTYPE`."""
    if not isinstance(entities, np.ndarray) or entities.dtype != ENTITY_DTYPE or entities.ndim != 1:
        raise _no_records(entities)
    return np.frombuffer(entities.tobytes(), ENTITY_DTYPE)


def _no_records(given: object) -> ValueError:
    return ValueError(
        "entities must be records made by saw(), enemy(), crate() or agent(), joined in one array; "
        f"given: {given!r:.80}"
    )


def check_entities(entities: EntityRecords) -> int:
    """The agent's place in the list. ValueError unless the engine plays these entities in CoinRun.

    There must be one agent, and every record within the limits of `envs/state/rules.py`: others hang the engine or
    end its process.
    """
    count = len(entities)
    words = entities.view(np.uint32).reshape(count, len(_NAMES))
    if not ((words & _MASK) <= _HIGH).all():
        for name, limit in zip(_NAMES, _LIMITS, strict=True):
            check_limit(f"the entities' {name}", entities[name], limit, "entity")
    types, images, themes = words[:, _TYPE], words[:, _IMAGE], words[:, _THEME]
    if not _KNOWN[types].all():
        place = int(np.argmin(_KNOWN[types]))
        raise ValueError(
            f"expected entities of CoinRun, of the types {KINDS} or a decoration ({DECORATIONS.start} to "
            f"{DECORATIONS.stop - 1}); got type {types[place]} at entity {place}"
        )
    has_image = themes < _THEMES.take(images, mode="clip")
    if not has_image.all():
        place = int(np.argmin(has_image))
        raise ValueError(
            "expected an image_type and image_theme of CoinRun (image: number of themes "
            f"{RULES['coinrun'].image_themes}); got {entities['image_type'][place]} with theme "
            f"{entities['image_theme'][place]} at "
            f"entity {place}"
        )
    of_type = types.tolist()
    if of_type.count(AGENT) != 1:
        raise ValueError(f"a level has one agent; given: {of_type.count(AGENT)} among {count} entities")
    if count > MAX_ENTITIES:
        raise ValueError(f"a level has at most {MAX_ENTITIES} entities; given: {count}")
    if (words[:, _GROWTH] > _ONE).any():  # the bits of positive floats are in their order
        _check_growth(entities)
    place = of_type.index(AGENT)
    player = entities[place].item()
    for column, limit in _AGENT_LIMITS:
        if not limit.low <= player[column] <= limit.high:
            check_limit(f"the agent's {_NAMES[column]}", player[column], limit)
    return place


def _check_growth(entities: EntityRecords) -> None:
    """ValueError for entities that would grow beyond what the engine survives before they vanish."""
    growing = entities[entities["grow_rate"] > 1]
    steps = growing["expire_time"].astype(float) - growing["life_time"] + 1
    half_size = np.maximum(growing["rx"], growing["ry"]).astype(float)
    with np.errstate(over="ignore"):
        last = half_size * growing["grow_rate"].astype(float) ** np.maximum(steps, 0)
    too_large = (last > MAX_HALF_SIZE) | (growing["expire_time"] <= 0)
    if (too_large & (half_size > 0)).any():
        raise ValueError(
            f"entities that grow must expire before their half size exceeds {MAX_HALF_SIZE} cells; set expire_time"
        )
