"""A maze level in the engine's state bytes: read out of them, and written into them.

What: `read_maze` gives the fields of the level that a state is in, `write_maze` puts a level into a copy of a
state and leaves every other byte alone, the generators above all: what the engine draws next stays its own.
When: through `MazeLevel.from_state` and `to_state`. For many states at once, read or edited as arrays, see
`state/batch.py`.
Cost: about 15 microseconds to read and 10 to write, fast enough for every reset of a vector environment.

The maze lies centred in the engine's square world (15, 25 or 31 cells wide in the modes easy, hard and
memory), with wall all round it. World cells are numbered from the world's corner, maze cells from the maze's.

Axes: y = cell row, counted upwards; x = cell column, counted to the right.
"""

import struct
from typing import Any

import numpy as np

from procscope.envs.maze.value import N_BACKGROUNDS, WORLD_CELLS, MazeValue, read_only
from procscope.envs.state.layout import ENTITY_DTYPE
from procscope.envs.state.offsets import EPISODE_DTYPE, SCENE_DTYPE, SETTINGS_DTYPE, Offsets, locate

WALL, FREE, CHEESE = 51, 100, 2
"""What the engine calls the three kinds of cell."""

_MODES = {0: "easy", 1: "hard", 10: "memory"}
_NO_SEED = -1


def _offset(dtype: np.dtype, name: str) -> int:
    return dtype.fields[name][1]  # pyright: ignore[reportOptionalSubscript]


_MONOCHROME = _offset(SETTINGS_DTYPE, "use_monochrome_assets")
_BACKGROUNDS = _offset(SETTINGS_DTYPE, "use_backgrounds")
_MODE = _offset(SETTINGS_DTYPE, "distribution_mode")
_SEED = _offset(EPISODE_DTYPE, "current_level_seed")
_INDEX = _offset(SCENE_DTYPE, "background_index")
_SHIFT = _offset(SCENE_DTYPE, "bg_pct_x")
_REFLECTED = _offset(ENTITY_DTYPE, "is_reflected")


def read_maze(state: bytes) -> dict[str, Any]:
    """The maze level that the state is in, as the fields of `MazeValue` by name.

    Raises ValueError for a state of another game, and for one that no level describes: another world than its
    mode's, cells of unknown kind, free cells outside the maze, two cheeses, the mouse in a wall or between
    cells.
    """
    at = _maze_offsets(state)
    world = at.width
    (number,) = struct.unpack_from("<i", state, at.settings + _MODE)
    mode = _MODES.get(number)
    if mode is None or WORLD_CELLS[mode] != world or at.height != world:
        raise ValueError(
            f"expected a maze state with the world of its mode ({WORLD_CELLS}); this one has "
            f"{world}x{at.height} cells and distribution_mode {number}"
        )
    size, _ = struct.unpack_from("<2i", state, at.tail)
    if not 3 <= size <= world or size % 2 == 0:
        raise ValueError(f"maze_dim must be odd, from 3 to {world}; in this state it is {size}")
    margin = (world - size) // 2
    cells = np.frombuffer(state, "<i4", world * world, at.cells).reshape(world, world)
    inner = cells[margin : margin + size, margin : margin + size]
    walls = inner == WALL
    kinds = np.bincount(walls.ravel(), minlength=2)
    where_cheese = np.flatnonzero(inner == CHEESE)
    if kinds[0] != np.count_nonzero(inner == FREE) + len(where_cheese) or kinds[0] != np.count_nonzero(
        cells != WALL
    ):
        raise ValueError(
            f"the cells of a maze are {WALL} (wall), {FREE} (free) and {CHEESE} (cheese), and all is wall "
            f"outside its {size}x{size} cells; this state has others"
        )
    if len(where_cheese) > 1:
        raise ValueError(f"a maze has at most one cheese; this state has {len(where_cheese)}")
    cheese = None
    if len(where_cheese):
        y, x = divmod(int(where_cheese[0]), size)
        cheese = (x, y)
    if at.agent < 0:
        raise ValueError("a maze has a mouse (an entity of type 0); this state has none")
    world_x, world_y = struct.unpack_from("<2f", state, at.agent)
    x, y = world_x - margin - 0.5, world_y - margin - 0.5
    if not (0 <= x < size and 0 <= y < size and x == int(x) and y == int(y)) or walls[int(y), int(x)]:
        raise ValueError(
            "the mouse must stand in the middle of a free cell; in this state it is at "
            f"({world_x}, {world_y}) in the world"
        )
    (seed,) = struct.unpack_from("<i", state, at.episode + _SEED)
    (has_background,) = struct.unpack_from("<i", state, at.settings + _BACKGROUNDS)
    (monochrome,) = struct.unpack_from("<i", state, at.settings + _MONOCHROME)
    background, offset = None, 0.0
    if has_background:
        (background,) = struct.unpack_from("<i", state, at.scene + _INDEX)
        (offset,) = struct.unpack_from("<f", state, at.scene + _SHIFT)
        if not (0 <= background < N_BACKGROUNDS and 0 <= offset <= 1):
            raise ValueError(
                f"background_index must be 0 to {N_BACKGROUNDS - 1} and bg_pct_x 0 to 1; in this state they "
                f"are {background} and {offset}"
            )
    return {
        "walls": read_only(walls),
        "cheese": cheese,
        "mouse": (int(x), int(y)),
        "mode": mode,
        "level_seed": None if seed < 0 else seed,
        "background": background,
        "background_offset": offset,
        "theme": "monochrome" if monochrome else "textured",
    }


def write_maze(template: bytes, level: MazeValue) -> bytes:
    """A copy of the maze state `template` that is in `level`; the mouse faces as at a level's start.

    Cells, mouse, level seed (-1 for None), background and theme are the level's; all else, the generators and
    the clock of the episode too, stays as it is. Raises ValueError if the template is no maze state of the
    level's mode.
    """
    at = _maze_offsets(template)
    world = WORLD_CELLS[level.mode]
    if (at.width, at.height) != (world, world) or at.agent < 0:
        raise ValueError(
            f"a level of mode {level.mode!r} needs a state with a mouse in a world of {world}x{world} "
            f"cells as its template; the given one has {at.width}x{at.height} cells. "
            "level.with_mode(...) changes the mode"
        )
    size = len(level.walls)
    margin = (world - size) // 2
    cells = np.full((world, world), WALL, "<i4")
    inner = cells[margin : margin + size, margin : margin + size]
    inner[~level.walls] = FREE
    if level.cheese is not None:
        inner[level.cheese[1], level.cheese[0]] = CHEESE
    state = bytearray(template)
    state[at.cells : at.tail] = cells.tobytes()
    struct.pack_into("<2i", state, at.tail, size, world)
    x, y = level.mouse
    struct.pack_into("<4f", state, at.agent, x + margin + 0.5, y + margin + 0.5, 0.0, 0.0)
    struct.pack_into("<i", state, at.agent + _REFLECTED, 0)
    seed = _NO_SEED if level.level_seed is None else level.level_seed
    struct.pack_into("<i", state, at.episode + _SEED, seed)
    struct.pack_into("<i", state, at.settings + _MONOCHROME, level.theme == "monochrome")
    struct.pack_into("<i", state, at.settings + _BACKGROUNDS, level.background is not None)
    if level.background is not None:
        struct.pack_into("<i", state, at.scene + _INDEX, level.background)
        struct.pack_into("<f", state, at.scene + _SHIFT, level.background_offset)
    return bytes(state)


def _maze_offsets(state: bytes) -> Offsets:
    at = locate(state)
    if at.game != "maze":
        raise ValueError(f"expected a state of the game maze; this one is of {at.game!r}")
    return at
