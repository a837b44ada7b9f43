"""`CoinRunLevel`: one CoinRun level as a value. Make it, edit it, ask about it, look at it, play it.

When: whenever a level of CoinRun is to be chosen or changed by hand or by a variant. A level never changes: every
`with_…` gives a new one, so levels can be shared, compared, hashed and used as keys.

    level = CoinRunLevel.from_seed(7).with_coin(x=12, y=5).with_background(None)
    print(level)                      # ASCII; in a notebook, `level` alone is a picture of what the agent sees
    state = level.to_state()          # what the engine plays

`from_sections` (see `sections.py`) builds a level from stated parts; `scenes.py` the scenes of the dissertation.

Cost: `from_state` 60 and `to_state` 20 microseconds; an edit that checks for a way to the coin 1 ms (with
`allow_unsolvable=True` it does not look, 50 microseconds); `from_seed` 0.3 ms a level when many are asked for.

Axes: y = cell row, counted upwards; x = cell column, counted to the right; cell (0, 0) is the bottom-left cell of the
64 x 64 world. Places of entities are centres in cells: the middle of cell (3, 4) is (3.5, 4.5).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, SupportsIndex

import numpy as np
from jaxtyping import Bool, Int, Integer

from procscope.envs.coinrun.bytes import read_coinrun, write_coinrun
from procscope.envs.coinrun.diff import CoinRunDiff, diff_coinrun
from procscope.envs.coinrun.entities import (
    AGENT_HALF_HEIGHT,
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
    Number,
    agent,
    frozen_entities,
    joined,
    obstacle,
)
from procscope.envs.coinrun.ground import ground_heights, section_boundaries, standing
from procscope.envs.coinrun.motion import STEPS_PER_SECOND, least_steps
from procscope.envs.coinrun.paths import Cell, steps_to_goals
from procscope.envs.coinrun.sections import Section, compose
from procscope.envs.coinrun.text import coinrun_from_json, coinrun_to_json, format_coinrun, parse_coinrun
from procscope.envs.coinrun.value import (
    CELL_NAMES,
    IS_LAVA,
    IS_WALL,
    MODES,
    OPEN,
    WALL_THEMES,
    WORLD_CELLS,
    CoinRunValue,
    Memory,
    cell_in_world,
    checked_background,
    coins_of,
    read_only,
    whole_number,
)
from procscope.envs.engine import levels_from_seeds, template_state
from procscope.envs.level_files import read_level_file, write_level_file
from procscope.envs.pictures import level_png
from procscope.envs.state.layout import EntityRecords


@dataclass(frozen=True, eq=False, repr=False)
class CoinRunLevel(CoinRunValue):
    """A CoinRun level with all that stands and moves in it, and its look: the fields are those of `CoinRunValue`."""

    # -- Make --

    @classmethod
    def from_seed(cls, level_seed: int, mode: str = "easy") -> "CoinRunLevel":
        """The engine's own level of that seed. Raises ValueError if the seed is not in [0, 2^31 - 1)."""
        return cls.from_seeds([level_seed], mode)[0]

    @classmethod
    def from_seeds(cls, level_seeds: Sequence[int], mode: str = "easy") -> "list[CoinRunLevel]":
        """The engine's own levels of these seeds, in one call to the engine."""
        _check_mode(mode)
        return [cls.from_state(state) for state in levels_from_seeds("coinrun", level_seeds, mode)]

    @classmethod
    def from_state(cls, state: bytes) -> "CoinRunLevel":
        """The level that a state of the engine is in, as it stands: all where it is now, with its velocity.

        A state is a fact, so it is taken even when it cannot be won (`is_solvable` tells). Raises ValueError where the
        bytes are no CoinRun state, or hold what no level can (see `read_coinrun`).
        """
        return cls.trusted(read_coinrun(state))

    @classmethod
    def from_ascii(cls, text: str, *, allow_unsolvable: bool = False, **other_fields: Any) -> "CoinRunLevel":
        """A level from a drawing, top row first, as `str(level)` prints it (the legend is in `text.py`).

        A drawing smaller than the world is its bottom-left corner; its last column and its top row are repeated, below
        the world's top wall. `other_fields` (mode, background, …) win over the notes below the drawing. Raises
        ValueError with the line and column of what is wrong.
        """
        return cls(**(parse_coinrun(text) | other_fields), allow_unsolvable=allow_unsolvable)

    @classmethod
    def from_array(
        cls,
        cells: Integer[np.ndarray, "y x"],
        entities: EntityRecords | Iterable[EntityRecords] | None = None,
        *,
        allow_unsolvable: bool = False,
        **other_fields: Any,
    ) -> "CoinRunLevel":
        """A level from the engine's cell numbers (`CELL_NAMES`), `cells[0]` the bottom row, and its entities.

        Without an agent among the entities, it is where the engine starts it.
        """
        records = entities if isinstance(entities, np.ndarray) else joined(entities or ())
        if not (records["type"] == KINDS["agent"]).any():
            records = joined([agent(1.5, 1 + AGENT_HALF_HEIGHT), records])
        return cls(cells, records, allow_unsolvable=allow_unsolvable, **other_fields)

    @classmethod
    def from_sections(
        cls,
        sections: Sequence[Section],
        *,
        height: int = 4,
        spacing: int = 4,
        coin: bool = True,
        end_wall: bool = True,
        allow_unsolvable: bool = False,
        **other_fields: Any,
    ) -> "CoinRunLevel":
        """A level composed of parts, from left to right: `[Gap(3), Step(2), Saw(), Enemy(), Lava(2), Crate()]`.

        Args:
            sections: see `sections.py`.
            height: of the ground at the start, in cells; a gap is as deep as the ground is high, less one.
            spacing: cells of flat ground before the first part, between any two, and after the last.
            coin: whether the coin lies on the ground at the end.
            end_wall: whether all is wall to the right of the end, as in the engine's levels; else the ground goes on.

        Raises ValueError when the parts take more than the world's 64 columns, and, unless `allow_unsolvable`, for a
        part that the agent cannot jump: a step higher than 5 cells, or lava wider than 7.
        """
        parts = compose(
            sections,
            height=height,
            spacing=spacing,
            coin=coin,
            end_wall=end_wall,
            allow_unsolvable=allow_unsolvable,
        )
        return cls(parts.cells, parts.entities, allow_unsolvable=allow_unsolvable, **other_fields)

    @classmethod
    def from_file(cls, path: str | Path, *, allow_unsolvable: bool = False) -> "CoinRunLevel":
        """A level from a `.json` file that `to_file` wrote (see `level_files.py`)."""
        return cls(
            **coinrun_from_json(read_level_file(path, "coinrun").level), allow_unsolvable=allow_unsolvable
        )

    # -- Edit --

    def with_coin(
        self, x: SupportsIndex, y: SupportsIndex, *, allow_unsolvable: bool = False
    ) -> "CoinRunLevel":
        """This level with its one coin in the cell (x, y), whatever was there; old coins' cells become open."""
        return self.with_coins([(x, y)], allow_unsolvable=allow_unsolvable)

    def with_coins(
        self, coins: Iterable[tuple[SupportsIndex, SupportsIndex]], *, allow_unsolvable: bool = False
    ) -> "CoinRunLevel":
        """This level with coins in just these cells. Each ends the episode with a reward of 10."""
        places = [cell_in_world("a coin", x, y) for x, y in coins]
        return self._edited(allow_unsolvable, cells=read_only(coins_of(self.cells, places)))

    def without_coin(self) -> "CoinRunLevel":
        """This level without a coin: an episode ends at a hazard or at its timeout."""
        return self.with_coins([], allow_unsolvable=True)

    def with_cell(
        self, x: SupportsIndex, y: SupportsIndex, kind: str, *, allow_unsolvable: bool = False
    ) -> "CoinRunLevel":
        """This level with the cell (x, y) of a kind: open, wall, wall-top, lava, lava-top, barrier or coin."""
        column, row = cell_in_world("a cell", x, y)
        if kind not in CELL_NAMES:
            raise ValueError(f"the kind of a cell must be one of {', '.join(CELL_NAMES)}; given: {kind!r}")
        cells = self.cells.copy()
        cells[row, column] = CELL_NAMES[kind]
        return self._edited(allow_unsolvable, cells=read_only(cells))

    def with_cells(
        self, cells: Integer[np.ndarray, "y x"], *, allow_unsolvable: bool = False
    ) -> "CoinRunLevel":
        """This level with other cells, all 64 x 64 of them; the entities stay where they are."""
        return self._rebuilt(allow_unsolvable, cells=cells)

    def with_entities(
        self, entities: EntityRecords | Iterable[EntityRecords], *, allow_unsolvable: bool = False
    ) -> "CoinRunLevel":
        """This level with these entities instead of its own, the agent among them (see `entities.py`)."""
        records = entities if isinstance(entities, np.ndarray) else joined(entities)
        return self._edited(allow_unsolvable, entities=frozen_entities(records))

    def with_agent(
        self,
        x: SupportsIndex,
        y: SupportsIndex,
        vx: Number = 0.0,
        vy: Number = 0.0,
        *,
        allow_unsolvable: bool = False,
    ) -> "CoinRunLevel":
        """This level with the agent in the cell (x, y), its feet on the cell's bottom, at the given velocity.

        Its box is 1 cell wide and 1.16 high, so the cell above must not be wall either. Velocities are in cells a step,
        at most 4 in amount; by itself the agent runs at up to 0.5 and jumps at 1.5. In the air it falls.
        """
        column, row = cell_in_world("the agent's cell", x, y)
        return self.with_agent_at(
            column + 0.5, row + AGENT_HALF_HEIGHT, vx, vy, allow_unsolvable=allow_unsolvable
        )

    def with_agent_at(
        self, x: Number, y: Number, vx: Number = 0.0, vy: Number = 0.0, *, allow_unsolvable: bool = False
    ) -> "CoinRunLevel":
        """This level with the centre of the agent at (x, y), in cells, at the given velocity in cells a step.

        It faces the way it goes (else as it did), and what the engine remembers of its last step is forgotten.
        """
        entities = self.entities.copy()
        player = entities[self._agent_place() :]
        for name, value in (("x", x), ("y", y), ("vx", vx), ("vy", vy)):
            player[name][0] = value
        facing_right = vx > 0 if vx else not player["is_reflected"][0]
        player["is_reflected"][0] = not facing_right
        memory = Memory(float(player["y"][0]), facing_right=bool(facing_right))
        return self._edited(allow_unsolvable, entities=frozen_entities(entities), memory=memory)

    def with_agent_drawn(self, drawn: bool = True) -> "CoinRunLevel":
        """This level with the agent drawn, or there and not drawn (the engine cannot be without one)."""
        entities = self.entities.copy()
        entities["render_z"][self._agent_place()] = 1 if drawn else UNDRAWN
        return self._edited(True, entities=frozen_entities(entities))

    def with_obstacle(
        self, kind: str, x: SupportsIndex, y: SupportsIndex, *, allow_unsolvable: bool = False
    ) -> "CoinRunLevel":
        """This level with one more obstacle in the middle of the cell (x, y): a saw, an enemy or a crate."""
        column, row = cell_in_world("an obstacle", x, y)
        added = obstacle(kind, column + 0.5, row + 0.5)
        return self.with_entities([self.entities, added], allow_unsolvable=allow_unsolvable)

    def without_obstacle(self, x: SupportsIndex, y: SupportsIndex) -> "CoinRunLevel":
        """This level without the obstacles whose centre is in the cell (x, y). ValueError when there is none."""
        cell = cell_in_world("an obstacle", x, y)
        found = (
            self._obstacles()
            & (np.floor(self.entities["x"]) == cell[0])
            & (np.floor(self.entities["y"]) == cell[1])
        )
        if not found.any():
            raise ValueError(
                f"expected an obstacle in the cell {cell}; there are some at {self.obstacles()!r:.200}"
            )
        return self._edited(True, entities=frozen_entities(self.entities[~found]))

    def without_obstacles(self, *kinds: str) -> "CoinRunLevel":
        """This level without obstacles of these kinds: saw, enemy, crate, lava; of all when none is named.

        Lava becomes open: a pit without danger. Enemies' trails go with them; barriers stay, they are not seen.
        """
        chosen = kinds or (*OBSTACLES, "lava")
        wrong = set(chosen) - {*OBSTACLES, "lava"}
        if wrong:
            raise ValueError(
                f"obstacles are {', '.join(OBSTACLES)} and lava; given: {', '.join(sorted(wrong))}"
            )
        types = [KINDS[kind] for kind in chosen if kind != "lava"] + ([TRAIL] if "enemy" in chosen else [])
        entities = frozen_entities(self.entities[~np.isin(self.entities["type"], types)])
        cells = self.cells
        if "lava" in chosen and IS_LAVA[cells].any():
            cells = read_only(np.where(IS_LAVA[cells], OPEN, cells).astype("<i4"))
        return self._edited(True, entities=entities, cells=cells)

    def without_hazards(self) -> "CoinRunLevel":
        """This level without all that ends an episode: saws, enemies and lava. Crates stay."""
        return self.without_obstacles("saw", "enemy", "lava")

    def with_obstacles_as(self, kind: str, *, allow_unsolvable: bool = False) -> "CoinRunLevel":
        """This level with every saw, enemy and crate turned into one of the given kind, each in its place."""
        entities = self.entities[self.entities["type"] != TRAIL]
        parts = []
        for record in entities:
            if int(record["type"]) in [KINDS[each] for each in OBSTACLES]:
                parts.append(obstacle(kind, float(record["x"]), float(record["y"])))
            else:
                parts.append(np.array([record]))
        return self.with_entities(joined(parts), allow_unsolvable=allow_unsolvable)

    def with_themes(
        self,
        *,
        walls: SupportsIndex | None = None,
        agent: SupportsIndex | None = None,
        enemies: SupportsIndex | None = None,
        crates: SupportsIndex | None = None,
    ) -> "CoinRunLevel":
        """This level with other pictures of its walls (0 to 5), agent (0 to 4), enemies (0 to 8) or crates (0 to 3)."""
        entities = self.entities.copy()
        for what, theme, number, limit in (
            ("agent", agent, KINDS["agent"], AGENT_THEMES),
            ("enemies", enemies, ENEMY, ENEMY_THEMES),
            ("crates", crates, CRATE, CRATE_THEMES),
        ):
            if theme is not None:
                entities["image_theme"][entities["type"] == number] = whole_number(what, theme, range(limit))
        wall_theme = self.wall_theme if walls is None else whole_number("walls", walls, range(WALL_THEMES))
        return self._edited(True, entities=frozen_entities(entities), wall_theme=wall_theme)

    def with_theme(self, theme: str) -> "CoinRunLevel":
        """This level drawn with sprites (`textured`) or one-coloured squares (`monochrome`)."""
        return self._rebuilt(True, theme=theme)

    def with_background(self, background: int | None, offset: Number | None = None) -> "CoinRunLevel":
        """This level before another background (0 to 61, None for black), shifted by `offset` (default: as it was)."""
        number, shift = checked_background(background, self.background_offset if offset is None else offset)
        return self._edited(True, background=number, background_offset=shift)

    def with_mode(self, mode: str) -> "CoinRunLevel":
        """This level to be played in another mode: the same level, after which the engine's own are of that mode."""
        return self._rebuilt(True, mode=mode)

    # -- Ask --

    @property
    def walls(self) -> Bool[np.ndarray, "y x"]:
        """True where a cell is wall, by which the agent is stopped and on which it stands."""
        return IS_WALL[self.cells]

    def has_solid_below(self, x: SupportsIndex, y: SupportsIndex) -> bool:
        """Whether wall (or the world's bottom) is right under the cell (x, y)."""
        column, row = cell_in_world("the cell", x, y)
        return row == 0 or bool(IS_WALL[self.cells[row - 1, column]])

    def ground_height(self, x: SupportsIndex, y: SupportsIndex = WORLD_CELLS - 1) -> int:
        """Row of the lowest cell from (x, y) downwards that the agent's feet can be in: below it is wall.

        0 stands for the world's bottom.
        """
        column, row = cell_in_world("the cell", x, y)
        solid = np.flatnonzero(IS_WALL[self.cells[:row, column]])
        return int(solid[-1]) + 1 if len(solid) else 0

    def ground_heights(self) -> Int[np.ndarray, " x"]:
        """Cells of unbroken wall from the bottom of each column: the row in which one stands on it."""
        return ground_heights(self.cells)

    def standing_cells(self, *, on_crates: bool = False) -> tuple[Cell, ...]:
        """Every cell (x, y) in which the agent can stand without harm, the bottom row first.

        The cell and the one above are neither wall nor lava, wall is below, and neither saw nor enemy reaches into
        them. With `on_crates`, cells above crates count too.
        """
        return tuple(
            (int(x), int(y)) for y, x in np.argwhere(standing(self.cells, self.entities, on_crates=on_crates))
        )

    def section_boundaries(self) -> tuple[Cell, ...]:
        """Cells in which sections of the level begin, and the end, where the engine puts the coin, from the left.

        Each is the cell on the ground there. Read off the barriers that the engine places at the sections' ends.
        """
        return section_boundaries(self.cells)

    def end_cell(self) -> Cell:
        """The cell on the ground in the last column that is not all wall: where the engine's levels have their coin."""
        return section_boundaries(self.cells)[-1]

    def obstacles(self) -> tuple[tuple[str, float, float], ...]:
        """(kind, x, y) of every saw, enemy and crate, in drawing order."""
        names = {SAW: "saw", ENEMY: "enemy", CRATE: "crate"}
        return tuple(
            (names[int(e["type"])], float(e["x"]), float(e["y"])) for e in self.entities[self._obstacles()]
        )

    def distance_to_coin_cells(self) -> float:
        """Straight distance from the agent's centre to the nearest coin's, in cells. ValueError without a coin."""
        x, y = self.agent_xy
        coin_x, coin_y = self._coin()
        return float(np.hypot(coin_x + 0.5 - x, coin_y + 0.5 - y))

    def path_to_coin_cells(self) -> int:
        """Steps through open cells from the agent's cell to the nearest coin's, without gravity; -1 without a way."""
        self._coin()
        x, y = self.agent_cell
        return int(steps_to_goals(self.cells[None]).steps[0, y, x])

    def least_seconds_to_coin(self) -> float:
        """Seconds of play until the agent can touch the coin at the earliest, at 15 steps a second.

        It runs straight at it as fast as the engine lets it, nothing in its way (see `motion.py`): a lower bound.
        """
        x, y = self.agent_xy
        vx, _ = self.agent_velocity
        coin_x, coin_y = self._coin()
        steps = least_steps(
            np.array([x]), np.array([y]), np.array([vx]), np.array([coin_x]), np.array([coin_y])
        )
        return float(steps[0]) / STEPS_PER_SECOND

    def visible_window(self, visibility: Number = 13.0) -> tuple[float, float, float, float]:
        """(left, bottom, right, top) of what the 64 x 64 picture shows, in cells: it is centred on the agent."""
        x, y = self.agent_xy
        half = visibility / 2
        return (x - half, y - half, x + half, y + half)

    def diff(self, other: "CoinRunLevel") -> CoinRunDiff:
        """What changes from this level to the other; false when nothing does."""
        return diff_coinrun(self, other)

    # -- See, keep, play --

    def __str__(self) -> str:
        return format_coinrun(self)

    def _repr_png_(self) -> bytes:
        return level_png(self.to_state())

    def to_array(self) -> Integer[np.ndarray, "y x"]:
        """The cells as the engine's numbers, the bottom row first; a copy."""
        return self.cells.copy()

    def to_file(self, path: str | Path) -> None:
        """Write the level to a `.json` file (see `level_files.py`)."""
        write_level_file(path, "coinrun", coinrun_to_json(self))

    def to_state(self, template: bytes | None = None) -> bytes:
        """The engine's bytes of this level.

        With a `template`, a live state of the level's mode, all that is not of the level stays as there, the generators
        above all: an env's later levels remain its own. Note that background on or off and the theme are options of the
        engine, which last beyond the level. Raises ValueError if the template is not such a state.
        """
        return write_coinrun(template_state("coinrun", self.mode) if template is None else template, self)

    # -- Inside --

    def _rebuilt(self, allow_unsolvable: bool, **changes: Any) -> "CoinRunLevel":
        """With all fields checked."""
        return CoinRunLevel(**(self.values() | changes), allow_unsolvable=allow_unsolvable)

    def _edited(self, allow_unsolvable: bool, **changes: Any) -> "CoinRunLevel":
        """With changes of which the parts are known to be right; that they fit together is checked."""
        level = CoinRunLevel.trusted(self.values() | changes)
        if "entities" in changes:
            level._check_entities()
        level.require_agent_outside_walls()
        if not allow_unsolvable:
            level.require_solvable()
        return level

    def _obstacles(self) -> Bool[np.ndarray, " entity"]:
        return np.isin(self.entities["type"], (SAW, ENEMY, CRATE))

    def _coin(self) -> Cell:
        coin = self.coin
        if coin is None:
            raise ValueError("this level has no coin: put one somewhere with level.with_coin(x, y)")
        return coin


def _check_mode(mode: str) -> None:
    if mode not in MODES:
        raise ValueError(f"mode must be one of {', '.join(MODES)}; given: {mode!r}")
