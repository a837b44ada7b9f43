"""Heist's entities as the engine makes them: agent, keys, locks, gem, and the keys on the ring of those held.

When: in `bytes.py`, and where the sizes of things matter, as in `motion.py` and `labels.py`.

Source: procgen's heist.cpp: order of the entities (agent; keys, locks and gem by x, then by y; one key on the ring for
each entry of has_keys), their half sizes, and the places on the ring.
"""

from struct import Struct
from typing import NamedTuple

import numpy as np

from procscope.envs.heist.things import COLOURS, MIDDLE
from procscope.envs.heist.value import HeistValue
from procscope.envs.state.layout import ENTITY_DTYPE
from procscope.envs.state.offsets import Offsets, field_offset

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

RECORD_BYTES = ENTITY_DTYPE.itemsize

_ROTATION = field_offset(ENTITY_DTYPE, "rotation")
_LIFE = field_offset(ENTITY_DTYPE, "life_time")
_place, _motion, _int, _float = (Struct(f"<{code}") for code in ("2f", "4f", "i", "f"))
_head = Struct("<2f16xi4xi")
"""x, y, type and image_theme of a record."""


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


_RECORDS = {(AGENT, 0): _record(AGENT), (GEM, 0): _record(GEM)} | {
    (kind, theme): _record(kind, theme) for kind in (KEY, LOCK, RING_KEY) for theme in range(len(COLOURS))
}
"""By kind and theme."""

_REST = ((_LIFE + 4, RECORD_BYTES),)
_FIXED = dict.fromkeys((KEY, LOCK, GEM), ((_place.size, _LIFE), *_REST)) | {
    AGENT: ((_motion.size, _ROTATION), (_ROTATION + 4, _LIFE), *_REST),
    RING_KEY: ((0, _LIFE), *_REST),
}
"""By kind: the bytes of a record, from and to, that are the same in all levels."""

_KEYS, _LOCKS, _RING = (
    {colour: _RECORDS[kind, theme] for theme, colour in enumerate(COLOURS)} for kind in (KEY, LOCK, RING_KEY)
)


class Record(NamedTuple):
    """What tells an entity from others of the game."""

    x: float
    y: float
    kind: int
    theme: int


def read_records(state: bytes, at: Offsets) -> list[Record]:
    """The entities of a state, in order."""
    return [
        Record._make(_head.unpack_from(state, start)) for start in range(at.entities, at.scene, RECORD_BYTES)
    ]


def life_time(state: bytes, agent: int) -> int:
    """Steps that the entities have lived: alike for all, as they are made with the level."""
    return _int.unpack_from(state, agent + _LIFE)[0]


def all_as_made(state: bytes, at: Offsets, records: list[Record]) -> bool:
    """Whether the entities have the properties that the engine gives them, all but their places.

    Of the agent, motion and turn are its own too. All must have lived as long.
    """
    lived = _int.pack(life_time(state, at.agent))
    start = at.entities
    for _, _, kind, theme in records:
        made = _RECORDS.get((kind, theme))
        if made is None or state[start + _LIFE : start + _LIFE + 4] != lived:
            return False
        for first, last in _FIXED[kind]:
            if state[start + first : start + last] != made[first:last]:
                return False
        start += RECORD_BYTES
    return True


def entity_bytes(level: HeistValue, lived: int) -> bytes:
    """The level's entities in the engine's order, after so many steps of their life."""
    things = [(key.cell, key.offset, _KEYS[key.colour]) for key in level.keys]
    things += [(lock.cell, MIDDLE, _LOCKS[lock.colour]) for lock in level.locks]
    if level.gem is not None:
        things.append((level.gem, level.gem_offset, _RECORDS[GEM, 0]))
    things.sort(key=lambda thing: thing[0])
    ring = [_RING[colour] for colour in COLOURS[: len(level.held)]]
    entities = bytearray().join([_RECORDS[AGENT, 0], *(record for _, _, record in things), *ring])
    (x, y), (dx, dy) = level.agent, level.agent_offset
    _motion.pack_into(entities, 0, x + dx, y + dy, *level.agent_velocity)
    _float.pack_into(entities, _ROTATION, level.agent_rotation)
    for number, ((x, y), (dx, dy), _) in enumerate(things, 1):
        _place.pack_into(entities, number * RECORD_BYTES, x + dx, y + dy)
    if lived:
        for start in range(_LIFE, len(entities), RECORD_BYTES):
            _int.pack_into(entities, start, lived)
    return bytes(entities)
