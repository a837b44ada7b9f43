"""Refuse the states that the engine would not survive: `checked(state)` is the only way of an edited state into it.

When: after every edit through `EngineState`. (`state_write.write_batch` checks what it writes by itself.)
Why: the engine ends the whole process, past any Python `except`, when a state is malformed; other states hang it, draw
garbage, or make the agent vanish, after which the process ends one step later. All of those raise ValueError here.
What is merely odd passes: the agent inside a wall, no goal, two goals, walls everywhere.
Cost: about 150 us a state of the maze.
"""

import re
from dataclasses import fields
from functools import lru_cache

import numpy as np

from procscope.envs.state import EngineState
from procscope.envs.state.layout import (
    ENTITY_DTYPE,
    CoinRunTail,
    EntityRecords,
    HeistTail,
    RandomGenerator,
)
from procscope.envs.state.rules import (
    AGENT_LIMITS,
    ANY_INT,
    ENTITY_LIMITS,
    FINITE,
    FLAG,
    LIMITS,
    MAX_ENTITIES,
    MAX_HALF_SIZE,
    MAX_WORLD_CELLS,
    SEEDS_IN_RANGE,
    TIME_LEFT,
    Limit,
    check_cells,
    check_centres,
    check_limit,
    rules_of,
)

_GENERATOR_WORDS = 624
_GENERATOR_TEXT = re.compile(rb"(?:[0-9]{1,10} ){%d}[0-9]{1,3}" % _GENERATOR_WORDS)
_RING_KEY = 11
"""The type of heist's entities that show, on the ring, which keys are held."""

_NAMES = ENTITY_DTYPE.names or ()
_INTS = [column for column, name in enumerate(_NAMES) if ENTITY_DTYPE[name].kind == "i"]
_FLOATS = [column for column, name in enumerate(_NAMES) if ENTITY_DTYPE[name].kind == "f"]
_ENTITY_LIMITS = [
    ENTITY_LIMITS.get(name, ANY_INT if column in _INTS else FINITE) for column, name in enumerate(_NAMES)
]
_INT_LOW, _INT_HIGH = np.array([_ENTITY_LIMITS[column][:2] for column in _INTS], np.int64).T
_FLOAT_LOW, _FLOAT_HIGH = np.array([_ENTITY_LIMITS[column][:2] for column in _FLOATS], np.float32).T


def checked(state: EngineState) -> bytes:
    """The bytes of a state that the engine plays; ValueError as by `validate`. They stay below `MAX_STATE_BYTES`."""
    validate(state)
    return state.serialise()


def validate(state: EngineState) -> None:
    """ValueError, with what was expected, what was given and how to mend it, for a state that is not safe to play."""
    rules = rules_of(state.game)
    for part in ("settings", "episode", "scene", "view", "tail"):
        _check_part(part, getattr(state, part))
    settings, episode = state.settings, state.episode
    if settings.distribution_mode not in rules.modes:
        raise ValueError(
            f"expected settings.distribution_mode of {state.game} ({rules.modes}); got {settings.distribution_mode}"
        )
    check_limit(
        "settings.level_seed_high - level_seed_low",
        settings.level_seed_high - settings.level_seed_low,
        SEEDS_IN_RANGE,
    )
    check_limit("episode.timeout - cur_time", episode.timeout - episode.cur_time, TIME_LEFT)
    background = Limit(0, rules.backgrounds - 1, f"{state.game} has {rules.backgrounds} backgrounds")
    check_limit("scene.background_index", state.scene.background_index, background)
    for name in ("level_generator", "content_generator", "asset_generator"):
        _check_generator(name, getattr(state, name))
    _check_world(state)
    _check_entities(state)
    if isinstance(state.tail, CoinRunTail):
        check_limit(
            "tail.wall_theme",
            state.tail.wall_theme,
            Limit(0, rules.wall_themes - 1, "It is a theme of walls"),
        )
    if isinstance(state.tail, HeistTail):
        _check_keys(state.tail, state.entities)


def _check_part(name: str, part: object) -> None:
    limits = LIMITS[name]
    for field in fields(part):  # pyright: ignore[reportArgumentType]
        if field.type not in (int, float):
            continue
        low, high, _ = limit = limits.get(field.name, FINITE if field.type is float else ANY_INT)
        value = getattr(part, field.name)
        if not low <= value <= high:
            check_limit(f"{name}.{field.name}", value, limit)


def _check_generator(name: str, generator: RandomGenerator) -> None:
    # The asset generator is seeded only once it has drawn a picture, and seeds itself then.
    seeded = (
        FLAG if name == "asset_generator" else Limit(1, 1, "The engine ends the process at the next draw")
    )
    check_limit(f"{name}.is_seeded", generator.is_seeded, seeded)
    if not _is_mt19937(generator.text):
        raise ValueError(
            f"expected {name}.text of {_GENERATOR_WORDS} words below 2**32, not all zero, and a position up to "
            f"{_GENERATOR_WORDS}, in decimal with single blanks between; got {len(generator.text)} bytes that begin "
            f"with {generator.text[:40]!r}. RandomGenerator.from_seed makes one"
        )


@lru_cache(maxsize=256)  # an editor checks the same texts again and again
def _is_mt19937(text: bytes) -> bool:
    if not _GENERATOR_TEXT.fullmatch(text):
        return False
    *words, position = map(int, text.split(b" "))
    return 0 < max(words) < 2**32 and position <= _GENERATOR_WORDS


def _check_world(state: EngineState) -> None:
    height, width = state.grid.shape
    view, rules = state.view, rules_of(state.game)
    if (view.main_width, view.main_height) != (width, height):
        raise ValueError(
            f"expected view.main_width and main_height as the grid's {width}x{height}; got "
            f"{view.main_width}x{view.main_height}. with_grid changes them together"
        )
    if width * height > MAX_WORLD_CELLS or min(width, height) < 3:
        raise ValueError(
            f"expected a grid of at least 3x3 and at most {MAX_WORLD_CELLS} cells; got {width}x{height}. "
            "Surround a smaller level with wall"
        )
    check_cells(state.game, state.grid)
    outside = Limit(
        rules.wall, rules.wall, "Outside the world is wall; else the agent can leave it and vanishes"
    )
    check_limit("view.out_of_bounds_object", view.out_of_bounds_object, outside)


def _check_entities(state: EngineState) -> None:
    entities = state.entities
    agents = np.flatnonzero(entities["type"] == 0)
    if len(agents) != 1:
        raise ValueError(
            f"expected one agent, an entity of type 0; got {len(agents)} among {len(entities)} entities. "
            "Without one the engine ends the process; of several, only the last would play"
        )
    check_limit(
        "the number of entities", len(entities), Limit(1, MAX_ENTITIES, "More make a step take seconds")
    )
    _check_entity_limits(entities)
    steps_left = np.maximum(entities["expire_time"].astype(float) - entities["life_time"] + 1, 0)
    forever = (entities["grow_rate"] > 1) & (entities["expire_time"] <= 0)
    half_size = np.maximum(entities["rx"], entities["ry"]).astype(float)
    with np.errstate(over="ignore", invalid="ignore"):
        last = half_size * np.where(forever, np.inf, np.maximum(entities["grow_rate"], 1.0) ** steps_left)
    grown = Limit(0, MAX_HALF_SIZE, "It grows with grow_rate until expire_time; great sizes hang the engine")
    check_limit("the entities' half size at their end", np.where(half_size > 0, last, 0), grown, "entity")
    agent = entities[agents]
    for name, limit in AGENT_LIMITS.items():
        check_limit(f"the agent's {name}", agent[name].item(), limit)
    height, width = state.grid.shape
    check_centres(agent["x"], agent["y"], width, height)
    themes = rules_of(state.game).image_themes
    for index, (image, theme) in enumerate(
        zip(entities["image_type"].tolist(), entities["image_theme"].tolist(), strict=True)
    ):
        if not 0 <= theme < themes.get(image, 0):
            raise ValueError(
                f"expected an image_type and image_theme of {state.game} (image: number of themes {themes}); got "
                f"{image} with theme {theme} at entity {index}. Others end the engine's process"
            )


def _check_entity_limits(entities: EntityRecords) -> None:
    shape = (len(entities), len(_NAMES))
    for columns, words, low, high in (
        (_INTS, entities.view("<i4").reshape(shape), _INT_LOW, _INT_HIGH),
        (_FLOATS, entities.view("<f4").reshape(shape), _FLOAT_LOW, _FLOAT_HIGH),
    ):
        values = words[:, columns]
        good = (values >= low) & (values <= high)
        if not good.all():
            column = columns[int(np.argmin(good.all(axis=0)))]
            check_limit(f"the entities' {_NAMES[column]}", words[:, column], _ENTITY_LIMITS[column], "entity")


def _check_keys(tail: HeistTail, entities: EntityRecords) -> None:
    count = len(tail.has_keys)
    check_limit("tail.num_keys", tail.num_keys, Limit(count, count, "It is the length of has_keys"))
    check_limit("the number of has_keys", count, Limit(0, 3, "There are three key colours"))
    for held in tail.has_keys:
        check_limit("tail.has_keys", held, Limit(0, 1, "It is a flag"))
    coloured = np.isin(entities["type"], (1, 2, _RING_KEY))
    check_limit(
        "the image_theme of doors and keys",
        entities["image_theme"][coloured],
        Limit(0, count - 1, "The engine reads has_keys at this place, past its end"),
        "key or door",
    )
