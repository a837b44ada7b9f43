"""Sweeps: one thing of a level moved around a ring of cells, all else fixed, for every place of the agent.

When: to see which units of a network follow a key, the gem or a lock: the experiment of moving one entity clockwise
round a square path (notes on a Heist agent, "Identifying channels to modify"). Whether a unit follows may depend on
where the agent is, so a sweep has the agent as its second axis.

    room = open_room(level, 9)                            # an open square instead of the maze
    ring = ring_of_cells(room, centre=(4, 5), width=5)
    sweep = sweep_entity(room, Entity("key", "blue"), ring)
    frames = scratch_engine("heist").render(sweep.states)

The thing's place makes a level; the agent's places are written into its state, about 3 microseconds each, so that
a thousand states cost less than drawing ten of them. Positions are read from the states, never assumed: `thing_cells`
and `agent_cells` say where things are in each.

Axes: `state` of the sweep, agent places in turn within each cell of the ring; `xy` a cell (x, y).
"""

import struct
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from procscope.envs.cells import Cell
from procscope.envs.heist.level import HeistLevel
from procscope.envs.heist.things import COLOURS, MIDDLE, Key, Lock, checked_colour
from procscope.envs.state.offsets import locate

_MOVABLE = ("key", "lock", "gem", "agent")
_place = struct.Struct("<2f")


class Entity(NamedTuple):
    """What a sweep moves."""

    kind: str
    """`key`, `lock`, `gem` or `agent`."""
    colour: str | None = None
    """Of a key or lock."""

    def __str__(self) -> str:
        return self.kind if self.colour is None else f"{self.colour} {self.kind}"


ENTITIES = (
    *(Entity("key", colour) for colour in COLOURS),
    *(Entity("lock", colour) for colour in COLOURS),
    Entity("gem"),
    Entity("agent"),
)
"""Everything that can be moved."""


class Sweep(NamedTuple):
    """States that differ in where one thing and the agent are."""

    entity: Entity
    states: list[bytes]
    thing_cells: Int[np.ndarray, "state xy"]
    """Where the thing is in each state."""
    agent_cells: Int[np.ndarray, "state xy"]
    """Where the agent is in each state."""
    ring_index: Int[np.ndarray, " state"]
    """The thing's place in the given ring; states with the same agent cell and rising index are one walk round it."""

    def of_agent(self, cell: Cell) -> "Sweep":
        """The walk round the ring with the agent in that cell; ValueError if there is none."""
        rows = np.flatnonzero((self.agent_cells == cell).all(axis=1))
        if not len(rows):
            raise ValueError(f"the sweep has no state with the agent at {cell}. See sweep.agent_cells")
        return Sweep(
            self.entity,
            [self.states[row] for row in rows],
            self.thing_cells[rows],
            self.agent_cells[rows],
            self.ring_index[rows],
        )

    def levels(self) -> list[HeistLevel]:
        """The states as levels, 25 microseconds each."""
        return [HeistLevel.from_state(state) for state in self.states]


def sweep_entity(
    level: HeistLevel,
    entity: Entity,
    ring: Sequence[Cell],
    agent_cells: Iterable[Cell] | None = None,
) -> Sweep:
    """The level with one thing in every cell of the ring, in order, and the agent in every cell given.

    Args:
        level: what stays the same. It must hold the thing, once. Whether it can be solved is not asked.
        entity: what is moved, always in the middle of its cell. For the agent, `agent_cells` must be left out.
        ring: free cells with nothing in them but the thing itself or the agent (see `ring_of_cells`).
        agent_cells: where the agent is put, in the middle; by default every free cell with nothing in it. Its
            places in the thing's own cell are left out.

    Raises:
        ValueError: for a thing that the level has not, or several times; for a cell of the ring or of the agent that
            is wall or holds something else.
    """
    moving_agent = entity.kind == "agent"
    own = _cell_of_entity(level, entity)
    others = {cell: what for cell, what in level.occupied().items() if cell != own}
    for cell in ring:
        _check_free(level, f"the {entity}", cell, others)
    if moving_agent and agent_cells is not None:
        raise ValueError("with the agent as what is moved, leave agent_cells out: the ring says where it is")
    if agent_cells is None:
        places = [cell for cell in level.free_cells() if cell not in others]
    else:
        places = list(agent_cells)
        for cell in places:
            _check_free(level, "the agent", cell, others)
    level = _at_rest(level)
    agent_at = locate(level.to_state()).agent
    states, thing, agent, index = [], [], [], []
    for number, cell in enumerate(ring):
        state = bytearray(_moved(level, entity, cell).to_state())
        for place in [cell] if moving_agent else places:
            if place == cell and not moving_agent:
                continue
            _place.pack_into(state, agent_at, place[0] + 0.5, place[1] + 0.5)
            states.append(bytes(state))
            thing.append(cell)
            agent.append(place)
            index.append(number)
    return Sweep(
        entity,
        states,
        np.array(thing, dtype=np.int64).reshape(-1, 2),
        np.array(agent, dtype=np.int64).reshape(-1, 2),
        np.array(index, dtype=np.int64),
    )


def sweep_all(
    level: HeistLevel, ring: Sequence[Cell], agent_cells: Iterable[Cell] | None = None
) -> dict[str, Sweep]:
    """A sweep of everything that the level holds once and that may be on the whole ring, by name (`blue key`).

    Things that lie on the ring themselves are in the way of others, and a sweep of another thing raises ValueError
    then: keep the ring clear, or give each thing a level of its own.
    """
    places = None if agent_cells is None else list(agent_cells)
    held = [entity for entity in ENTITIES if _count(level, entity) == 1]
    return {
        str(entity): sweep_entity(level, entity, ring, None if entity.kind == "agent" else places)
        for entity in held
    }


def ring_of_cells(level: HeistLevel, centre: Cell, width: int, height: int | None = None) -> tuple[Cell, ...]:
    """The border of a rectangle of cells round `centre`, clockwise from its top left cell.

    `width` and `height` (default: as wide) are odd, from 3. Raises ValueError where a cell of it is wall or outside.
    """
    height = width if height is None else height
    if min(width, height) < 3 or width % 2 == 0 or height % 2 == 0:
        raise ValueError(f"the sides of a ring must be odd, from 3; given: {width}x{height}")
    (x, y), dx, dy = centre, width // 2, height // 2
    top = [(column, y + dy) for column in range(x - dx, x + dx)]
    right = [(x + dx, row) for row in range(y + dy, y - dy, -1)]
    bottom = [(column, y - dy) for column in range(x + dx, x - dx, -1)]
    left = [(x - dx, row) for row in range(y - dy, y + dy)]
    return tuple(level.free_cell("a cell of the ring", cell) for cell in (*top, *right, *bottom, *left))


def open_room(level: HeistLevel, width: int) -> HeistLevel:
    """The level with an open square room, `width` cells wide, in the middle of the world instead of its maze.

    Its keys, locks and gem are lined up in the room's bottom row and the row above it, each in the middle of a cell,
    the agent in the room's middle: places for a sweep's other things. Raises ValueError for a room that is too small
    for them, or larger than the world.
    """
    if not 3 <= width <= level.size or width % 2 == 0:
        raise ValueError(f"a room must be odd, from 3 to the world's {level.size} cells wide; given: {width}")
    walls: Bool[np.ndarray, "y x"] = np.ones_like(level.walls)
    first = (level.size - width) // 2
    walls[first : first + width, first : first + width] = False
    middle = first + width // 2
    cells = [
        (x, y) for y in (first, first + 1) for x in range(first, first + width) if (x, y) != (middle, middle)
    ]
    needed = len(level.keys) + len(level.locks) + (level.gem is not None)
    if needed > len(cells):
        raise ValueError(
            f"a room for {needed} things must have as many cells in two rows; given: {width} wide"
        )
    rest = iter(cells)
    changes: dict[str, Any] = {
        "walls": walls,
        "agent": (middle, middle),
        "agent_offset": MIDDLE,
        "gem_offset": MIDDLE,
    }
    changes["keys"] = tuple(Key(key.colour, next(rest), MIDDLE) for key in level.keys)
    changes["locks"] = tuple(Lock(lock.colour, next(rest)) for lock in level.locks)
    changes["gem"] = None if level.gem is None else next(rest)
    return _at_rest(level.with_fields(**changes, allow_unsolvable=True))


def _at_rest(level: HeistLevel) -> HeistLevel:
    return level.with_agent(*level.agent, allow_unsolvable=True)


def _count(level: HeistLevel, entity: Entity) -> int:
    if entity.kind == "agent":
        return 1
    if entity.kind == "gem":
        return int(level.gem is not None)
    colour = checked_colour(str(entity.colour))
    return len(level.keys_of(colour) if entity.kind == "key" else level.locks_of(colour))


def _cell_of_entity(level: HeistLevel, entity: Entity) -> Cell:
    if entity.kind not in _MOVABLE:
        raise ValueError(f"what is moved must be one of {', '.join(_MOVABLE)}; given: {entity.kind!r}")
    count = _count(level, entity)
    if count != 1:
        raise ValueError(f"the level must have one {entity} to be moved; it has {count}: {level.occupied()}")
    if entity.kind == "agent":
        return level.agent
    if entity.kind == "gem":
        assert level.gem is not None
        return level.gem
    colour = str(entity.colour)
    return (level.keys_of(colour) if entity.kind == "key" else level.locks_of(colour))[0].cell


def _check_free(level: HeistLevel, what: str, cell: Cell, others: dict[Cell, str]) -> None:
    level.free_cell(what, cell)
    if cell in others:
        raise ValueError(f"{what} must be on cells of its own; at {cell} is the {others[cell]}")


def _moved(level: HeistLevel, entity: Entity, cell: Cell) -> HeistLevel:
    """The level with the entity in the middle of that cell, whatever the agent's."""
    values = level.values()
    if entity.kind == "gem":
        values |= {"gem": cell, "gem_offset": MIDDLE}
    elif entity.kind == "key":
        keys = [Key(k.colour, cell, MIDDLE) if k.colour == entity.colour else k for k in level.keys]
        values["keys"] = tuple(sorted(keys, key=lambda key: key.cell))
    elif entity.kind == "lock":
        locks = [Lock(k.colour, cell) if k.colour == entity.colour else k for k in level.locks]
        values["locks"] = tuple(sorted(locks, key=lambda lock: lock.cell))
    return HeistLevel.trusted(values)
