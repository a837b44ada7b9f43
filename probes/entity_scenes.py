"""Scenes for tracking: one thing of a level in many places, the agent in several, as a full grid of states.

When to use: with `tracking.py`. In an open room, as the source has it, and in mazes of the engine, where networks play.

    for scene in room_scenes(room, agents=16): ...         # every key, every lock and the gem, round a square ring
    for scene in maze_scenes(level, 16, 8, rng): ...       # the same over random cells of the level's own maze
    read = read_scene(network, scene, ["conv_out"])        # [place, agent, unit, row, col]

Source: notes on a Heist agent (S4): one entity clockwise round a square path. Every place of the agent, and mazes, are
ours; so is the cheese of a maze network, moved alike, which the notes compare with in words.
Cost: the forward pass of places x agents frames.

Axes: `place` of the thing, `agent` its places, `xy` a cell.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Int
from torch import nn

from procscope.activations.capture import capture
from procscope.activations.encoding import Encoder, encoded
from procscope.envs.cells import Cell
from procscope.envs.engine import scratch_engine
from procscope.envs.heist import HeistLevel
from procscope.envs.heist.sweeps import ENTITIES, Entity, ring_of_cells, sweep_entity
from procscope.envs.maze import MazeLevel
from procscope.envs.maze.geometry import MazeGeometry
from procscope.envs.state.write import write_batch

ROOM_CELLS, RING_CELLS = 9, 5
"""Width of the room (the whole world of easy mode, so that two rows of other things are clear of the ring) and of the
ring in it: 16 places."""


class Scene(NamedTuple):
    """A thing and an agent in all pairs of their places."""

    thing: str
    """What is moved: "blue key", "gem", "cheese"."""
    game: str
    mode: str
    states: list[bytes]
    """Agents in turn within each place."""
    places: Int[np.ndarray, "place xy"]
    agents: Int[np.ndarray, "agent xy"]
    geometry: MazeGeometry

    def spots(self, map_size: int, center: float) -> Float[np.ndarray, "place rowcol"]:
        """Where the places lie in a map of so many rows, as continuous positions."""
        return self.geometry.cell_centers(self.places, map_size, center)


def room_scenes(room: HeistLevel, agents: int) -> Iterator[Scene]:
    """Everything but the agent moved round the ring of an open room (`open_room` of `ROOM_CELLS`).

    Args:
        agents: so many cells off the ring, evenly spread over those that are free.
    """
    ring = ring_of_cells(room, (ROOM_CELLS // 2, ROOM_CELLS // 2 + 1), RING_CELLS)
    free = [cell for cell in room.free_cells() if cell not in ring and cell not in room.occupied()]
    chosen = [free[i] for i in np.linspace(0, len(free) - 1, min(agents, len(free))).astype(int)]
    yield from _scenes(room, ring, chosen)


def maze_scenes(level: HeistLevel, places: int, agents: int, rng: np.random.Generator) -> Iterator[Scene]:
    """Everything but the agent moved over random empty cells of the level's maze, the agent on others.

    Where the maze has too few cells, there are fewer places, at least as many as agents. Whether the level can be
    solved is not asked. Raises ValueError: fewer than eight empty cells.
    """
    cells = _shuffled([cell for cell in level.free_cells() if cell not in level.occupied()], rng)
    if len(cells) < 8:
        raise ValueError(f"expected a level with at least eight empty cells; given one with {len(cells)}")
    agents = min(agents, len(cells) // 2)
    yield from _scenes(level, cells[agents : agents + places], cells[:agents])


def cheese_scene(level: MazeLevel, places: int, mice: int, rng: np.random.Generator) -> Scene:
    """The cheese over random free cells of a maze, the mouse on others."""
    cells = _shuffled(list(level.free_cells()), rng)
    mice = min(mice, len(cells) // 2)
    there, here = np.array(cells[mice : mice + places]), np.array(cells[:mice])
    states = []
    for x, y in there.tolist():
        state = level.with_cheese(x, y).to_state()
        states += write_batch([state] * len(here), agent_xy=here + level.margin + 0.5)
    return Scene("cheese", "maze", level.mode, states, there, here, MazeGeometry.of_level(level))


def read_scene(
    network: nn.Module,
    scene: Scene,
    hook_points: Sequence[str],
    encoders: Mapping[str, Encoder] | None = None,
) -> dict[str, Float32[np.ndarray, "place agent unit row col"]]:
    """The maps of a scene by hook point: channels, or an encoder's latents where it is given one.

    Raises ValueError: a hook point without square maps, and as `capture`.
    """
    frames = scratch_engine(scene.game, scene.mode).render(scene.states)
    captured = capture(network, frames, hook_points, dtype="float32").activations
    read = {}
    for name, maps in captured.items():
        if maps.ndim != 4 or maps.shape[2] != maps.shape[3]:
            raise ValueError(
                f"expected square maps [channel, row, col] at {name!r}; it has shape {maps.shape[1:]} per frame. "
                "Choose a hook point before the flattening"
            )
        if encoders and name in encoders:
            maps = encoded(encoders[name], maps).astype(np.float32)
        read[name] = maps.reshape(len(scene.places), len(scene.agents), *maps.shape[1:])
    return read


def _scenes(level: HeistLevel, places: Sequence[Cell], agents: Sequence[Cell]) -> Iterator[Scene]:
    geometry = MazeGeometry.of_frames(level.size, level.size)
    for entity in ENTITIES:
        if entity.kind != "agent" and _count(level, entity) == 1:
            swept = sweep_entity(level, entity, places, agents)
            yield Scene(
                str(entity),
                level.game,
                level.mode,
                swept.states,
                np.array(places),
                np.array(agents),
                geometry,
            )


def _count(level: HeistLevel, entity: Entity) -> int:
    return sum(name == str(entity) for name in level.occupied().values())


def _shuffled(cells: list[Cell], rng: np.random.Generator) -> list[Cell]:
    return [cells[i] for i in rng.permutation(len(cells))]
