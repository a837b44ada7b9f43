"""The step that ends a CoinRun episode, played so that it does not end it: for the true last frame.

How: the engine's physics knows neither coins nor lava, and asks whether the agent touches a saw or an enemy with a
margin that the entity brings along. So `without_ending` takes coins and lava away, sets those margins such that nothing
is ever touched, and puts the timeout off; nothing that moves is changed by that. After the step, `as_left` puts all of
it back: the engine leaves the coin that was reached where it is (unlike the maze, which eats its cheese), and so the
frame shows the agent on the coin, on the lava or in the enemy.
When: through `last_frames.py`.
Cost: 60 microseconds a state.
"""

import numpy as np

from procscope.envs.coinrun.cells import COIN, LAVA, LAVA_TOP, OPEN
from procscope.envs.coinrun.entities import ENEMY, SAW
from procscope.envs.state.batch import read_batch
from procscope.envs.state.layout import ENTITY_DTYPE
from procscope.envs.state.offsets import locate
from procscope.envs.state.write import write_batch

_NEVER = -32.0
"""A margin with which no two boxes ever touch."""


def without_ending(state: bytes, complete: bool) -> bytes:
    """The state with all that could end its episode disabled: coins, lava, saws, enemies and the timeout.

    `complete`, whether the episode ended at its coin, makes no difference.
    """
    batch = read_batch([state])
    cells = batch.grids.copy()
    cells[np.isin(cells, (COIN, LAVA, LAVA_TOP))] = OPEN
    (changed,) = write_batch(batch, cells=cells, timeout=batch.timeout + 1)
    return _with_margins(changed, _NEVER)


def as_left(played: bytes, before: bytes) -> bytes:
    """What `without_ending` made of the state `before`, after some steps, with all that it took away as it was."""
    (changed,) = write_batch([played], cells=read_batch([before]).grids)
    return _with_margins(changed, 0.0)


def _with_margins(state: bytes, margin: float) -> bytes:
    """The state with the collision margin of its saws and enemies set."""
    at = locate(state)
    entities = np.frombuffer(state[at.entities : at.scene], ENTITY_DTYPE).copy()
    deadly = np.isin(entities["type"], (SAW, ENEMY))
    if not deadly.any():
        return state
    entities["collision_margin"][deadly] = margin
    return state[: at.entities] + entities.tobytes() + state[at.scene :]
