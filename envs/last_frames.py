"""The true last frame of an episode, which Procgen never shows: it resets within the step that ends one.

How: a copy of each game's state is kept now and then, with the actions since. When an episode ends, its copy
is edited such that the last step does not end it, and the actions are played again in a scratch engine: the
same state with the same actions gives the same pictures. In the maze, for one, the edit takes the cheese away, which
is what the engine does when the mouse eats it just before it draws, and puts the timeout off; neither shows or
matters before. The result is the picture that the engine would have drawn had it not reset: the mouse on the
goal's cell, facing the way it came, and no cheese. Where the engine leaves what ends the episode in sight, as the coin,
the lava and the saw of CoinRun, a second edit after the last step puts it back.

Cost: with a copy at the start and every 16 steps, 4 us a step and 0.3 to 0.8 ms an episode (see
`benchmarks/stepping.py`). More copies would cost more in long episodes, fewer would make the replay of short
ones longer.

A game's edits are `without_ending` and, if it needs one, `as_left` in its `game.py`.

Axes: `env` games of the vector, `episode` those that end in a step, `row col rgb` pictures from the top left.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, UInt8

from procscope.envs.engine import Engine
from procscope.envs.frames import FRAME_SIZE
from procscope.envs.games import game
from procscope.envs.saved_games import Packed, pack, unpack

STEPS_BETWEEN_COPIES = 16


class LastSteps(NamedTuple):
    """What episodes came to: their true last frames, and the engine's (edited) states at those."""

    frames: UInt8[np.ndarray, "episode row col rgb"]
    states: list[bytes]


class LastFrames:
    """Keeps what it takes to play the last steps of any game of a vector again."""

    def __init__(self, game_name: str, num_envs: int, scratch: Engine) -> None:
        """`scratch` is an engine of one game, else like the vector's. ValueError for a game without edit."""
        self._without_ending = game(game_name).without_ending
        self._as_left = game(game_name).as_left
        self._scratch = scratch
        self._rows = np.arange(num_envs)
        self._copies: list[bytes] = [b""] * num_envs
        self._actions = np.zeros((num_envs, STEPS_BETWEEN_COPIES), np.int32)
        self._played = np.zeros(num_envs, np.int64)

    def keep(self, indices: Sequence[int] | Int[np.ndarray, " env"], states: Sequence[bytes]) -> None:
        """Keep the states that the games with the given indices are in now."""
        for index, state in zip(indices, states, strict=True):
            self._copies[index] = state
        self._played[indices] = 0

    def record(self, actions: Int[np.ndarray, " env"]) -> None:
        """Note the actions of a step, one per game. A game that is `due` must be kept before the next."""
        self._actions[self._rows, self._played] = actions
        self._played += 1

    def save(self) -> dict[str, np.ndarray]:
        """What it keeps, as arrays for `restore`."""
        copies = pack(self._copies)
        return {
            "copies": copies.bytes,
            "copy_lengths": copies.lengths,
            "actions": self._actions.copy(),
            "played": self._played.copy(),
        }

    def restore(self, saved: Mapping[str, np.ndarray]) -> None:
        """Keep what `save` gave."""
        self._copies = unpack(Packed(saved["copies"], saved["copy_lengths"]))
        self._actions, self._played = saved["actions"].copy(), saved["played"].copy()

    def due(self) -> Int[np.ndarray, " env"]:
        """Indices of the games whose state must be kept now."""
        return np.flatnonzero(self._played == STEPS_BETWEEN_COPIES)

    def recover(
        self, ended: Int[np.ndarray, " episode"], complete: Bool[np.ndarray, " episode"]
    ) -> LastSteps:
        """The last steps of the episodes that the last recorded step ended, in the given games."""
        frames = np.empty((len(ended), FRAME_SIZE, FRAME_SIZE, 3), np.uint8)
        states = []
        for row, index in enumerate(ended):
            self._scratch.set_states([self._without_ending(self._copies[index], bool(complete[row]))])
            for action in self._actions[index, : self._played[index], None]:
                self._scratch.act(action)
            if self._as_left is not None:
                (played,) = self._scratch.get_states()
                self._scratch.set_states([self._as_left(played, self._copies[index])])
            frames[row] = self._scratch.frames[0]
            states += self._scratch.get_states()
        return LastSteps(frames, states)
