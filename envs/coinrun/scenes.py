"""The scenes that the dissertation made by hand, built from the engine for any level of CoinRun.

What: each function takes a level with a coin and gives a `Scene`: a transition (picture, action, next picture), the
states behind it and its true reward. `original` is a transition in which the agent reaches the coin; the others change
one thing about it. By name in `SCENES`; the manual adversarial examples of Section 5.6 come first, then the eight of
Appendix C.2.1.
When: to ask what a reward network, or any network, looks at.

    scene = translated(CoinRunLevel.from_seed(7, "hard"))
    reward = network(scene.observation, scene.next_observation)[scene.action]   # 10 is right

How: the agent is put next to the coin, at running speed, on whichever side there is room; saws and enemies within two
cells of it are taken away. The dissertation edited pictures with a drawing program and so moved the sprite out of the
middle of the picture, where the engine always has the agent. Here too: the agent itself is left where it was and not
drawn, and another entity with its picture is drawn elsewhere. `camera_follows=True` moves the agent itself instead, and
then the engine itself pays the 10. All of it is drawn by the engine but for the background in the coin's colours, which
no state can say: it is painted on the picture, and `Scene.painted` says so.
Cost: 3 ms a scene, 10 ms with paint.
Source: "Structure and Representation in Neural Networks", Sections 5.6 and C.2 (Figures 5.16, 5.17, C.9 to C.28).

Axes: `row col rgb` pictures from the top left.
"""

from collections.abc import Callable

import numpy as np

from procscope.envs.coinrun.cells import IS_WALL, OPEN
from procscope.envs.coinrun.entities import AGENT_HALF_HEIGHT, obstacle
from procscope.envs.coinrun.ground import going_on
from procscope.envs.coinrun.level import CoinRunLevel
from procscope.envs.coinrun.paint import painted
from procscope.envs.coinrun.staging import (
    NOTHING,
    UP,
    Scene,
    cleared,
    played,
    put_at,
    reaching,
    stepped,
    the_coin,
    with_sprites,
)


def original(level: CoinRunLevel) -> Scene:
    """The agent runs into the coin."""
    start, action = reaching(level)
    return played("original", start, action)


def translated(level: CoinRunLevel, cells: int = 2, *, camera_follows: bool = False) -> Scene:
    """Sprite and coin further left by so many cells, or as many as there is open space for, at least one.

    Tests whether a network looks at where they are in the picture, or next to the wall (Figure 5.16).
    """
    start, action = reaching(level)
    x, y = the_coin(start)
    shift = 0
    while shift < cells and x - shift - 3 >= 1 and not IS_WALL[level.cells[y : y + 2, x - shift - 3]].any():
        shift += 1
    if shift == 0:
        raise ValueError(
            f"expected open space left of the coin at {(x, y)}; there is wall. Move the coin first"
        )
    moved = start.with_coin(x - shift, y, allow_unsolvable=True)
    if camera_follows:
        agent_x, agent_y = start.agent_xy
        place = (agent_x - shift, agent_y)
        return played("translated", put_at(cleared(moved, *place), *place, *start.agent_velocity), action)
    before, after = start.agent_xy, stepped(start, action).agent_xy
    sprites = [(place[0] - shift, place[1]) for place in (before, after)]
    return with_sprites("translated", moved, action, (before, after), sprites)


def rearranged(level: CoinRunLevel, *, camera_follows: bool = False) -> Scene:
    """The coin above the sprite, which jumps up to it (Figure 5.17)."""
    start, action = reaching(level)
    before, after = start.agent_xy, stepped(start, action).agent_xy
    column, feet = int(before[0]), start.agent_cell[1]
    above = level.cells[feet : feet + 6, column]
    if len(above) < 6 or IS_WALL[above].any():
        raise ValueError(f"expected open cells above ({column}, {feet}); there is wall. Move the coin first")
    moved = start.with_coin(column, feet + 4, allow_unsolvable=True)
    # The second and the third step of a jump from the ground.
    low, high = ((column + 0.5, feet + rise + AGENT_HALF_HEIGHT) for rise in (2.8, 3.9))
    if camera_follows:
        return played("rearranged", put_at(cleared(moved, *high), *low, 0.0, 1.3), UP)
    return with_sprites("rearranged", moved, UP, (before, after), [low, high])


def coin_landing_on_sprite(level: CoinRunLevel) -> Scene:
    """The coin right above the head of the sprite, which stands still (Figure C.17)."""
    start, _ = reaching(level)
    column, row = start.agent_cell
    placed = put_at(start, column + 0.5, row + AGENT_HALF_HEIGHT, 0.0, 0.0)
    return played("coin-landing-on-sprite", placed.with_coin(column, row + 2, allow_unsolvable=True), NOTHING)


def coin_as_enemy(level: CoinRunLevel) -> Scene:
    """An enemy where the coin was: to touch it loses the game (Figures C.18, C.19)."""
    start, action = reaching(level)
    x, y = the_coin(start)
    enemy = obstacle("enemy", x + 0.5, y + 0.5)
    changed = start.without_coin().with_entities([start.entities, enemy], allow_unsolvable=True)
    return played("coin-as-enemy", changed, action)


def many_coins(level: CoinRunLevel, count: int = 12, rng: np.random.Generator | None = None) -> Scene:
    """So many more coins on random open cells of the picture that the sprite does not touch (Figure C.20).

    The default `rng` is the same at every call.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    start, action = reaching(level)
    left, bottom, right, top = start.visible_window()
    agent_x, agent_y = start.agent_xy
    cells = [
        (int(x), int(y))
        for y, x in np.argwhere(start.cells == OPEN)
        if left <= x <= right - 1
        and bottom <= y <= top - 1
        and max(abs(x + 0.5 - agent_x), abs(y + 0.5 - agent_y)) > 2
    ]
    chosen = rng.permutation(len(cells))[:count]
    more = [cells[place] for place in chosen]
    return played("many-coins", start.with_coins([*start.coins, *more], allow_unsolvable=True), action)


def platform_goes_on(level: CoinRunLevel) -> Scene:
    """The ground goes on to the right of the coin, instead of the wall (Figures C.21, C.22)."""
    start, action = reaching(level)
    cells = going_on(start.cells, the_coin(start))
    return played("platform-goes-on", start.with_cells(cells, allow_unsolvable=True), action)


def coin_removed(level: CoinRunLevel) -> Scene:
    """No coin (Figure C.23)."""
    start, action = reaching(level)
    return played("coin-removed", start.without_coin(), action)


def sprite_removed(level: CoinRunLevel) -> Scene:
    """No sprite: the agent is there, as the engine needs one, and reaches the coin, but is not drawn (Figure C.24)."""
    start, action = reaching(level)
    return played("sprite-removed", start.with_agent_drawn(False), action)


def background_in_coin_colours(level: CoinRunLevel, rng: np.random.Generator | None = None) -> Scene:
    """Large parts of the background painted in the colours of the coin (Figures C.25, C.26).

    Blocks of 4 x 4 pixels, three quarters of them painted, each in the colour of one of the coin's pixels. The default
    `rng` is the same at every call.
    """
    return painted("background-in-coin-colours", original(level), level, rng)


def background_in_coin_colours_without_coin(
    level: CoinRunLevel, rng: np.random.Generator | None = None
) -> Scene:
    """The same without the coin (Figures C.27, C.28)."""
    return painted("background-in-coin-colours-without-coin", coin_removed(level), level, rng)


SCENES: dict[str, Callable[[CoinRunLevel], Scene]] = {
    "original": original,
    "translated": translated,
    "rearranged": rearranged,
    "coin-landing-on-sprite": coin_landing_on_sprite,
    "coin-as-enemy": coin_as_enemy,
    "many-coins": many_coins,
    "platform-goes-on": platform_goes_on,
    "coin-removed": coin_removed,
    "sprite-removed": sprite_removed,
    "background-in-coin-colours": background_in_coin_colours,
    "background-in-coin-colours-without-coin": background_in_coin_colours_without_coin,
}
"""By name: the three of C5.manual-adv, then the eight of C5.manual-adv-unused."""
