"""The vectors of games that DQN plays, by name."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from gymnasium.vector import VectorEnv


class SavableGames(Protocol):
    """What a run needs of a vector beside stepping it."""

    def save_games(self) -> dict[str, np.ndarray]:
        """All that the games' future depends on."""
        ...

    def restore_games(self, saved: Mapping[str, np.ndarray]) -> np.ndarray:
        """Go on as the vector that was saved; gives the frames."""
        ...


def make_games(game: str, num_envs: int, *, processes: bool = False) -> VectorEnv:
    """A vector of the game, with the methods of `SavableGames`.

    Args:
        processes: a process for every Atari game; the toy is played in one anyway.

    Raises ValueError for an unknown game, or one whose emulator is not installed.
    """
    if game == "toy-pacman":
        from procscope.envs.toy_pacman.vector import ToyPacmanVectorEnv

        return ToyPacmanVectorEnv(num_envs, labels=False)
    if game == "ms-pacman":
        from procscope.envs.atari import MsPacmanVectorEnv

        vector: Any = MsPacmanVectorEnv(num_envs, processes=processes)
        return vector
    raise ValueError(f"expected the game toy-pacman or ms-pacman; given: {game!r}")
