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
from typing import Any, ClassVar, SupportsFloat, SupportsIndex

import numpy as np
from jaxtyping import Integer

from procscope.envs.arguments import number_within
from procscope.envs.cells import Cell
from procscope.envs.coinrun import edits
from procscope.envs.coinrun.bytes import read_coinrun, write_coinrun
from procscope.envs.coinrun.cells import cell_in_world
from procscope.envs.coinrun.diff import CoinRunDiff, cell_changes, entity_changes
from procscope.envs.coinrun.entities import AGENT_HALF_HEIGHT, KINDS, agent, frozen_entities, joined
from procscope.envs.coinrun.json_values import coinrun_from_json, coinrun_to_json
from procscope.envs.coinrun.motion import STEPS_PER_SECOND, least_steps
from procscope.envs.coinrun.paths import steps_to_goals
from procscope.envs.coinrun.sections import Section, compose
from procscope.envs.coinrun.text import format_coinrun, parse_coinrun
from procscope.envs.coinrun.value import CoinRunValue
from procscope.envs.level import Codec
from procscope.envs.state.layout import EntityRecords


@dataclass(frozen=True, eq=False, repr=False)
class CoinRunLevel(CoinRunValue):
    """A CoinRun level with all that stands and moves in it, and its look: the fields are those of `CoinRunValue`.

    What all levels can do, as `from_seed`, `from_file`, `to_state` and `with_background`, is in `Level`. Edits are
    worked out in `edits.py`.
    """

    codec: ClassVar[Codec] = Codec(
        read_coinrun, write_coinrun, format_coinrun, coinrun_to_json, coinrun_from_json
    )

    # -- Make --

    @classmethod
    def from_ascii(cls, text: str, *, allow_unsolvable: bool = False, **other_fields: Any) -> "CoinRunLevel":
        """A level from a drawing, top row first, as `str(level)` prints it (the legend is in `text.py`).

        A drawing smaller than the world is its bottom-left corner; its last column and its top row are repeated,
        without coins, below the world's top wall. `other_fields` (mode, background, …) win over the notes below the
        drawing. Raises ValueError with the line and column of what is wrong.
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
        records = (
            entities if isinstance(entities, np.ndarray) else joined(() if entities is None else entities)
        )
        records = frozen_entities(records)
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
        return self._edited(allow_unsolvable, **edits.coins_placed(self, coins))

    def without_coin(self) -> "CoinRunLevel":
        """This level without a coin: an episode ends at a hazard or at its timeout."""
        return self.with_coins([], allow_unsolvable=True)

    def without_end_wall(self) -> "CoinRunLevel":
        """This level with the ground going on behind its end, up to the world's edge, instead of the wall there."""
        return self._edited(True, **edits.end_opened(self))

    def with_cell(
        self, x: SupportsIndex, y: SupportsIndex, kind: str, *, allow_unsolvable: bool = False
    ) -> "CoinRunLevel":
        """This level with the cell (x, y) of a kind: open, wall, wall-top, lava, lava-top, barrier or coin."""
        return self._edited(allow_unsolvable, **edits.cell_set(self, x, y, kind))

    def with_cells(
        self, cells: Integer[np.ndarray, "y x"], *, allow_unsolvable: bool = False
    ) -> "CoinRunLevel":
        """This level with other cells, all 64 x 64 of them; the entities stay where they are."""
        return self._rebuilt(allow_unsolvable, cells=cells)

    def with_entities(
        self, entities: EntityRecords | Iterable[EntityRecords], *, allow_unsolvable: bool = False
    ) -> "CoinRunLevel":
        """This level with these entities instead of its own, the agent among them (see `entities.py`)."""
        return self._edited(allow_unsolvable, **edits.entities_replaced(entities))

    def with_agent(
        self,
        x: SupportsIndex,
        y: SupportsIndex,
        vx: SupportsFloat = 0.0,
        vy: SupportsFloat = 0.0,
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
        self,
        x: SupportsFloat,
        y: SupportsFloat,
        vx: SupportsFloat = 0.0,
        vy: SupportsFloat = 0.0,
        *,
        allow_unsolvable: bool = False,
    ) -> "CoinRunLevel":
        """This level with the centre of the agent at (x, y), in cells, at the given velocity in cells a step.

        It faces the way it goes (else as it did), and what the engine remembers of its last step is forgotten.
        """
        return self._edited(allow_unsolvable, **edits.agent_placed(self, x, y, vx, vy))

    def with_agent_drawn(self, drawn: bool = True) -> "CoinRunLevel":
        """This level with the agent drawn, or there and not drawn (the engine cannot be without one)."""
        return self._edited(True, **edits.agent_drawn(self, drawn))

    def with_obstacle(
        self, kind: str, x: SupportsIndex, y: SupportsIndex, *, allow_unsolvable: bool = False
    ) -> "CoinRunLevel":
        """This level with one more obstacle in the middle of the cell (x, y): a saw, an enemy or a crate."""
        return self._edited(allow_unsolvable, **edits.obstacle_added(self, kind, x, y))

    def without_obstacle(self, x: SupportsIndex, y: SupportsIndex) -> "CoinRunLevel":
        """This level without the obstacles whose centre is in the cell (x, y). ValueError when there is none."""
        return self._edited(True, **edits.obstacle_removed(self, x, y))

    def without_obstacles(self, *kinds: str) -> "CoinRunLevel":
        """This level without obstacles of these kinds: saw, enemy, crate, lava; of all when none is named.

        Lava becomes open: a pit without danger. Enemies' trails go with them; barriers stay, they are not seen.
        """
        return self._edited(True, **edits.obstacles_removed(self, kinds))

    def without_hazards(self) -> "CoinRunLevel":
        """This level without all that ends an episode: saws, enemies and lava. Crates stay."""
        return self.without_obstacles("saw", "enemy", "lava")

    def with_obstacles_as(self, kind: str, *, allow_unsolvable: bool = False) -> "CoinRunLevel":
        """This level with every saw, enemy and crate turned into one of the given kind, each in its place."""
        return self._edited(allow_unsolvable, **edits.obstacles_turned(self, kind))

    def with_themes(
        self,
        *,
        walls: SupportsIndex | None = None,
        agent: SupportsIndex | None = None,
        enemies: SupportsIndex | None = None,
        crates: SupportsIndex | None = None,
    ) -> "CoinRunLevel":
        """This level with other pictures of its walls (0 to 5), agent (0 to 4), enemies (0 to 8) or crates (0 to 3)."""
        return self._edited(True, **edits.themes_set(self, walls, agent, enemies, crates))

    def with_mode(self, mode: str) -> "CoinRunLevel":
        """This level to be played in another mode: the same level, after which the engine's own are of that mode."""
        return self._rebuilt(True, mode=mode)

    # -- Ask --

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

    def visible_window(self, visibility: float | int = 13.0) -> tuple[float, float, float, float]:
        """(left, bottom, right, top) of what the 64 x 64 picture shows, in cells: it is centred on the agent."""
        x, y = self.agent_xy
        half = number_within("visibility", visibility, 1, 256, "a width of the view from 1 to 256 cells") / 2
        return (x - half, y - half, x + half, y + half)

    def diff(self, other: "CoinRunLevel") -> CoinRunDiff:
        """What changes from this level to the other; false when nothing does. ValueError for one of another game."""
        self._require_same_game(other)
        return CoinRunDiff(
            cell_changes(self, other), entity_changes(self, other), self._changed_fields(other)
        )

    # -- Keep --

    def to_array(self) -> Integer[np.ndarray, "y x"]:
        """The cells as the engine's numbers, the bottom row first; a copy."""
        return self.cells.copy()

    # -- Inside --

    def _edited(self, allow_unsolvable: bool, **changes: Any) -> "CoinRunLevel":
        """With changes of which each is known to be right; that they fit together is checked."""
        level = self.trusted(self.__dict__ | changes)
        level.require_agent_outside_walls()
        if not allow_unsolvable:
            level.require_solvable()
        return level

    def _coin(self) -> Cell:
        coin = self.coin
        if coin is None:
            raise ValueError("this level has no coin: put one somewhere with level.with_coin(x, y)")
        return coin
