"""Variants: named distributions of levels, made by changing each level as its episode begins.

What: a variant is a function `(level, rng) -> level` with a name and a docstring. Those below are for the
maze; a user's own function is one too, and another package can register more under the entry point group
`procscope.variants`.
When: `ProcgenVectorEnv(variants=...)`, `--variant NAME ...`; several are applied in the order given.

    mouse, corner = resolve_variants(["mouse-anywhere", "cheese-top-right:1"])
    level = corner(mouse(level, rng), rng)

A name may carry a number after a colon, the side in cells of the corner region that it speaks of (5 when left
out: "the top-right 5x5" of the channel-121 study; 1 is the corner cell). A random cell is one
`rng.integers(len(candidates))`, the candidates in row-major order of (y, x): the free cells of the region
that the mouse can reach, less the other's own cell when there is another choice. Trained models depend on
that; it must not change.

Cost: about 40 microseconds a level.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Bool

from procscope.envs.generator import draw_walls
from procscope.envs.maze import MazeLevel
from procscope.envs.maze_structure import Cell, reachable_cells
from procscope.envs.maze_value import WORLD_CELLS
from procscope.workbench import plugins

REGION_CELLS = 5
"""Default side of the square region in a corner, in cells."""

LevelFunction = Callable[[Any, np.random.Generator], Any]


@dataclass(frozen=True)
class Variant:
    """A named function from levels to levels."""

    name: str
    """The name as it is given to commands and written on cards; with its size, if any: `cheese-top-right:1`."""
    description: str
    """What it does, in a sentence."""
    function: LevelFunction
    """(level, rng) -> level; draws from `rng` alone, and leaves the level that it is given as it is."""
    game: str | None = None
    """The game whose levels it takes; None for a function that does not say."""

    def __call__(self, level: Any, rng: np.random.Generator) -> Any:
        """The changed level."""
        return self.function(level, rng)


def cheese_top_right(level: MazeLevel, rng: np.random.Generator, size: int = REGION_CELLS) -> MazeLevel:
    """The cheese on a random free cell of the top-right size x size cells of the maze."""
    return _with_cheese_in(level, rng, _corner(level, size, right=True, top=True))


def cheese_outside_top_right(
    level: MazeLevel, rng: np.random.Generator, size: int = REGION_CELLS
) -> MazeLevel:
    """The cheese on a random free cell outside of the top-right size x size cells of the maze.

    A maze not larger than the region has no cell outside; there the cheese goes anywhere in it.
    """
    outside = ~_corner(level, size, right=True, top=True)
    return _with_cheese_in(level, rng, outside if outside.any() else ~outside)


def cheese_top_left(level: MazeLevel, rng: np.random.Generator, size: int = REGION_CELLS) -> MazeLevel:
    """The cheese on a random free cell of the top-left size x size cells of the maze."""
    return _with_cheese_in(level, rng, _corner(level, size, right=False, top=True))


def cheese_bottom_right(level: MazeLevel, rng: np.random.Generator, size: int = REGION_CELLS) -> MazeLevel:
    """The cheese on a random free cell of the bottom-right size x size cells of the maze."""
    return _with_cheese_in(level, rng, _corner(level, size, right=True, top=False))


def cheese_anywhere(level: MazeLevel, rng: np.random.Generator) -> MazeLevel:
    """The cheese on a random free cell of the maze."""
    return _with_cheese_in(level, rng, np.ones_like(level.walls))


def no_cheese(level: MazeLevel, rng: np.random.Generator) -> MazeLevel:
    """No cheese: an episode ends at its timeout."""
    return level.without_cheese()


def mouse_anywhere(level: MazeLevel, rng: np.random.Generator) -> MazeLevel:
    """The mouse on a random free cell of the maze other than the cheese's."""
    everywhere = np.ones_like(level.walls)
    x, y = _draw(level, rng, everywhere, avoid=level.cheese)
    return level.with_mouse(x, y, allow_unsolvable=True)


def half_full_size(level: MazeLevel, rng: np.random.Generator) -> MazeLevel:
    """Half of the levels become random mazes as large as the world, mouse bottom-left and cheese top-right.

    For training: large mazes are the hard ones, and the engine makes one in seven levels so large.
    """
    if rng.random() < 0.5:
        return level
    world = WORLD_CELLS[level.mode]
    corner = (world - 1, world - 1)
    return MazeLevel(**level.values() | {"walls": draw_walls(world, rng), "mouse": (0, 0), "cheese": corner})


MAZE_VARIANTS: dict[str, LevelFunction] = {
    "cheese-top-right": cheese_top_right,
    "cheese-outside-top-right": cheese_outside_top_right,
    "cheese-top-left": cheese_top_left,
    "cheese-bottom-right": cheese_bottom_right,
    "cheese-anywhere": cheese_anywhere,
    "no-cheese": no_cheese,
    "mouse-anywhere": mouse_anywhere,
    "half-full-size": half_full_size,
}
"""The maze's own variants by name."""


def variant_names() -> list[str]:
    """Every name that `resolve_variants` takes, those of other packages too, sorted."""
    return sorted({*MAZE_VARIANTS, *plugins.names("procscope.variants")})


def resolve_variants(
    variants: Sequence[str | LevelFunction | Variant] | str | LevelFunction | Variant,
) -> tuple[Variant, ...]:
    """Variants from names, functions (level, rng) -> level, or variants, one or several, in the order given.

    Raises ValueError for a name that nobody has registered (the nearest are suggested), and for a size that
    is not a whole number from 1 or that the variant does not take.
    """
    several = [variants] if isinstance(variants, str) or callable(variants) else variants
    return tuple(_resolve(variant) for variant in several)


def _resolve(variant: str | LevelFunction | Variant) -> Variant:
    if isinstance(variant, Variant):
        return variant
    if isinstance(variant, str):
        return _named(variant)
    if not callable(variant):
        raise ValueError(f"a variant is a name or a function (level, rng) -> level; given: {variant!r}")
    name = getattr(variant, "__name__", type(variant).__name__).replace("_", "-")
    return Variant(name, _sentence(variant), variant)


def _named(full_name: str) -> Variant:
    name, colon, size_text = full_name.partition(":")
    game = None
    if name in MAZE_VARIANTS:
        function, game = MAZE_VARIANTS[name], "maze"
    elif name in plugins.names("procscope.variants"):
        function = plugins.load("procscope.variants", name)
    else:
        raise ValueError(f"unknown variant {full_name!r}. {plugins.suggest(name, variant_names())}")
    if isinstance(function, Variant):
        function, game = function.function, function.game
    description = _sentence(function)
    if colon:
        if "size" not in inspect.signature(function).parameters:
            raise ValueError(f"the variant {name!r} takes no size; given: {full_name!r}")
        if not size_text.isdecimal() or int(size_text) < 1:
            raise ValueError(f"the size of a variant is a whole number of cells from 1; given: {full_name!r}")
        function = partial(function, size=int(size_text))
    return Variant(full_name, description, function, game)


def _sentence(function: LevelFunction) -> str:
    return (inspect.getdoc(function) or "").split("\n\n")[0].replace("\n", " ")


def _corner(level: MazeLevel, size: int, *, right: bool, top: bool) -> Bool[np.ndarray, "y x"]:
    """True in the size x size cells of one corner of the maze."""
    region = np.zeros_like(level.walls)
    rows = slice(max(level.size - size, 0), None) if top else slice(size)
    columns = slice(max(level.size - size, 0), None) if right else slice(size)
    region[rows, columns] = True
    return region


def _with_cheese_in(level: MazeLevel, rng: np.random.Generator, region: Bool[np.ndarray, "y x"]) -> MazeLevel:
    x, y = _draw(level, rng, region, avoid=level.mouse)
    return level.with_cheese(x, y, allow_unsolvable=True)


def _draw(
    level: MazeLevel, rng: np.random.Generator, region: Bool[np.ndarray, "y x"], avoid: Cell | None
) -> Cell:
    """A random cell (x, y) of the region that the mouse can reach, `avoid` only if there is no other."""
    candidates = np.flatnonzero(region & reachable_cells(level.walls, level.mouse))
    if avoid is not None and len(candidates) > 1:
        candidates = candidates[candidates != avoid[1] * level.size + avoid[0]]
    if not len(candidates):
        raise ValueError(
            f"the variant needs a free cell that the mouse at {level.mouse} can reach, among "
            f"{int(region.sum())} cells of the {level.size}x{level.size} maze; there is none"
        )
    y, x = divmod(int(candidates[rng.integers(len(candidates))]), level.size)
    return (x, y)
