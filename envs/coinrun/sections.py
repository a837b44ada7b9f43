"""Levels of CoinRun composed of stated parts, for a hypothesis that needs a certain obstacle and nothing else.

    CoinRunLevel.from_sections([Gap(3), Step(2), Saw(), Enemy(), Lava(2), Crate()])

Parts follow one another from the left, with flat ground before, between and after them (`spacing`). The ground is wall
with its top at the present height; a `Step` changes that for all that follows.

Source: the pieces of `generate_coin_to_the_right` in `coinrun.cpp`, with its barriers for enemies where the height
changes. Cost: 0.2 ms a level, and 1 ms for the check that the coin can be reached.

Axes: `y x` cells, y upwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from jaxtyping import Integer

from procscope.envs.arguments import whole_number
from procscope.envs.coinrun.cells import (
    BARRIER,
    COIN,
    LAVA,
    LAVA_TOP,
    OPEN,
    WALL,
    WALL_TOP,
    WORLD_CELLS,
)
from procscope.envs.coinrun.entities import AGENT_HALF_HEIGHT, agent, crate, enemy, joined, saw
from procscope.envs.coinrun.motion import HIGHEST_STEP, WIDEST_GAP
from procscope.envs.state.layout import EntityRecords


@dataclass(frozen=True)
class Flat:
    """Ground without anything on it."""

    cells: int = 1
    """Width."""


@dataclass(frozen=True)
class Step:
    """The ground goes up by so many cells, or down if negative; takes no width."""

    height: int


@dataclass(frozen=True)
class Gap:
    """A pit down to the world's floor, without danger: one falls in and can climb out if it is not too deep."""

    cells: int
    """Width."""


@dataclass(frozen=True)
class Lava:
    """A pool of lava as high as the ground: to touch it ends the episode."""

    cells: int
    """Width."""


@dataclass(frozen=True)
class Saw:
    """Saws on the ground, side by side."""

    cells: int = 1
    """How many."""


@dataclass(frozen=True)
class Enemy:
    """An enemy that walks to and fro between two barriers."""

    cells: int = 5
    """Width of its walk, the barriers, a cell on each side, not counted."""
    theme: int = 0
    """Its picture, 0 to 8."""


@dataclass(frozen=True)
class Crate:
    """A pile of crates."""

    height: int = 1
    """How many, one on the other."""
    theme: int = 0
    """Their picture, 0 to 3."""


Section = Flat | Step | Gap | Lava | Saw | Enemy | Crate


class Composed(NamedTuple):
    """What parts come to."""

    cells: Integer[np.ndarray, "y x"]
    entities: EntityRecords


@dataclass
class _Builder:
    """The world so far, built up to column `x` with ground of `height` cells."""

    height: int
    cells: np.ndarray = field(default_factory=lambda: np.full((WORLD_CELLS, WORLD_CELLS), OPEN, "<i4"))
    entities: list[EntityRecords] = field(default_factory=list)
    x: int = 1

    def ground(self, cells: int, height: int | None = None) -> None:
        """So many columns of ground."""
        top = self.height if height is None else height
        self.columns(cells, [WALL] * (top - 1) + [WALL_TOP])

    def columns(self, count: int, column: list[int]) -> None:
        """So many columns of these cells, from the bottom."""
        if self.x + count > WORLD_CELLS - 2:
            raise ValueError(
                f"the parts must fit in {WORLD_CELLS - 3} columns, the last for the coin; the first "
                f"{self.x + count - 1} columns are full before the end. Use fewer or narrower parts, or less spacing"
            )
        self.cells[: len(column), self.x : self.x + count] = np.array(column, "<i4")[:, None]
        self.x += count


def compose(
    sections: Sequence[Section],
    *,
    height: int = 4,
    spacing: int = 4,
    coin: bool = True,
    end_wall: bool = True,
    allow_unsolvable: bool = False,
) -> Composed:
    """Cells and entities of a level of these parts: see `CoinRunLevel.from_sections`."""
    height = whole_number("height", height, range(1, WORLD_CELLS // 2 + 1), " cells")
    spacing = whole_number("spacing", spacing, range(WORLD_CELLS // 2 + 1), " cells")
    try:
        sections = list(sections)
    except TypeError:
        raise ValueError(f"sections must be parts such as [Gap(3), Saw()]; given: {sections!r:.80}") from None
    world = _Builder(height)
    world.entities.append(agent(1.5, height + AGENT_HALF_HEIGHT))
    world.ground(max(spacing, 2))
    for number, section in enumerate(sections):
        _check(section, number, world.height, allow_unsolvable)
        _add(world, section)
        if not isinstance(section, Flat):
            world.ground(spacing)
    end = world.x
    world.ground(1)
    if end_wall:
        world.cells[:, end + 1 :] = WALL
    else:
        world.cells[: world.height - 1, end + 1 :] = WALL
        world.cells[world.height - 1, end + 1 :] = WALL_TOP
    if coin:
        world.cells[world.height, end] = COIN
    world.cells[:, 0] = world.cells[:, -1] = world.cells[-1] = WALL
    return Composed(world.cells, joined(world.entities))


def _add(world: _Builder, section: Section) -> None:
    """The part at the right end of what there is."""
    x, height = world.x, world.height
    match section:
        case Flat(cells):
            world.ground(cells)
        case Step(change):
            world.height += change
            barrier_x, barrier_y = (x - 1, world.height) if change > 0 else (x, height)
            if world.cells[barrier_y, barrier_x] == OPEN:
                world.cells[barrier_y, barrier_x] = BARRIER
            world.ground(1)
        case Gap(cells):
            world.ground(cells, height=1)
        case Lava(cells):
            world.columns(cells, ([WALL] + [LAVA] * (height - 2) + [LAVA_TOP]) if height > 1 else [LAVA_TOP])
        case Saw(cells):
            world.entities += [saw(x + place + 0.5, height + 0.5) for place in range(cells)]
            world.ground(cells)
        case Enemy(cells, theme):
            world.entities.append(enemy(x + 1 + cells / 2, height + 0.5, theme=theme))
            world.ground(cells + 2)
            world.cells[height, [x, x + cells + 1]] = BARRIER
        case Crate(count, theme):
            world.entities += [crate(x + 0.5, height + place + 0.5, theme=theme) for place in range(count)]
            world.ground(1)


def _check(section: Section, number: int, height: int, allow_unsolvable: bool) -> None:
    """ValueError for a part that cannot be built, or that cannot be passed."""
    given = f"part {number} is {section!r:.80}, on ground of height {height}"
    if isinstance(section, Section):
        for name, value in vars(section).items():
            whole_number(f"{name} of part {number}", value, range(-WORLD_CELLS, WORLD_CELLS))
    match section:
        case Step(change):
            if change == 0 or not 1 <= height + change <= WORLD_CELLS // 2:
                raise ValueError(
                    f"a step must lead to ground of another height from 1 to {WORLD_CELLS // 2}; {given}"
                )
            if change > HIGHEST_STEP and not allow_unsolvable:
                raise ValueError(
                    f"the agent jumps at most {HIGHEST_STEP} cells high; {given}. Use several steps"
                )
        case Gap(cells):
            if cells < 1 or height < 2:
                raise ValueError(
                    f"a gap needs a width of at least 1, and ground of height 2 or more; {given}"
                )
            if height - 1 > HIGHEST_STEP and cells > WIDEST_GAP and not allow_unsolvable:
                raise ValueError(
                    f"from a gap deeper than {HIGHEST_STEP} cells nobody climbs out, and {WIDEST_GAP} is the widest "
                    f"that can be jumped; {given}"
                )
        case Lava(cells):
            if cells < 1:
                raise ValueError(f"lava needs a width of at least 1; {given}")
            if cells > WIDEST_GAP and not allow_unsolvable:
                raise ValueError(f"the agent jumps at most {WIDEST_GAP} cells wide; {given}")
        case Crate(count, _):
            if not 1 <= count <= 20:
                raise ValueError(f"a pile has 1 to 20 crates; {given}")
        case Flat(cells) | Saw(cells) | Enemy(cells, _):
            if cells < 1:
                raise ValueError(f"a part needs a width of at least 1 cell; {given}")
            if isinstance(section, Saw) and cells > WIDEST_GAP and not allow_unsolvable:
                raise ValueError(f"the agent jumps at most {WIDEST_GAP} cells wide; {given}")
        case _:
            raise ValueError(
                f"a part must be one of {', '.join(kind.__name__ for kind in Section.__args__)}; {given}"
            )
