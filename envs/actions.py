"""Procgen's 15 raw actions and the 5 moves that they amount to in a maze.

A *raw action* is what the engine takes: 0..8 are the nine directions of a joystick, in columns from left to
right and from down to up within a column; 9..14 are special keys that do nothing in maze, heist and coinrun.
A *move* is what happens in the maze, where the mouse goes one cell a step and any sideways part wins:
0, 1, 2 are left, 6, 7, 8 right, 3 down, 5 up, all else stays. Networks have one logit per raw action; what a
network *does* is read off the sum of the probabilities over the actions of a move (`move_probabilities`).
"""

from enum import IntEnum

import numpy as np
from jaxtyping import Float, Int

N_ACTIONS = 15
ACTION_NAMES = (
    "left-down left left-up down nothing up right-down right right-up key-D key-A key-W key-S key-Q key-E"
).split()


class Move(IntEnum):
    """One of the five things a mouse can do in a step."""

    LEFT = 0
    DOWN = 1
    STAY = 2
    UP = 3
    RIGHT = 4


N_MOVES = len(Move)

#: (move, 2): the change of (x, y) in cells; y grows upwards.
MOVE_STEPS: np.ndarray = np.array([(-1, 0), (0, -1), (0, 0), (0, 1), (1, 0)], dtype=np.int64)

#: (action,): the move that each raw action makes in a maze.
ACTION_TO_MOVE: np.ndarray = np.array(
    [Move.LEFT] * 3 + [Move.DOWN, Move.STAY, Move.UP] + [Move.RIGHT] * 3 + [Move.STAY] * 6, dtype=np.int64
)

#: (move,): the plain raw action of each move, the one that experts play.
MOVE_TO_ACTION: np.ndarray = np.array([1, 3, 4, 5, 7], dtype=np.int64)

#: (action, move): 1 where the action makes the move.
_ACTION_MOVE_MATRIX: np.ndarray = np.eye(N_MOVES)[ACTION_TO_MOVE]


def move_probabilities(logits: Float[np.ndarray, "*batch action"]) -> Float[np.ndarray, "*batch move"]:
    """Probability of each move under a softmax over the 15 raw actions.

    Raises ValueError if the last axis is not 15 long.
    """
    if logits.shape[-1] != N_ACTIONS:
        raise ValueError(
            f"logits must have one entry per raw action (last axis {N_ACTIONS}), but the shape is {logits.shape}"
        )
    shifted = logits - logits.max(axis=-1, keepdims=True)
    weights = np.exp(shifted)
    return (weights @ _ACTION_MOVE_MATRIX.astype(weights.dtype)) / weights.sum(axis=-1, keepdims=True)


def greedy_moves(logits: Float[np.ndarray, "*batch action"]) -> Int[np.ndarray, "*batch"]:
    """The most probable move, actions of one move counted together."""
    return move_probabilities(logits).argmax(axis=-1)
