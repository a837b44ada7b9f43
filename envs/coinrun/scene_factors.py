"""What sets the dissertation's scene *rearranged* apart from *original*, one thing at a time.

In *original* the agent runs into the coin; in *rearranged* it jumps up to a coin above it, and a network that was not
made for it sees no reward. Several things differ between the two, and the text leaves open which one matters (section
5.6: "sensitivity to the coin's proximity to the ground, or unnatural vertical position of the agent sprite in the
image"). Here each is a factor of its own, and every combination shows the same sprite reaching the same coin:

    arrangement   beside: the sprite runs to the right into the coin    above: it rises to the coin over its head, of
                  which half is seen still    covered: it rises on, and covers the coin, as in *rearranged*
    surface       ground: right under its feet    slab: a slab of the ground's own cells, four cells up, under its
                  feet    air: nothing, four cells up
    picture       middle: the sprite where the engine has it    high, low: the picture four cells lower or higher

    scene = factored(level, Factors("covered", "air", "high"))   # as *rearranged*
    scene = factored(level, Factors("beside", "ground", "middle"))  # as *original*

When to use: for `reward-scenes`, and whenever it is asked what of a scene a network goes by. The slab is the control
for height itself: as high as in the air, and ground as near as on the ground. The picture can only go so far down that
the agent that it is centred on stays above the ground, so there is no "ground, high".

How: as `scenes.py`; the agent is not drawn, and a sprite is drawn in its place, in all of them alike.
Cost: 2 ms a scene.
Source: dissertation, section 5.6; the factors are ours.

Axes: `y x` cells, y upwards.
"""

from typing import Literal, NamedTuple, get_args

from procscope.envs.coinrun.cells import IS_LAVA, IS_WALL, WALL_TOP, WORLD_CELLS
from procscope.envs.coinrun.entities import AGENT_HALF_HEIGHT
from procscope.envs.coinrun.level import CoinRunLevel
from procscope.envs.coinrun.motion import TOP_SPEED
from procscope.envs.coinrun.staging import (
    BEFORE_TOUCH,
    RIGHT,
    UP,
    Scene,
    cleared,
    put_at,
    the_coin,
    with_sprites,
)

Arrangement = Literal["beside", "above", "covered"]
Surface = Literal["ground", "slab", "air"]
Picture = Literal["middle", "high", "low"]

RAISED_CELLS = 4
"""How much higher slab and air are than the ground, and how far the sprite is from the picture's middle."""
RISES = {"above": 1.0, "covered": 1.5}
"""Cells from one picture to the next; a jump from the ground rises 1.5 in its first step, then 1.3, 1.1, 0.9."""
_SLAB_CELLS = 5


class Factors(NamedTuple):
    """One combination."""

    arrangement: Arrangement
    surface: Surface
    picture: Picture

    @property
    def name(self) -> str:
        return " ".join(self)


_PLACES: tuple[tuple[Surface, Picture], ...] = (
    ("ground", "middle"),
    ("ground", "low"),
    ("slab", "middle"),
    ("slab", "high"),
    ("air", "middle"),
    ("air", "high"),
)
_ARRANGEMENTS: tuple[Arrangement, ...] = get_args(Arrangement)
COMBINATIONS = tuple(
    Factors(arrangement, surface, picture) for arrangement in _ARRANGEMENTS for surface, picture in _PLACES
)
"""All that can be drawn."""


def factored(level: CoinRunLevel, factors: Factors) -> Scene:
    """The scene with these factors.

    Raises ValueError: factors that are none of `COMBINATIONS`; a level without coin, or without room left of it and
    above: the same levels for all combinations.
    """
    if factors not in COMBINATIONS:
        raise ValueError(
            f"expected factors of {', '.join(each.name for each in COMBINATIONS)}; given {' '.join(map(str, factors))}"
        )
    level = cleared_for_all(level)
    x, y = the_coin(level)
    raised = 0 if factors.surface == "ground" else RAISED_CELLS
    if factors.arrangement == "beside":
        coin, action = (x, y + raised), RIGHT
        steps = [(x - BEFORE_TOUCH, 0.0), (x - BEFORE_TOUCH + TOP_SPEED, 0.0)]
    else:
        coin, action = (x - 1, y + raised + 2), UP
        steps = [(x - 0.5, 0.0), (x - 0.5, RISES[factors.arrangement])]
    sprites = [(column, y + raised + rise + AGENT_HALF_HEIGHT) for column, rise in steps]
    shown = level.with_coin(*coin, allow_unsolvable=True)
    if factors.surface == "slab":
        cells = shown.cells.copy()
        columns = slice(max(x - _SLAB_CELLS + 2, 1), min(x + 2, WORLD_CELLS - 1))
        row = cells[y + raised - 1, columns]
        row[~IS_WALL[row]] = WALL_TOP
        shown = shown.with_cells(cells, allow_unsolvable=True)
    shift = {"middle": 0, "high": -RAISED_CELLS, "low": RAISED_CELLS}[factors.picture]
    cameras = [(column, height + shift) for column, height in sprites]
    return with_sprites(factors.name, shown, action, (cameras[0], cameras[1]), sprites)


def cleared_for_all(level: CoinRunLevel) -> CoinRunLevel:
    """The level with one coin, the agent left of it, without saws and enemies near. ValueError: there is no room."""
    coin = level.coin
    if coin is None:
        raise ValueError("a scene needs a level with a coin: level.with_coin(x, y) places one")
    x, y = coin
    # All combinations' sprites, coins and pictures' centres.
    room = level.cells[y : y + 2 * RAISED_CELLS + 3, max(x - 2, 0) : x + 1]
    below = level.cells[max(y - 1, 0), max(x - 2, 0) : x + 1]
    if (
        room.shape != (2 * RAISED_CELLS + 3, 3)
        or (IS_WALL[room] | IS_LAVA[room]).any()
        or not IS_WALL[below].all()
    ):
        raise ValueError(
            f"expected flat ground at the coin {coin} and left of it, and {2 * RAISED_CELLS + 3} open cells above; "
            "there is none. Move the coin first"
        )
    return put_at(
        cleared(level.with_coin(x, y, allow_unsolvable=True), x - 0.5, y + 2.0),
        x - BEFORE_TOUCH,
        y + AGENT_HALF_HEIGHT,
        TOP_SPEED,
        0.0,
    )
