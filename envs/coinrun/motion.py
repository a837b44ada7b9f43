"""How the agent of CoinRun moves, as far as distances in time need it: the engine's constants, and a lower bound.

What: `least_steps` is the least number of steps in which the agent can touch a coin: it runs at it as the engine
accelerates it on the ground, with nothing in its way, or jumps straight up. Real levels take longer; the
bound is met on flat ground (tests compare with the engine).
Cost: 2 microseconds for 64 states.
Source: `update_agent_velocity` and `check_grid_collisions` of `coinrun.cpp`. On the ground, with the key held,
vx' = 0.8 vx + 0.1, at most 0.5 cells a step; a jump starts at 1.5 cells a step and loses 0.2 each step: 5 cells high,
7 wide. Procgen's own interactive player runs at 15 steps a second (`gym_registration.py`).
"""

import numpy as np
from jaxtyping import Float, Int, Num

from procscope.envs.coinrun.entities import AGENT_HALF_HEIGHT, AGENT_HALF_WIDTH

STEPS_PER_SECOND = 15
TOP_SPEED = 0.5
"""Cells a step on the ground, 7.5 cells a second."""
JUMP_SPEED = 1.5
GRAVITY = 0.2
MIX = 0.2
"""Share of the way to the wanted speed that one step on the ground goes."""
HIGHEST_STEP, WIDEST_GAP = 5, 7
"""Cells: the limits that the engine's generator keeps to, so that every level can be won."""

_EPS = 0.001


def least_steps(
    x: Float[np.ndarray, " state"],
    y: Float[np.ndarray, " state"],
    vx: Float[np.ndarray, " state"],
    coin_x: Num[np.ndarray, " state"],
    coin_y: Num[np.ndarray, " state"],
) -> Int[np.ndarray, " state"]:
    """Least steps until the agent, its centre at (x, y) and speed vx, can touch the coin in the cell (coin_x, coin_y).

    At least 1, as touching is looked at after a step. A faster agent than the keys can make is taken to keep its speed.
    """
    right, left = coin_x - (x + AGENT_HALF_WIDTH - _EPS), (x - AGENT_HALF_WIDTH + _EPS) - (coin_x + 1)
    across = np.maximum(np.maximum(right, left), 0.0)
    speed = np.where(right > 0, vx, np.where(left > 0, -vx, 0.0)).astype(float)
    up, down = coin_y - (y + AGENT_HALF_HEIGHT - _EPS), (y - AGENT_HALF_HEIGHT + _EPS) - (coin_y + 1)
    climb = np.ceil(np.maximum(np.maximum(up, down), 0.0) / JUMP_SPEED)
    steps = np.maximum(np.maximum(_running_steps(across, speed), climb), 1)
    return steps.astype(np.int32)


def _running_steps(across: np.ndarray, speed: np.ndarray) -> np.ndarray:
    """Least n with n steps of running from the given speed covering the distance.

    After n steps it is TOP n - 4 (TOP - v)(1 - 0.8^n), the sum of the speeds v_k = TOP - (TOP - v) 0.8^k.
    """
    top = np.maximum(speed, TOP_SPEED)
    lag = (top - speed) * (1 - MIX) / MIX
    # Never too many, as to cover less takes no longer at top speed; and lag / top more are never too few.
    fewest = np.floor(across / top)
    steps = fewest + np.arange(int((lag / top).max(initial=0)) + 3)[:, None]
    covered = top * steps - lag * (1 - (1 - MIX) ** steps)
    return fewest + (covered >= across - 1e-4).argmax(axis=0)
