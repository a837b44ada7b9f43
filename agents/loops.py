"""Leave out the rounds of a loop that a greedy policy cannot get out of.

A policy without memory that always takes the same action in the same frame, in a game whose frame shows all there
is to know (the maze), does the same again when a frame comes back: it will go round until its time is up. The
rounds in between need not be played. Where the episode ends, and all of its last steps, stay as they would be.
"""

import numpy as np
from jaxtyping import UInt8

#: Games in which nothing that moves the world is hidden from the frame.
FULLY_SHOWN = ("maze",)


class Loops:
    """Remembers the frames of the episodes in play and finds the first one that comes back."""

    def __init__(self) -> None:
        self._first_seen: dict[int, dict[int, int]] = {}
        self.skipped: dict[int, int] = {}
        """Steps left out so far, by episode."""

    def steps_to_skip(
        self, episode: int, frame: UInt8[np.ndarray, "row col rgb"], step: int, limit: int, keep: int
    ) -> int:
        """Whole rounds, in steps, that can be left out before `limit` with the last `keep` steps still played.

        `frame` is what the policy sees after `step` steps. 0 while no frame has come back, and after a skip.
        """
        if episode in self.skipped:
            return 0
        seen = self._first_seen.setdefault(episode, {})
        period = step - seen.setdefault(hash(frame.tobytes()), step)
        if period == 0:
            return 0
        self.skipped[episode] = period * max(0, (limit - step - keep) // period)
        return self.skipped[episode]

    def forget(self, episode: int) -> int:
        """Drop an episode that is over; gives the steps that were left out of it."""
        self._first_seen.pop(episode, None)
        return self.skipped.pop(episode, 0)
