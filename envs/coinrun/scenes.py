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
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8

from procscope.envs.coinrun.entities import AGENT_HALF_HEIGHT, ENEMY, SAW, entity, joined, obstacle
from procscope.envs.coinrun.last_step import as_left, without_ending
from procscope.envs.coinrun.level import CoinRunLevel
from procscope.envs.coinrun.motion import GRAVITY
from procscope.envs.coinrun.value import IS_LAVA, IS_WALL, OPEN, WALL, WALL_TOP, WORLD_CELLS, Memory
from procscope.envs.engine import Engine, scratch_engine

Picture = UInt8[np.ndarray, "row col rgb"]

LEFT, NOTHING, UP, RIGHT = 1, 4, 5, 7
"""Raw actions."""

REWARD = 10.0
_WALKING = 12
"""The image of a walking or jumping agent."""
_RUN = 0.5
_BEFORE_TOUCH = 0.8
"""Cells between the agent's centre and the coin's cell when the next step at running speed touches it."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A transition, drawn."""

    name: str
    """As in `SCENES`."""
    observation: Picture
    action: int
    """The raw action played."""
    next_observation: Picture
    """What the engine would show after it, had it not reset."""
    true_reward: float
    """What the step is worth: the engine's reward, and 10 where a drawn sprite reaches the coin (Section 5.6)."""
    states: tuple[bytes, bytes]
    """The engine's states that the two pictures are of."""
    painted: str = ""
    """What was painted on the pictures because the engine cannot draw it; empty where the engine drew all."""


def original(level: CoinRunLevel) -> Scene:
    """The agent runs into the coin."""
    start, action = _reaching(level)
    return _played("original", start, action)


def translated(level: CoinRunLevel, cells: int = 2, *, camera_follows: bool = False) -> Scene:
    """Sprite and coin further left by so many cells, or as many as there is open space for, at least one.

    Tests whether a network looks at where they are in the picture, or next to the wall (Figure 5.16).
    """
    start, action = _reaching(level)
    x, y = _the_coin(start)
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
        return _played("translated", _put(_cleared(moved, *place), *place, *start.agent_velocity), action)
    before, after = start.agent_xy, _after(start, action).agent_xy
    sprites = [(place[0] - shift, place[1]) for place in (before, after)]
    return _with_sprites("translated", moved, action, (before, after), sprites)


def rearranged(level: CoinRunLevel, *, camera_follows: bool = False) -> Scene:
    """The coin above the sprite, which jumps up to it (Figure 5.17)."""
    start, action = _reaching(level)
    before, after = start.agent_xy, _after(start, action).agent_xy
    column, feet = int(before[0]), start.agent_cell[1]
    above = level.cells[feet : feet + 6, column]
    if len(above) < 6 or IS_WALL[above].any():
        raise ValueError(f"expected open cells above ({column}, {feet}); there is wall. Move the coin first")
    moved = start.with_coin(column, feet + 4, allow_unsolvable=True)
    # The second and the third step of a jump from the ground.
    low, high = ((column + 0.5, feet + rise + AGENT_HALF_HEIGHT) for rise in (2.8, 3.9))
    if camera_follows:
        return _played("rearranged", _put(_cleared(moved, *high), *low, 0.0, 1.3), UP)
    return _with_sprites("rearranged", moved, UP, (before, after), [low, high])


def coin_landing_on_sprite(level: CoinRunLevel) -> Scene:
    """The coin right above the head of the sprite, which stands still (Figure C.17)."""
    start, _ = _reaching(level)
    column, row = start.agent_cell
    placed = _put(start, column + 0.5, row + AGENT_HALF_HEIGHT, 0.0, 0.0)
    return _played(
        "coin-landing-on-sprite", placed.with_coin(column, row + 2, allow_unsolvable=True), NOTHING
    )


def coin_as_enemy(level: CoinRunLevel) -> Scene:
    """An enemy where the coin was: to touch it loses the game (Figures C.18, C.19)."""
    start, action = _reaching(level)
    x, y = _the_coin(start)
    enemy = obstacle("enemy", x + 0.5, y + 0.5)
    changed = start.without_coin().with_entities([start.entities, enemy], allow_unsolvable=True)
    return _played("coin-as-enemy", changed, action)


def many_coins(level: CoinRunLevel, count: int = 12, rng: np.random.Generator | None = None) -> Scene:
    """So many more coins on random open cells of the picture that the sprite does not touch (Figure C.20).

    The default `rng` is the same at every call.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    start, action = _reaching(level)
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
    return _played("many-coins", start.with_coins([*start.coins, *more], allow_unsolvable=True), action)


def platform_goes_on(level: CoinRunLevel) -> Scene:
    """The ground goes on to the right of the coin, instead of the wall (Figures C.21, C.22)."""
    start, action = _reaching(level)
    x, y = _the_coin(start)
    cells = start.cells.copy()
    beyond = slice(x + 1, WORLD_CELLS - 1)
    cells[y:-1, beyond] = OPEN
    cells[:y, beyond] = WALL
    cells[max(y - 1, 0), beyond] = WALL_TOP
    return _played("platform-goes-on", start.with_cells(cells, allow_unsolvable=True), action)


def coin_removed(level: CoinRunLevel) -> Scene:
    """No coin (Figure C.23)."""
    start, action = _reaching(level)
    return _played("coin-removed", start.without_coin(), action)


def sprite_removed(level: CoinRunLevel) -> Scene:
    """No sprite: the agent is there, as the engine needs one, and reaches the coin, but is not drawn (Figure C.24)."""
    start, action = _reaching(level)
    return _played("sprite-removed", start.with_agent_drawn(False), action)


def background_in_coin_colours(level: CoinRunLevel, rng: np.random.Generator | None = None) -> Scene:
    """Large parts of the background painted in the colours of the coin (Figures C.25, C.26).

    Blocks of 4 x 4 pixels, three quarters of them painted, each in the colour of one of the coin's pixels. The default
    `rng` is the same at every call.
    """
    return _painted("background-in-coin-colours", original(level), level, rng)


def background_in_coin_colours_without_coin(
    level: CoinRunLevel, rng: np.random.Generator | None = None
) -> Scene:
    """The same without the coin (Figures C.27, C.28)."""
    return _painted("background-in-coin-colours-without-coin", coin_removed(level), level, rng)


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


def _reaching(level: CoinRunLevel) -> tuple[CoinRunLevel, int]:
    """The level one step before the agent reaches its coin, and the action of that step."""
    coin = level.coin
    if coin is None:
        raise ValueError("a scene needs a level with a coin: level.with_coin(x, y) places one")
    x, y = coin
    level = level.with_coin(x, y, allow_unsolvable=True)
    standing = y + AGENT_HALF_HEIGHT
    for action, place, velocity in (
        (RIGHT, (x - _BEFORE_TOUCH, standing), (_RUN, 0.0)),
        (LEFT, (x + 1 + _BEFORE_TOUCH, standing), (-_RUN, 0.0)),
        (NOTHING, (x + 0.5, y + 1.5 + AGENT_HALF_HEIGHT), (0.0, -0.5)),
    ):
        columns = {int(place[0] - 0.499), int(place[0] + 0.499)}
        touched = level.cells[int(place[1] - AGENT_HALF_HEIGHT + 1e-3) :, sorted(columns)][:2]
        if len(touched) == 2 and not (IS_WALL[touched] | IS_LAVA[touched]).any():
            if velocity[1] == 0 and not any(level.has_solid_below(column, y) for column in columns):
                velocity = (
                    velocity[0],
                    GRAVITY,
                )  # in the air: at the top of a jump, so that it does not fall short
            return _put(_cleared(level, *place), *place, *velocity), action
    raise ValueError(
        f"expected room for the agent beside or above the coin at {coin}; there is none. Move the coin first"
    )


def _cleared(level: CoinRunLevel, x: float, y: float) -> CoinRunLevel:
    """The level without saws and enemies so near that the agent at (x, y) might touch them within a step."""
    entities = level.entities
    near = (np.abs(entities["x"] - x) < 2) & (np.abs(entities["y"] - y) < 2)
    kept = entities[~(near & np.isin(entities["type"], (SAW, ENEMY)))]
    return level.with_entities(kept, allow_unsolvable=True)


def _put(level: CoinRunLevel, x: float, y: float, vx: float, vy: float) -> CoinRunLevel:
    """The level with the agent there, and remembered as having been there on the ground."""
    placed = level.with_agent_at(x, y, vx, vy, allow_unsolvable=True)
    values: dict[str, Any] = placed.values()
    values["memory"] = Memory(placed.agent_xy[1], vy == 0, vx >= 0, False)
    return CoinRunLevel(**values, allow_unsolvable=True)


def _the_coin(level: CoinRunLevel) -> tuple[int, int]:
    coin = level.coin
    assert coin is not None
    return coin


def _engine(mode: str) -> Engine:
    return scratch_engine("coinrun", mode, num_envs=1)


def _step(state: bytes, action: int, mode: str) -> tuple[bytes, float]:
    """The state after the action, as the engine would leave it had it not reset, and the reward."""
    engine = _engine(mode)
    engine.set_states([state])
    engine.act(np.array([action]))
    reward = float(engine.rewards[0])
    engine.set_states([without_ending(state, reward > 0)])
    engine.act(np.array([action]))
    return as_left(engine.get_states()[0], state), reward


def _after(level: CoinRunLevel, action: int) -> CoinRunLevel:
    return CoinRunLevel.from_state(_step(level.to_state(), action, level.mode)[0])


def _played(name: str, level: CoinRunLevel, action: int) -> Scene:
    """The transition that the engine makes of the level."""
    state = level.to_state()
    after, reward = _step(state, action, level.mode)
    pictures = _engine(level.mode).render([state, after])
    return Scene(name, pictures[0], action, pictures[1], reward, (state, after))


def _with_sprites(
    name: str,
    level: CoinRunLevel,
    action: int,
    cameras: tuple[tuple[float, float], tuple[float, float]],
    sprites: list[tuple[float, float]],
) -> Scene:
    """Two pictures of the level with the agent, undrawn, at the one places and a sprite drawn at the others."""
    agent = level.entities[level.entities["type"] == 0]
    look = {
        "image_type": _WALKING,
        "image_theme": int(agent["image_theme"][0]),
        "is_reflected": int(agent["is_reflected"][0]),
        "ry": AGENT_HALF_HEIGHT,
        "render_z": 1,
    }
    states = []
    for camera, sprite in zip(cameras, sprites, strict=True):
        placed = level.with_agent_at(*camera, allow_unsolvable=True).with_agent_drawn(False)
        drawn = joined([placed.entities, entity("decoration", *sprite, **look)])
        states.append(placed.with_entities(drawn, allow_unsolvable=True).to_state())
    pictures = _engine(level.mode).render(states)
    return Scene(name, pictures[0], action, pictures[1], REWARD, (states[0], states[1]))


def _painted(name: str, scene: Scene, level: CoinRunLevel, rng: np.random.Generator | None) -> Scene:
    """The scene with paint on its background."""
    rng = np.random.default_rng(0) if rng is None else rng
    palette = _coin_colours(level)
    blocks = rng.integers(len(palette), size=(16, 16))
    chosen = rng.random((16, 16)) < 0.75
    colours, where = (np.kron(part, np.ones((4, 4), int)) for part in (blocks, chosen))
    pictures = []
    for picture, state in zip((scene.observation, scene.next_observation), scene.states, strict=True):
        mask = _background(state, level.mode) & (where > 0)
        pictures.append(np.where(mask[..., None], palette[colours], picture).astype(np.uint8))
    return replace(
        scene,
        name=name,
        observation=pictures[0],
        next_observation=pictures[1],
        painted="the background, in the colours of the coin",
    )


def _coin_colours(level: CoinRunLevel) -> UInt8[np.ndarray, "colour rgb"]:
    """The colours of the coin's pixels, as the engine draws it."""
    start, _ = _reaching(level)
    plain = start.with_background(None)
    with_coin, without = _engine(level.mode).render([plain.to_state(), plain.without_coin().to_state()])
    return with_coin[(with_coin != without).any(axis=-1)]


def _background(state: bytes, mode: str) -> Bool[np.ndarray, "row col"]:
    """The pixels in which nothing but the background shows: black without one, and not the same before two others."""
    level = CoinRunLevel.from_state(state)
    black, one, other = _engine(mode).render(
        [level.with_background(number, 0.5).to_state() for number in (None, 0, 30)]
    )
    return (black == 0).all(axis=-1) & (one != other).any(axis=-1)
