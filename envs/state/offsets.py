"""Where the fields of one state lie in its bytes: found by walking the texts that vary in length, and nothing else.

When: to read or patch a few fields of many states (`state/batch.py`); to read one state whole, use `state/value.py`.
Cost: about 3 microseconds a state. A maze state is 21 kB, nearly all of it the generators' texts, which are skipped.
The offsets are right for any state that `EngineState.parse` takes; of malformed bytes only the gross errors are
noticed.
"""

from struct import Struct, error
from typing import NamedTuple

from numpy import dtype

from procscope.envs.state.layout import (
    END_MARKER,
    ENTITY_DTYPE,
    EngineSettings,
    Episode,
    Scene,
    View,
    record_dtype,
)

SETTINGS_DTYPE = record_dtype(EngineSettings)
EPISODE_DTYPE = record_dtype(Episode)
SCENE_DTYPE = record_dtype(Scene)
VIEW_DTYPE = record_dtype(View)


def field_offset(record: dtype, name: str) -> int:
    """Bytes from a record's start to one of its fields."""
    return (record.fields or {})[name][1]


_SETTINGS, _EPISODE = SETTINGS_DTYPE.itemsize, EPISODE_DTYPE.itemsize
_SCENE, _VIEW = SCENE_DTYPE.itemsize, VIEW_DTYPE.itemsize
_ENTITY = ENTITY_DTYPE.itemsize
_ENTITY_WORDS = _ENTITY // 4
_TYPE_WORD = list(ENTITY_DTYPE.names or ()).index("type")

_int_at = Struct("<i").unpack_from
_three_ints_at = Struct("<iii").unpack_from
_end_mark = END_MARKER.to_bytes(4, "little")


class Offsets(NamedTuple):
    """Byte offsets into one state, and the counts found on the way.

    `settings`, `episode`, `scene`, `view` are where those parts (see `state/layout.py`) begin; `entities` is the first
    of `entity_count` records, `agent` the record of the agent (the last entity of type 0; -1 when there is none);
    `cells` the first of `width` * `height` cells, y-major; `tail` the game's own fields, `end` the end marker.
    """

    game: str
    settings: int
    level_generator: int
    content_generator: int
    episode: int
    entities: int
    entity_count: int
    agent: int
    scene: int
    asset_generator: int
    view: int
    width: int
    height: int
    cells: int
    tail: int
    end: int


def locate(raw: bytes) -> Offsets:
    """The offsets of one state's fields. ValueError when the bytes cannot be walked to their end marker."""
    try:
        settings = 8 + _int_at(raw, 4)[0]
        game = raw[8:settings].decode()
        level_generator = settings + _SETTINGS
        content_generator = level_generator + 8 + _int_at(raw, level_generator + 4)[0]
        episode = content_generator + 8 + _int_at(raw, content_generator + 4)[0]
        entities = episode + _EPISODE + 8
        entity_count = _int_at(raw, entities - 4)[0]
        scene = entities + entity_count * _ENTITY
        asset_generator = scene + _SCENE
        view = asset_generator + 8 + _int_at(raw, asset_generator + 4)[0]
        width, height, cell_count = _three_ints_at(raw, view + _VIEW)
        cells = view + _VIEW + 12
        tail = cells + 4 * cell_count
        if entity_count == 1:
            agent = entities if _int_at(raw, entities + 4 * _TYPE_WORD)[0] == 0 else -1
        else:
            types = memoryview(raw)[entities:scene].cast("i")[_TYPE_WORD::_ENTITY_WORDS].tolist()
            last = len(types) - 1
            while last >= 0 and types[last]:
                last -= 1
            agent = entities + last * _ENTITY if last >= 0 else -1
    except (error, TypeError, UnicodeDecodeError) as problem:
        raise _malformed(raw) from problem
    end = len(raw) - 4
    if cell_count != width * height or not cells <= tail <= end or not raw.endswith(_end_mark):
        raise _malformed(raw)
    return Offsets(
        game,
        settings,
        level_generator,
        content_generator,
        episode,
        entities,
        entity_count,
        agent,
        scene,
        asset_generator,
        view,
        width,
        height,
        cells,
        tail,
        end,
    )


def _malformed(raw: bytes) -> ValueError:
    return ValueError(
        f"expected a whole state from the engine; {len(raw)} bytes cannot be walked from version to end marker. "
        "EngineState.parse names the field that is wrong"
    )
