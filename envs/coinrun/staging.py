"""How a scene of CoinRun is set up and played: the agent put next to its coin, a step of the engine, sprites elsewhere.

When: in `scenes.py`, whose docstring says what for.
Cost: 3 ms a scene.

Axes: `row col rgb` pictures from the top left.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import UInt8

from procscope.envs.cells import Cell
from procscope.envs.coinrun.cells import IS_LAVA, IS_WALL
from procscope.envs.coinrun.entities import AGENT_HALF_HEIGHT, ENEMY, SAW, entity, joined
from procscope.envs.coinrun.last_step import as_left, without_ending
from procscope.envs.coinrun.level import CoinRunLevel
from procscope.envs.coinrun.motion import GRAVITY, TOP_SPEED
from procscope.envs.coinrun.value import Memory
from procscope.envs.engine import Engine, scratch_engine

Picture = UInt8[np.ndarray, "row col rgb"]

LEFT, NOTHING, UP, RIGHT = 1, 4, 5, 7
"""Raw actions."""

REWARD = 10.0
_WALKING = 12
"""The image of a walking or jumping agent."""
BEFORE_TOUCH = 0.8
"""Cells between the agent's centre and the coin's cell when the next step at running speed touches it."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A transition, drawn."""

    name: str
    """As in `scenes.SCENES`."""
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


def reaching(level: CoinRunLevel) -> tuple[CoinRunLevel, int]:
    """The level one step before the agent reaches its coin, and the action of that step."""
    coin = level.coin
    if coin is None:
        raise ValueError("a scene needs a level with a coin: level.with_coin(x, y) places one")
    x, y = coin
    level = level.with_coin(x, y, allow_unsolvable=True)
    standing = y + AGENT_HALF_HEIGHT
    for action, place, velocity in (
        (RIGHT, (x - BEFORE_TOUCH, standing), (TOP_SPEED, 0.0)),
        (LEFT, (x + 1 + BEFORE_TOUCH, standing), (-TOP_SPEED, 0.0)),
        (NOTHING, (x + 0.5, y + 1.5 + AGENT_HALF_HEIGHT), (0.0, -0.5)),
    ):
        columns = {int(place[0] - 0.499), int(place[0] + 0.499)}
        touched = level.cells[int(place[1] - AGENT_HALF_HEIGHT + 1e-3) :, sorted(columns)][:2]
        if len(touched) == 2 and not (IS_WALL[touched] | IS_LAVA[touched]).any():
            if velocity[1] == 0 and not any(level.has_solid_below(column, y) for column in columns):
                # In the air: at the top of a jump, so that it does not fall short.
                velocity = (velocity[0], GRAVITY)
            return put_at(cleared(level, *place), *place, *velocity), action
    raise ValueError(
        f"expected room for the agent beside or above the coin at {coin}; there is none. Move the coin first"
    )


def cleared(level: CoinRunLevel, x: float, y: float) -> CoinRunLevel:
    """The level without saws and enemies so near that the agent at (x, y) might touch them within a step."""
    entities = level.entities
    near = (np.abs(entities["x"] - x) < 2) & (np.abs(entities["y"] - y) < 2)
    kept = entities[~(near & np.isin(entities["type"], (SAW, ENEMY)))]
    return level.with_entities(kept, allow_unsolvable=True)


def put_at(level: CoinRunLevel, x: float, y: float, vx: float, vy: float) -> CoinRunLevel:
    """The level with the agent there, and remembered as having been there on the ground."""
    placed = level.with_agent_at(x, y, vx, vy, allow_unsolvable=True)
    values: dict[str, Any] = placed.values()
    values["memory"] = Memory(placed.agent_xy[1], vy == 0, vx >= 0, False)
    return CoinRunLevel(**values, allow_unsolvable=True)


def the_coin(level: CoinRunLevel) -> Cell:
    """The cell of the coin of a level that has one."""
    coin = level.coin
    assert coin is not None
    return coin


def scene_engine(mode: str) -> Engine:
    """The engine that scenes are played and drawn in."""
    return scratch_engine("coinrun", mode, num_envs=1)


def _step(state: bytes, action: int, mode: str) -> tuple[bytes, float]:
    """The state after the action, as the engine would leave it had it not reset, and the reward."""
    engine = scene_engine(mode)
    engine.set_states([state])
    engine.act(np.array([action]))
    reward = float(engine.rewards[0])
    engine.set_states([without_ending(state, reward > 0)])
    engine.act(np.array([action]))
    return as_left(engine.get_states()[0], state), reward


def stepped(level: CoinRunLevel, action: int) -> CoinRunLevel:
    """The level after the action, had it ended no episode."""
    return CoinRunLevel.from_state(_step(level.to_state(), action, level.mode)[0])


def played(name: str, level: CoinRunLevel, action: int) -> Scene:
    """The transition that the engine makes of the level."""
    state = level.to_state()
    after, reward = _step(state, action, level.mode)
    pictures = scene_engine(level.mode).render([state, after])
    return Scene(name, pictures[0], action, pictures[1], reward, (state, after))


def with_sprites(
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
    pictures = scene_engine(level.mode).render(states)
    return Scene(name, pictures[0], action, pictures[1], REWARD, (states[0], states[1]))
