"""A CoinRun level in the engine's state bytes: read out of them, and written into them.

What: `read_coinrun` gives the fields of the level that a state is in, `write_coinrun` puts a level into a copy of a
state and leaves every other byte alone, the generators above all: what the engine draws next stays its own.
When: through `CoinRunLevel.from_state` and `to_state`. For many states at once, read or edited as arrays, see
`state/batch.py`.
Cost: about 60 microseconds to read and 20 to write (the benchmark is in `benchmarks/editing.py`).

A state holds more than a level: the clock, the last action, the view's width. They stay as in the template. The last
action and the clock choose the agent's picture (standing or one of two walking), so an edit of a state in mid-episode
shows the agent in the pose of that moment.

Axes: y = cell row, counted upwards; x = cell column, counted to the right.
"""

import struct
from typing import Any

import numpy as np

from procscope.envs.coinrun.entities import check_entities
from procscope.envs.coinrun.value import (
    IS_KNOWN,
    N_BACKGROUNDS,
    WALL_THEMES,
    WORLD_CELLS,
    CoinRunValue,
    Memory,
)
from procscope.envs.state.layout import ENTITY_DTYPE
from procscope.envs.state.offsets import EPISODE_DTYPE, SCENE_DTYPE, SETTINGS_DTYPE, Offsets, locate

_MODES = {0: "easy", 1: "hard"}
_NO_SEED = -1
_TAIL = struct.Struct("<f4i")
"""last_agent_y, wall_theme, has_support, facing_right, is_on_crate; gravity and air_control follow."""


def _offset(dtype: np.dtype, name: str) -> int:
    return dtype.fields[name][1]  # pyright: ignore[reportOptionalSubscript]


_MONOCHROME = _offset(SETTINGS_DTYPE, "use_monochrome_assets")
_BACKGROUNDS = _offset(SETTINGS_DTYPE, "use_backgrounds")
_MODE = _offset(SETTINGS_DTYPE, "distribution_mode")
_SEED = _offset(EPISODE_DTYPE, "current_level_seed")
_INDEX = _offset(SCENE_DTYPE, "background_index")
_SHIFT = _offset(SCENE_DTYPE, "bg_pct_x")
_CELL_BYTES = 4 * WORLD_CELLS * WORLD_CELLS


def read_coinrun(state: bytes) -> dict[str, Any]:
    """The CoinRun level that the state is in, as the fields of `CoinRunValue` by name.

    Raises ValueError for a state of another game, and for one that no level describes: another world than 64 x 64,
    cells or entities of unknown kind or out of range, no agent or two, the agent in a wall.
    """
    at = _coinrun_offsets(state)
    (number,) = struct.unpack_from("<i", state, at.settings + _MODE)
    if number not in _MODES:
        raise ValueError(
            f"distribution_mode of CoinRun must be one of {_MODES}; in this state it is {number}"
        )
    cells = np.frombuffer(state[at.cells : at.cells + _CELL_BYTES], "<i4").reshape(WORLD_CELLS, WORLD_CELLS)
    known = IS_KNOWN.take(cells, mode="clip")
    if not known.all():
        y, x = (int(place) for place in np.argwhere(~known)[0])
        raise ValueError(
            f"the cells of CoinRun are {np.flatnonzero(IS_KNOWN).tolist()}; in this state ({x}, {y}) is {cells[y, x]}"
        )
    entities = np.frombuffer(state[at.entities : at.scene], ENTITY_DTYPE)
    agent_index = check_entities(entities)
    last_y, wall_theme, has_support, facing_right, is_on_crate = _TAIL.unpack_from(state, at.tail)
    if not 0 <= wall_theme < WALL_THEMES:
        raise ValueError(f"wall_theme must be 0 to {WALL_THEMES - 1}; in this state it is {wall_theme}")
    if not abs(last_y) <= 1e9:
        raise ValueError(f"last_agent_y must be a height in cells; in this state it is {last_y}")
    (seed,) = struct.unpack_from("<i", state, at.episode + _SEED)
    (has_background,) = struct.unpack_from("<i", state, at.settings + _BACKGROUNDS)
    (monochrome,) = struct.unpack_from("<i", state, at.settings + _MONOCHROME)
    background, offset = None, 0.0
    if has_background:
        (background,) = struct.unpack_from("<i", state, at.scene + _INDEX)
        (offset,) = struct.unpack_from("<f", state, at.scene + _SHIFT)
        if not (0 <= background < N_BACKGROUNDS and 0 <= offset <= 1):
            raise ValueError(
                f"background_index must be 0 to {N_BACKGROUNDS - 1} and bg_pct_x 0 to 1; in this state they are "
                f"{background} and {offset}"
            )
    values = {
        "cells": cells,
        "entities": entities,
        "mode": _MODES[number],
        "level_seed": None if seed < 0 else seed,
        "background": background,
        "background_offset": offset,
        "wall_theme": wall_theme,
        "theme": "monochrome" if monochrome else "textured",
        "memory": Memory(last_y, has_support > 0, facing_right > 0, is_on_crate > 0),
        "agent_index": agent_index,
    }
    CoinRunValue.trusted(values).require_agent_outside_walls()
    return values


def write_coinrun(template: bytes, level: CoinRunValue) -> bytes:
    """A copy of the CoinRun state `template` that is in `level`.

    Cells, entities, level seed (-1 for None), background, themes and what is remembered of the agent's last step are
    the level's; all else, the generators and the clock of the episode too, stays as it is. Raises ValueError if the
    template is no CoinRun state of the level's mode.
    """
    at = _coinrun_offsets(template)
    (number,) = struct.unpack_from("<i", template, at.settings + _MODE)
    if _MODES.get(number) != level.mode:
        raise ValueError(
            f"a level of mode {level.mode!r} needs a CoinRun state of that mode as its template; the given one has "
            f"distribution_mode {number} ({_MODES}). level.with_mode(...) changes the mode"
        )
    state = bytearray(template)
    memory = level.memory
    assert memory is not None
    _TAIL.pack_into(
        state,
        at.tail,
        memory.last_agent_y,
        level.wall_theme,
        memory.has_support,
        memory.facing_right,
        memory.is_on_crate,
    )
    state[at.cells : at.cells + _CELL_BYTES] = level.cells.tobytes()
    seed = _NO_SEED if level.level_seed is None else level.level_seed
    struct.pack_into("<i", state, at.episode + _SEED, seed)
    struct.pack_into("<i", state, at.settings + _MONOCHROME, level.theme == "monochrome")
    struct.pack_into("<i", state, at.settings + _BACKGROUNDS, level.background is not None)
    if level.background is not None:
        struct.pack_into("<i", state, at.scene + _INDEX, level.background)
        struct.pack_into("<f", state, at.scene + _SHIFT, level.background_offset)
    # Last, as it changes the length.
    state[at.entities - 4 : at.scene] = struct.pack("<i", len(level.entities)) + level.entities.tobytes()
    return bytes(state)


def _coinrun_offsets(state: bytes) -> Offsets:
    at = locate(state)
    if at.game != "coinrun":
        raise ValueError(f"expected a state of the game coinrun; this one is of {at.game!r}")
    if (at.width, at.height) != (WORLD_CELLS, WORLD_CELLS):
        raise ValueError(
            f"the world of CoinRun has {WORLD_CELLS}x{WORLD_CELLS} cells; in this state it has {at.width}x{at.height}"
        )
    return at
