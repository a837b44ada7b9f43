"""Edits of CoinRun levels: what changes in the fields when coins, obstacles, the agent or pictures are others.

When: through the methods of `CoinRunLevel`, which say what each does. A function takes a level and gives the fields
that change, each of them checked; whether they fit together is for the caller to ask.

Axes: y = cell row, counted upwards; x = cell column, counted to the right. `entity` an entity, in drawing order.
"""

from collections.abc import Iterable, Sequence
from typing import Any, SupportsFloat, SupportsIndex

import numpy as np

from procscope.envs.arguments import whole_number
from procscope.envs.cells import read_only
from procscope.envs.coinrun.cells import CELL_NAMES, IS_LAVA, OPEN, cell_in_world, coins_of
from procscope.envs.coinrun.entities import (
    AGENT_THEMES,
    CRATE,
    CRATE_THEMES,
    ENEMY,
    ENEMY_THEMES,
    KINDS,
    OBSTACLES,
    SAW,
    TRAIL,
    UNDRAWN,
    check_entities,
    entity_number,
    frozen_entities,
    is_obstacle,
    joined,
    obstacle,
)
from procscope.envs.coinrun.ground import going_on
from procscope.envs.coinrun.value import WALL_THEMES, CoinRunValue, Memory
from procscope.envs.state.layout import EntityRecords

Fields = dict[str, Any]
REMOVABLE = (*OBSTACLES, "lava")


def coins_placed(level: CoinRunValue, coins: Iterable[tuple[SupportsIndex, SupportsIndex]]) -> Fields:
    """Coins in just these cells."""
    try:
        given = [(x, y) for x, y in coins]
    except (TypeError, ValueError):
        raise ValueError(f"coins must be cells (x, y); given: {coins!r:.80}") from None
    places = [cell_in_world("a coin", x, y) for x, y in given]
    return {"cells": read_only(coins_of(level.cells, places))}


def end_opened(level: CoinRunValue) -> Fields:
    """Ground instead of the wall behind the level's end."""
    return {"cells": read_only(going_on(level.cells, level.end_cell()))}


def cell_set(level: CoinRunValue, x: SupportsIndex, y: SupportsIndex, kind: str) -> Fields:
    """The cell of a kind."""
    column, row = cell_in_world("a cell", x, y)
    if not isinstance(kind, str) or kind not in CELL_NAMES:
        raise ValueError(f"the kind of a cell must be one of {', '.join(CELL_NAMES)}; given: {kind!r:.80}")
    cells = level.cells.copy()
    cells[row, column] = CELL_NAMES[kind]
    return {"cells": read_only(cells)}


def entities_replaced(entities: EntityRecords | Iterable[EntityRecords]) -> Fields:
    """These entities, joined in order if they come in several arrays."""
    records = entities if isinstance(entities, np.ndarray) else joined(entities)
    return _entities(records)


def agent_placed(
    level: CoinRunValue, x: SupportsFloat, y: SupportsFloat, vx: SupportsFloat, vy: SupportsFloat
) -> Fields:
    """The agent's centre and velocity; it faces the way it goes, and what it remembers is forgotten."""
    entities = level.entities.copy()
    player = entities[level._agent_place() :]
    for name, value in (("x", x), ("y", y), ("vx", vx), ("vy", vy)):
        player[name][0] = entity_number(name, value)
    speed = float(player["vx"][0])
    facing_right = speed > 0 if speed else not player["is_reflected"][0]
    player["is_reflected"][0] = not facing_right
    memory = Memory(float(player["y"][0]), facing_right=bool(facing_right))
    return _entities(entities) | {"memory": memory}


def agent_drawn(level: CoinRunValue, drawn: bool) -> Fields:
    """The agent drawn or not."""
    entities = level.entities.copy()
    entities["render_z"][level._agent_place()] = 1 if drawn else UNDRAWN
    return _entities(entities)


def obstacle_added(level: CoinRunValue, kind: str, x: SupportsIndex, y: SupportsIndex) -> Fields:
    """One more obstacle in the middle of the cell."""
    column, row = cell_in_world("an obstacle", x, y)
    return entities_replaced([level.entities, obstacle(kind, column + 0.5, row + 0.5)])


def obstacle_removed(level: CoinRunValue, x: SupportsIndex, y: SupportsIndex) -> Fields:
    """No obstacle whose centre is in the cell; ValueError when there is none."""
    column, row = cell_in_world("an obstacle", x, y)
    entities = level.entities
    found = is_obstacle(entities) & (np.floor(entities["x"]) == column) & (np.floor(entities["y"]) == row)
    if not found.any():
        there = [(float(e["x"]), float(e["y"])) for e in entities[is_obstacle(entities)]]
        raise ValueError(
            f"expected an obstacle in the cell {(column, row)}; there are some at {there!r:.200}"
        )
    return _entities(entities[~found])


def obstacles_removed(level: CoinRunValue, kinds: Sequence[str]) -> Fields:
    """No obstacles of these kinds, of none at all when none is named; enemies' trails go with them."""
    chosen = kinds or REMOVABLE
    wrong = [kind for kind in chosen if kind not in REMOVABLE]
    if wrong:
        raise ValueError(
            f"obstacles are {', '.join(OBSTACLES)} and lava; given: {', '.join(map(str, wrong))}"
        )
    types = [KINDS[kind] for kind in chosen if kind != "lava"] + ([TRAIL] if "enemy" in chosen else [])
    changes = _entities(level.entities[~np.isin(level.entities["type"], types)])
    if "lava" in chosen and IS_LAVA[level.cells].any():
        opened = np.where(IS_LAVA[level.cells], np.int32(OPEN), level.cells)
        changes["cells"] = read_only(opened.astype("<i4", copy=False))
    return changes


def obstacles_turned(level: CoinRunValue, kind: str) -> Fields:
    """Every saw, enemy and crate turned into one of the kind, each in its place."""
    parts = []
    for record in level.entities[level.entities["type"] != TRAIL]:
        if int(record["type"]) in (SAW, ENEMY, CRATE):
            parts.append(obstacle(kind, float(record["x"]), float(record["y"])))
        else:
            parts.append(np.array([record]))
    return entities_replaced(parts)


def themes_set(
    level: CoinRunValue,
    walls: SupportsIndex | None,
    agent: SupportsIndex | None,
    enemies: SupportsIndex | None,
    crates: SupportsIndex | None,
) -> Fields:
    """Other pictures, where a number is given."""
    entities = level.entities.copy()
    for what, theme, number, limit in (
        ("agent", agent, KINDS["agent"], AGENT_THEMES),
        ("enemies", enemies, ENEMY, ENEMY_THEMES),
        ("crates", crates, CRATE, CRATE_THEMES),
    ):
        if theme is not None:
            entities["image_theme"][entities["type"] == number] = whole_number(what, theme, range(limit))
    wall_theme = level.wall_theme if walls is None else whole_number("walls", walls, range(WALL_THEMES))
    return _entities(entities) | {"wall_theme": wall_theme}


def _entities(records: EntityRecords) -> Fields:
    """The field, checked, with the agent's place in it."""
    frozen = frozen_entities(records)
    return {"entities": frozen, "agent_index": check_entities(frozen)}
