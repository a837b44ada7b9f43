"""The true last frame of an episode, which Procgen never shows: it resets within the step that ends one.

How: a copy of each game's state is kept now and then, with the actions since. When an episode ends, its copy
is edited such that the last step does not end it, and the actions are played again in a scratch engine: the
same state with the same actions gives the same pictures. In the maze the edit takes the cheese away, which is
what the engine does when the mouse eats it just before it draws, and puts the timeout off; neither shows or
matters before. The result is the picture that the engine would have drawn had it not reset: the mouse on the
goal's cell, facing the way it came, and no cheese.

Cost: with a copy at the start and every 16 steps, 4 us a step and 0.3 to 0.8 ms an episode (see
`benchmarks/stepping.py`). More copies would cost more in long episodes, fewer would make the replay of short
ones longer.

To add a game, write its edit and name it in `_WITHOUT_ENDING`.

Axes: `env` games of the vector, `episode` those that end in a step, `row col rgb` pictures from the top left.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, UInt8

from procscope.envs.engine import FRAME_SIZE, Engine
from procscope.envs.maze_bytes import CHEESE, FREE
from procscope.envs.state_batch import read_batch
from procscope.envs.state_write import write_batch

STEPS_BETWEEN_COPIES = 16


class LastSteps(NamedTuple):
    """What episodes came to: their true last frames, and the engine's (edited) states at those."""

    frames: UInt8[np.ndarray, "episode row col rgb"]
    states: list[bytes]


def maze_without_ending(state: bytes, complete: bool) -> bytes:
    """A maze state that plays on where the given one ends soon, by the cheese (`complete`) or the timeout."""
    batch = read_batch([state])
    cells = None
    if complete:
        cells = batch.grids.copy()
        cells[cells == CHEESE] = FREE
    return write_batch(batch, cells=cells, timeout=batch.timeout + 1)[0]


_WITHOUT_ENDING: dict[str, Callable[[bytes, bool], bytes]] = {"maze": maze_without_ending}


class LastFrames:
    """Keeps what it takes to play the last steps of any game of a vector again."""

    def __init__(self, game: str, num_envs: int, scratch: Engine) -> None:
        """`scratch` is an engine of one game, else like the vector's. ValueError for a game without edit."""
        if game not in _WITHOUT_ENDING:
            raise ValueError(
                f"last frames can be recovered in the games {', '.join(_WITHOUT_ENDING)}, not in {game!r}: "
                "pass final_obs=False"
            )
        self._without_ending = _WITHOUT_ENDING[game]
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
            frames[row] = self._scratch.frames[0]
            states += self._scratch.get_states()
        return LastSteps(frames, states)
