"""How the agent of Heist moves: the engine's rules as arrays, and which move to make now to follow a way of cells.

When: `steered` to turn a plan's move for a cell into the move for an agent anywhere in the cell; `after_step` to know
where an action leads without an engine, as for "would this action touch the gem".

The rules (procgen's basic-abstract-game.cpp; tests play both):

- The agent is a square 0.75 cells wide. A step is not a cell: its speed becomes 0.45 of what it was, plus 0.3375 cells
  a step in the directions of the action, each for itself; so diagonals are as fast in both. Top speed is 0.614 cells
  a step, so that a long straight way takes 1.63 steps a cell; from rest, 2.5 cells take 5 steps.
- Without action the speed falls to 0.45 a step: from top speed the agent slides on for half a cell.
- A step is made in four parts, up or down first if the action says so, else sideways first. A part that would put a
  corner of the square (at 0.98 of its half size) into a wall stops at the wall; the speed kept in a direction is the
  share of its parts that were free. So an agent that pushes against a wall slides along it, and one that is not yet in
  line with a side way (more than 0.1325 cells off its middle) is held at the corner until it is.
- Locks whose key is not held stop it like walls, at 0.875 from their middle. With the key they do not stop it, and
  vanish after the step that touches them. Keys and gem are taken after a step in which the squares overlap: when the
  centres are less than 0.75 apart sideways and 0.607 (keys), 0.632 (gem) up and down.

Chance: none, except that without action and with equal speeds in both directions a random number of the engine says
which goes first; here sideways does.

Axes: `frame` one agent; `xy` the pair (x, y), in cells of the world.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int

from procscope.envs.actions import Move
from procscope.envs.heist.records import AGENT_HALF_SIZE, GEM, HALF_SIZES, KEY

KEPT_SPEED = 0.45
ACCELERATION = 0.3375
"""Cells a step, in each direction of an action."""

TOP_SPEED = ACCELERATION / (1 - KEPT_SPEED)
CLEARANCE = 0.125
"""How far from the middle of a cell the agent may be to fit into the next one: half of what its cell leaves free."""

_TOUCH_SLACK = 1e-3
"""The engine's: at a distance of this less than touching, nothing is touched."""

_PARTS = 4
_RADIUS = np.float32(AGENT_HALF_SIZE)
_CORNER = _RADIUS * np.float32(0.98)
_LOCK_REACH = np.float32(0.5) + _RADIUS

KEY_REACH, GEM_REACH = (
    (AGENT_HALF_SIZE + HALF_SIZES[kind][0], AGENT_HALF_SIZE + HALF_SIZES[kind][1]) for kind in (KEY, GEM)
)
"""(x, y) distance of centres, in cells, below which the agent touches a key, or the gem."""


class Motion(NamedTuple):
    """Where agents are and how fast they move."""

    xy: Float32[np.ndarray, "frame xy"]
    velocity: Float32[np.ndarray, "frame xy"]


def steered(
    moves: Int[np.ndarray, " frame"],
    offset: Float32[np.ndarray, "frame xy"],
    to_target: Float32[np.ndarray, "frame xy"],
) -> Int[np.ndarray, " frame"]:
    """The move that takes an agent on along its way, from where it is in its cell.

    An agent that does not fit into the next cell yet, as it is still on the way from the cell before, first goes to the
    middle of its own.

    Args:
        moves: the way's move from the agent's cell, as `Move`; STAY where the target is in the cell.
        offset: where in its cell the agent's centre is.
        to_target: from the agent's centre to the target's; looked at where the move is STAY, (0, 0) for none.
    """
    from_middle = offset - 0.5
    sideways = (moves == Move.LEFT) | (moves == Move.RIGHT)
    across = np.where(sideways, from_middle[:, 1], from_middle[:, 0])
    to_middle = _towards(~sideways, -across)
    on_the_way = np.where(np.abs(across) > CLEARANCE + _TOUCH_SLACK, to_middle, moves)
    dx, dy = to_target[:, 0], to_target[:, 1]
    wide = np.abs(dx) > np.abs(dy)
    in_cell = np.where((dx == 0) & (dy == 0), Move.STAY, _towards(wide, np.where(wide, dx, dy)))
    return np.where(moves == Move.STAY, in_cell, on_the_way)


def _towards(sideways: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """The move in the sign of the distance: left or right where `sideways`, else down or up."""
    forward = np.where(sideways, Move.RIGHT, Move.UP)
    backward = np.where(sideways, Move.LEFT, Move.DOWN)
    return np.where(distance > 0, forward, backward)


def after_step(
    motion: Motion,
    actions: Int[np.ndarray, " frame"],
    walls: Bool[np.ndarray, "frame y x"],
    shut_locks: Float32[np.ndarray, "frame lock xy"],
) -> Motion:
    """Where agents are after one step of the engine.

    Args:
        actions: raw actions, 0 to 14.
        walls: the worlds of the agents, all of one size.
        shut_locks: middles of the locks whose keys are not held; NaN where a frame has fewer.
    """
    joystick = np.where(actions < 9, actions, 4)
    push = np.stack([joystick // 3 - 1, joystick % 3 - 1], axis=1).astype(np.float32)
    half = np.float32(0.5)
    speed = half * motion.velocity + np.float32(0.375) * push
    speed = (0.9 * speed.astype(np.float64)).astype(np.float32)
    xy, full_speed = motion.xy.astype(np.float32), speed.copy()
    upright_first = (push[:, 1] != 0) | ((push[:, 0] == 0) & (np.abs(speed[:, 1]) > np.abs(speed[:, 0])))
    free_parts = np.zeros_like(speed)
    closed = np.pad(walls, ((0, 0), (2, 2), (2, 2)), constant_values=True)
    rows, going = np.arange(len(xy)), np.ones(len(xy), dtype=bool)
    for _ in range(_PARTS):
        blocked_both = going.copy()
        for turn in range(2):
            axis = np.where(upright_first, 1 - turn, turn)
            part = np.where(going, full_speed[rows, axis] * np.float32(1 / _PARTS), np.float32(0))
            blocked, stopped = _moved(xy, part, axis, closed, shut_locks)
            free_parts[rows, axis] += going & ~blocked
            full_speed[rows[stopped], axis[stopped]] = 0
            blocked_both &= blocked
        going &= ~blocked_both  # the engine ends the step of an agent that is blocked in both directions
    return Motion(xy, full_speed * (free_parts / np.float32(_PARTS)))


def _moved(
    xy: np.ndarray, part: np.ndarray, axis: np.ndarray, closed: np.ndarray, locks: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Move each frame's agent so far along its axis, in place; who was blocked, and who by a lock."""
    rows = np.arange(len(axis))
    moved = xy.copy()
    moved[rows, axis] += part
    blocked = np.zeros(len(axis), dtype=bool)
    for i in (-1, 1):
        for j in (-1, 1):
            corner = np.floor(moved + _CORNER * np.array([i, j], np.float32)).astype(np.int64) + 2
            blocked |= closed[rows, corner[:, 1], corner[:, 0]]
    along = moved[rows, axis]
    at_wall = np.where(part > 0, np.floor(along + _RADIUS) - _RADIUS, np.ceil(along - _RADIUS) + _RADIUS)
    blocked &= part != 0
    moved[rows, axis] = np.where(blocked, at_wall.astype(np.float32), along)
    apart = np.abs(moved[:, None] - locks)
    touches = (apart < _LOCK_REACH - np.float32(_TOUCH_SLACK)).all(axis=2)
    stopped = touches.any(axis=1)
    if stopped.any():
        row = np.flatnonzero(stopped)
        lock = locks[row, touches[row].argmax(axis=1), axis[row]]
        side = np.sign(moved[row, axis[row]] - lock)
        moved[row, axis[row]] = lock + side * _LOCK_REACH
    xy[:] = moved
    return blocked | stopped, stopped


def touches_gem(
    xy: Float32[np.ndarray, "frame xy"], gem_xy: Float32[np.ndarray, "frame xy"]
) -> Bool[np.ndarray, " frame"]:
    """Whether agents at these places take the gem there, which ends the episode with a reward of 10."""
    reach = np.float32(AGENT_HALF_SIZE) + np.array(HALF_SIZES[GEM], np.float32)
    return (np.abs(xy - gem_xy) < reach).all(axis=1)
