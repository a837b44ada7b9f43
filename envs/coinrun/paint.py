"""Paint on the background of a scene of CoinRun, in the colours of its coin: what no state of the engine can say.

When: in `scenes.py`.
Cost: 7 ms a scene.

Axes: `row col rgb` pictures from the top left.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, UInt8

from procscope.envs.coinrun.level import CoinRunLevel
from procscope.envs.coinrun.staging import Scene, reaching, scene_engine


def painted(name: str, scene: Scene, level: CoinRunLevel, rng: np.random.Generator | None) -> Scene:
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
    start, _ = reaching(level)
    plain = start.with_background(None)
    with_coin, without = scene_engine(level.mode).render([plain.to_state(), plain.without_coin().to_state()])
    return with_coin[(with_coin != without).any(axis=-1)]


def _background(state: bytes, mode: str) -> Bool[np.ndarray, "row col"]:
    """The pixels in which nothing but the background shows: black without one, and not the same before two others."""
    level = CoinRunLevel.from_state(state)
    black, one, other = scene_engine(mode).render(
        [level.with_background(number, 0.5).to_state() for number in (None, 0, 30)]
    )
    return (black == 0).all(axis=-1) & (one != other).any(axis=-1)
