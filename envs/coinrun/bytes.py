"""A CoinRun level in the engine's state bytes: read out of them, and written into them.

What: `read_coinrun` gives the fields of the level that a state is in, `write_coinrun` puts a level into a copy of a
state and leaves every other byte alone, the generators above all: what the engine draws next stays its own.
When: through `CoinRunLevel.from_state` and `to_state`. For many states at once, read or edited as arrays, see
`state/batch.py`.
Cost: about 40 microseconds to read and 15 to write (the benchmark is in `benchmarks/labels.py`).

A state holds more than a level: the clock, the last action, the view's width. They stay as in the template. The last
action and the clock choose the agent's picture (standing or one of two walking), so an edit of a state in mid-episode
shows the agent in the pose of that moment.

Axes: y = cell row, counted upwards; x = cell column, counted to the right.
"""

import struct
from typing import Any

import numpy as np

from procscope.envs.coinrun.cells import CELL_NAMES, WORLD_CELLS, unknown_cell
from procscope.envs.coinrun.entities import check_entities
from procscope.envs.coinrun.value import WALL_THEMES, CoinRunValue, Memory
from procscope.envs.state.layout import ENTITY_DTYPE
from procscope.envs.state.look import offsets_in, read_look, read_mode, write_look
from procscope.envs.state.offsets import Offsets

_TAIL = struct.Struct("<f4i")
"""last_agent_y, wall_theme, has_support, facing_right, is_on_crate; gravity and air_control follow."""

_CELL_BYTES = 4 * WORLD_CELLS * WORLD_CELLS


def read_coinrun(state: bytes) -> dict[str, Any]:
    """The CoinRun level that the state is in, as the fields of `CoinRunValue` by name.

    Raises ValueError for a state of another game, and for one that no level describes: another world than 64 x 64,
    cells or entities of unknown kind or out of range, no agent or two, the agent in a wall.
    """
    at = _coinrun_offsets(state)
    cells = np.frombuffer(state[at.cells : at.cells + _CELL_BYTES], "<i4").reshape(WORLD_CELLS, WORLD_CELLS)
    wrong = unknown_cell(cells)
    if wrong is not None:
        x, y = wrong
        raise ValueError(
            f"the cells of CoinRun are {sorted(CELL_NAMES.values())}; in this state ({x}, {y}) is {cells[y, x]}"
        )
    entities = np.frombuffer(state[at.entities : at.scene], ENTITY_DTYPE)
    agent_index = check_entities(entities)
    last_y, wall_theme, has_support, facing_right, is_on_crate = _TAIL.unpack_from(state, at.tail)
    if not 0 <= wall_theme < WALL_THEMES:
        raise ValueError(f"wall_theme must be 0 to {WALL_THEMES - 1}; in this state it is {wall_theme}")
    if not abs(last_y) <= 1e9:
        raise ValueError(f"last_agent_y must be a height in cells; in this state it is {last_y}")
    values = {
        "cells": cells,
        "entities": entities,
        "wall_theme": wall_theme,
        "memory": Memory(last_y, has_support > 0, facing_right > 0, is_on_crate > 0),
        "agent_index": agent_index,
        "mode": read_mode(state, at),
        **read_look(state, at),
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
    mode = read_mode(template, at)
    if mode != level.mode:
        raise ValueError(
            f"a level of mode {level.mode!r} needs a CoinRun state of that mode as its template; the given one is of "
            f"mode {mode!r}. level.with_mode(...) changes the mode"
        )
    state = bytearray(template)
    memory = level.memory
    assert memory is not None
    last_y, *flags = memory
    _TAIL.pack_into(state, at.tail, last_y, level.wall_theme, *flags)
    write_look(state, at, level)
    state[at.cells : at.cells + _CELL_BYTES] = level.cells.tobytes()
    # Last, as it changes the length.
    state[at.entities - 4 : at.scene] = struct.pack("<i", len(level.entities)) + level.entities.tobytes()
    return bytes(state)


def _coinrun_offsets(state: bytes) -> Offsets:
    at = offsets_in(state, "coinrun")
    if (at.width, at.height) != (WORLD_CELLS, WORLD_CELLS):
        raise ValueError(
            f"the world of CoinRun has {WORLD_CELLS}x{WORLD_CELLS} cells; in this state it has {at.width}x{at.height}"
        )
    return at
