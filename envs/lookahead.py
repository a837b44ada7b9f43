"""What each next action would bring, found by asking the engine: the reward, and whether the episode would end.

What: `lookahead(states)` plays, from every state, each action that the game tells apart, in a scratch engine: five
moves in maze, the nine directions of the joystick elsewhere (the special keys do nothing in these games). The states
and the games that they came from stay as they are.
When: for the ground truth of a frame that no formula gives, as CoinRun's: whether the next step reaches the coin, or a
saw. Not for every frame of a long rollout, see the cost.
Cost: one `set_state` and one step for each state and action told apart: about 0.1 ms each, so 0.5 ms a state in maze
and 0.9 ms in heist and coinrun; memory for 64 states at a time.

Axes: `state` a state of the batch; `action` the 15 raw actions of `actions.py`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int

from procscope.envs.actions import ACTION_TO_MOVE, MOVE_TO_ACTION, N_ACTIONS
from procscope.envs.engine import Engine, scratch_engine
from procscope.envs.games import GAMES
from procscope.envs.state.batch import read_batch
from procscope.envs.state.rules import rules_of

_NOTHING = 4
_DIRECTIONS = 9


class Lookahead(NamedTuple):
    """What the step after each state would bring, for each action."""

    rewards: Float32[np.ndarray, "state action"]
    ends: Bool[np.ndarray, "state action"]
    """Whether the episode would end: at the goal, at a hazard or at its timeout."""
    completes: Bool[np.ndarray, "state action"]
    """Whether it would end at the goal."""


def told_apart(game: str) -> Int[np.ndarray, " action"]:
    """For each raw action, the one that stands for all that do the same in this game."""
    actions = np.arange(N_ACTIONS)
    if game == "maze":
        return MOVE_TO_ACTION[ACTION_TO_MOVE]
    return np.where(actions < _DIRECTIONS, actions, _NOTHING)


def lookahead(states: Sequence[bytes], engine: Engine | None = None) -> Lookahead:
    """Play every action from every state.

    Args:
        states: of one game and mode, from the engine or checked.
        engine: of that game; its games are used as scratch. A shared one by default.

    Raises ValueError for states of several games, or of a game that is not known.
    """
    if not len(states):
        nothing = np.zeros((0, N_ACTIONS), bool)
        return Lookahead(nothing.astype(np.float32), nothing, nothing.copy())
    batch = read_batch(states)
    if batch.game not in GAMES:
        raise ValueError(f"expected states of one of the games {', '.join(GAMES)}; given: {batch.game}")
    if engine is None:
        mode = int(batch.settings["distribution_mode"][0])
        engine = scratch_engine(batch.game, rules_of(batch.game).modes.get(mode, "easy"))
    stands_for = told_apart(batch.game)
    actions = np.unique(stands_for)
    todo = [(row, action) for row in range(len(states)) for action in actions.tolist()]
    rewards = np.zeros((len(states), N_ACTIONS), np.float32)
    ends, completes = np.zeros((2, len(states), N_ACTIONS), bool)
    for start in range(0, len(todo), engine.num_envs):
        part = todo[start : start + engine.num_envs]
        rows, played = (np.array(column) for column in zip(*part, strict=True))
        engine.set_states([states[row] for row in rows], range(len(part)))
        everyone = np.full(engine.num_envs, _NOTHING, np.int32)
        everyone[: len(part)] = played
        engine.act(everyone)
        rewards[rows, played] = engine.rewards[: len(part)]
        ends[rows, played] = engine.first[: len(part)]
        completes[rows, played] = engine.ended_complete[: len(part)] != 0
    return Lookahead(rewards[:, stands_for], ends[:, stands_for], completes[:, stands_for])
