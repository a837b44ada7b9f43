"""The engine's state as a value: parse its bytes, look at every field by name, change some in a copy, write the bytes.

When: to edit one state by hand, or to build a level editor; `state/batch.py` reads and patches many states faster.
What: `EngineState.parse` takes the bytes of maze, heist and coinrun; `serialise` makes them again from the fields
alone, identical byte for byte. The engine ends the whole process on a bad state, so give it `checked(state)` of
`state/checks.py`, never `serialise()` of an edited one.
Cost: parsing about 15 us, serialising 10 us, a validation 60 us.
Source: the layout is in `state/layout.py`.

Axes: y = cell row, upwards; x = cell column, to the right; entity = an entity, in drawing order. The grid is in world
coordinates: [0, 0] is the world's bottom-left cell, a maze's padding included.
"""

from dataclasses import dataclass, replace
from struct import pack
from typing import Any

import numpy as np
from jaxtyping import Int, Num

from procscope.envs.state.encoder import generator_bytes, int_bytes, part_bytes, tail_bytes
from procscope.envs.state.layout import (
    END_MARKER,
    ENTITY_DTYPE,
    SERIALIZE_VERSION,
    TAILS,
    EngineSettings,
    EntityRecords,
    Episode,
    RandomGenerator,
    Scene,
    Tail,
    View,
)
from procscope.envs.state.reader import StateReader


@dataclass(frozen=True, eq=False)
class EngineState:
    """One state of maze, heist or coinrun. Immutable: `replace` and the `with_…` methods give changed copies.

    `entities` is an array of `ENTITY_DTYPE` and `grid` one of int32 [y, x]; both are copies and read-only. Two states
    are equal when their bytes are. Nothing here asks whether the engine would survive the state: `validate` does.
    """

    game: str
    settings: EngineSettings
    level_generator: RandomGenerator
    content_generator: RandomGenerator
    episode: Episode
    grid_size: int
    entities: EntityRecords
    scene: Scene
    asset_generator: RandomGenerator
    view: View
    grid: Num[np.ndarray, "y x"]
    tail: Tail

    def __post_init__(self) -> None:
        if self.game not in TAILS or not isinstance(self.tail, TAILS[self.game]):
            raise ValueError(
                f"expected a game of {', '.join(TAILS)} with its own tail; got {self.game!r} with a "
                f"{type(self.tail).__name__}. Edit a state of that game instead"
            )
        if self.entities.dtype != ENTITY_DTYPE or self.entities.ndim != 1:
            raise ValueError(
                "expected entities as a one-dimensional array of ENTITY_DTYPE; got shape "
                f"{self.entities.shape} of {self.entities.dtype}. Start from state.entities.copy()"
            )
        if self.grid.dtype != np.int32 or self.grid.ndim != 2 or 0 in self.grid.shape:
            raise ValueError(
                "expected the grid as an int32 array [y, x] with cells; got shape "
                f"{self.grid.shape} of {self.grid.dtype}"
            )
        for name in ("entities", "grid"):
            array = getattr(self, name)
            if array.flags.writeable or array.base is not None:
                array = array.copy()
                array.setflags(write=False)
                object.__setattr__(self, name, array)

    @classmethod
    def parse(cls, raw: bytes, game: str | None = None) -> "EngineState":
        """The state in the engine's bytes; with `game`, it must be one of that game.

        Raises:
            ValueError: when the bytes are cut, overlong, of another version or game, or a count or length is wrong; it
                names the field, its byte offset, what was expected and what was found.
        """
        reader = StateReader(bytes(raw))
        version = reader.integer("serialize_version")
        if version != SERIALIZE_VERSION:
            reader.fail("serialize_version", 0, f"{SERIALIZE_VERSION}, that of procgen 0.10.7", version)
        name = reader.text("game_name").decode("ascii", "replace")
        if name not in ([game] if game else TAILS):
            reader.fail("game_name", 4, game or " or ".join(TAILS), repr(name))
        state = cls(
            game=name,
            settings=reader.part(EngineSettings),
            level_generator=reader.generator("level_generator"),
            content_generator=reader.generator("content_generator"),
            episode=reader.part(Episode),
            grid_size=reader.integer("grid_size"),
            entities=_frozen(reader.entities("entities")),
            scene=reader.part(Scene),
            asset_generator=reader.generator("asset_generator"),
            view=reader.part(View),
            grid=_frozen(reader.grid("grid")),
            tail=reader.tail(name),
        )
        at = reader.position
        marker = reader.integer("end marker") % 2**32
        if marker != END_MARKER:
            reader.fail("end marker", at, hex(END_MARKER), hex(marker))
        if reader.position != len(raw):
            reader.fail(
                "end of the state", reader.position, "no more bytes", f"{len(raw) - reader.position} more"
            )
        return state

    def serialise(self) -> bytes:
        """The engine's bytes, made from the fields alone. ValueError when a number does not fit its four bytes."""
        height, width = self.grid.shape
        name = self.game.encode()
        return b"".join(
            (
                pack("<ii", SERIALIZE_VERSION, len(name)),
                name,
                part_bytes(self.settings),
                *generator_bytes("level_generator", self.level_generator),
                *generator_bytes("content_generator", self.content_generator),
                part_bytes(self.episode),
                int_bytes("grid_size", self.grid_size),
                int_bytes("entities' count", len(self.entities)),
                self.entities.tobytes(),
                part_bytes(self.scene),
                *generator_bytes("asset_generator", self.asset_generator),
                part_bytes(self.view),
                pack("<iii", width, height, width * height),
                self.grid.tobytes(),
                tail_bytes(self.tail),
                pack("<I", END_MARKER),
            )
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EngineState) and self.serialise() == other.serialise()

    def __hash__(self) -> int:
        return hash(self.serialise())

    def __repr__(self) -> str:
        height, width = self.grid.shape
        return (
            f"<EngineState of {self.game}: level seed {self.episode.current_level_seed}, step {self.episode.cur_time} "
            f"of {self.episode.timeout}, {width}x{height} cells, {len(self.entities)} entities>"
        )

    @property
    def agent_index(self) -> int:
        """The agent's place in `entities`: the last of type 0. ValueError when there is none."""
        found = np.flatnonzero(self.entities["type"] == 0)
        if not len(found):
            raise ValueError("expected an entity of type 0, the agent; the state has none")
        return int(found[-1])

    def replace(self, **changes: Any) -> "EngineState":
        """A copy with whole fields of `EngineState` replaced."""
        return replace(self, **changes)

    def with_settings(self, **changes: int) -> "EngineState":
        """A copy with some of `EngineSettings` changed; they stay in force after resets."""
        return self.replace(settings=replace(self.settings, **changes))

    def with_episode(self, **changes: Any) -> "EngineState":
        """A copy with some of `Episode` changed."""
        return self.replace(episode=replace(self.episode, **changes))

    def with_scene(self, **changes: Any) -> "EngineState":
        """A copy with some of `Scene` changed, as `background_index`."""
        return self.replace(scene=replace(self.scene, **changes))

    def with_view(self, **changes: Any) -> "EngineState":
        """A copy with some of `View` changed, as `visibility`."""
        return self.replace(view=replace(self.view, **changes))

    def with_grid(self, grid: Int[np.ndarray, "y x"]) -> "EngineState":
        """A copy with other cells. A world of another size takes all the size fields along, until the next reset."""
        cells = np.asarray(grid).astype(np.int32)
        if cells.shape == self.grid.shape:
            return self.replace(grid=cells)
        height, width = cells.shape
        largest = max(width, height)
        tail = self.tail if not hasattr(self.tail, "world_dim") else replace(self.tail, world_dim=largest)
        view = replace(self.view, main_width=width, main_height=height)
        return self.replace(grid=cells, view=view, grid_size=width * height, tail=tail)

    def with_entities(self, entities: EntityRecords) -> "EngineState":
        """A copy with another list of entities, drawn in that order."""
        return self.replace(entities=entities)

    def with_agent(self, **changes: Any) -> "EngineState":
        """A copy with some fields of the agent changed, as `x` and `y` (a cell's centre is at .5)."""
        entities = self.entities.copy()
        for name, value in changes.items():
            entities[name][self.agent_index] = value
        return self.replace(entities=entities)

    def with_seed_range(self, low: int, high: int) -> "EngineState":
        """A copy whose next levels are drawn from the level seeds low to high - 1."""
        return self.with_settings(level_seed_low=low, level_seed_high=high)

    def with_time(self, cur_time: int | None = None, timeout: int | None = None) -> "EngineState":
        """A copy at another step of the episode, or with another last step."""
        changes = {"cur_time": cur_time, "timeout": timeout}
        return self.with_episode(**{name: value for name, value in changes.items() if value is not None})

    def with_level_draws(self, seed: int) -> "EngineState":
        """A copy whose next level seeds are drawn by a generator made from `seed`."""
        return self.replace(level_generator=RandomGenerator.from_seed(seed))


def _frozen(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array
