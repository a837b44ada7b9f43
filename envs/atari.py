"""Ms. Pac-Man of the Atari 2600, as the SAE study plays it: one raw 210x160 RGB frame, nine actions, no more.

    env = MsPacmanVectorEnv(16)                 # needs the extra: pip install 'procscope[atari]'
    frames, infos = env.reset(seed=0)           # uint8 [env, row, col, rgb]

`ALE/MsPacman-v5` with its own options: each action is held for 4 frames, and every frame the emulator repeats the last
action instead of the one given with probability 0.25. No scaling, stacking or clipping. ale-py ships the game.

The emulators' states can be saved (`MsPacmanVectorEnv.save_games`), sticky actions' generator included, and a vector
that they are put into plays on exactly. ale-py's own `AtariVectorEnv` gives the same frames and points, but has no
states to save, and seeding a game in it takes 0.2 s, so these are gymnasium's vectors of single emulators.

Cost: 1,500 to 2,000 steps/s a core; a seeded reset 0.2 s a game. ale-py holds Python's lock while it emulates:
`processes=True` gives every game a process of its own, the results are the same.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv
from jaxtyping import UInt8

from procscope.envs.saved_games import Packed, pack, unpack

ROWS, COLUMNS = 210, 160
N_ACTIONS = 9


class MsPacmanEnv(gymnasium.Env):
    """One game, whose state can be read and set."""

    def __init__(self) -> None:
        """Raises ValueError if ale-py is not installed."""
        self._ale_py = _ale_py()
        gymnasium.register_envs(self._ale_py)
        self._env: Any = gymnasium.make("ALE/MsPacman-v5").unwrapped
        self.observation_space = self._env.observation_space
        self.action_space = self._env.action_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[UInt8[np.ndarray, "row col 3"], dict[str, Any]]:
        """Begin a new game."""
        frame, infos = self._env.reset(seed=seed)
        return frame, {"lives": infos["lives"]}

    def step(
        self, action: int | np.integer
    ) -> tuple[UInt8[np.ndarray, "row col 3"], float, bool, bool, dict[str, Any]]:
        """Hold one action for four frames; the reward is in the game's points."""
        frame, reward, terminated, truncated, infos = self._env.step(action)
        return frame, float(reward), bool(terminated), bool(truncated), {"lives": infos["lives"]}

    @property
    def game_state(self) -> bytes:
        """The whole emulator, the generator of sticky actions included; about 14 kB."""
        return self._env.ale.cloneSystemState().serialize()

    @game_state.setter
    def game_state(self, state: bytes) -> None:
        self._env.ale.restoreSystemState(self._ale_py.ALEState(state))


class MsPacmanVectorEnv(gymnasium.vector.VectorWrapper):
    """Games in step, reset within the step that ends them (`AutoresetMode.SAME_STEP`)."""

    def __init__(self, num_envs: int, *, processes: bool = False) -> None:
        """Make the games; `reset(seed=n)` seeds game i with n + i.

        Args:
            processes: a process for every game.

        Raises ValueError if `num_envs` is less than 1 or ale-py is not installed.
        """
        if num_envs < 1:
            raise ValueError(f"num_envs must be at least 1; given: {num_envs}")
        _ale_py()  # says what is missing, also where the processes are others
        makers = [partial(MsPacmanEnv)] * num_envs
        vector: VectorEnv = (
            AsyncVectorEnv(makers, autoreset_mode=AutoresetMode.SAME_STEP)
            if processes
            else SyncVectorEnv(makers, autoreset_mode=AutoresetMode.SAME_STEP)
        )
        super().__init__(vector)
        self._frames = np.zeros((num_envs, ROWS, COLUMNS, 3), np.uint8)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin new games."""
        self._frames, infos = self.env.reset(seed=seed, options=options)
        return self._frames, infos

    def step(self, actions: np.ndarray) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Play one action in every game."""
        self._frames, rewards, terminated, truncated, infos = self.env.step(actions)
        return self._frames, rewards, terminated, truncated, infos

    def save_games(self) -> dict[str, np.ndarray]:
        """All that the games' future depends on, for `restore_games`."""
        env: Any = self.env
        states = pack(env.get_attr("game_state"))
        return {"states": states.bytes, "state_lengths": states.lengths, "frames": self._frames.copy()}

    def restore_games(self, saved: Mapping[str, np.ndarray]) -> UInt8[np.ndarray, "env row col 3"]:
        """Go on as the vector would have that `save_games` was called on; gives the frames.

        Raises ValueError for another number of games.
        """
        if len(saved["state_lengths"]) != self.num_envs:
            raise ValueError(
                f"{len(saved['state_lengths'])} games were saved; this vector has {self.num_envs}"
            )
        env: Any = self.env
        env.reset()  # gymnasium's vectors refuse steps before
        env.set_attr("game_state", unpack(Packed(saved["states"], saved["state_lengths"])))
        self._frames = saved["frames"].copy()
        return self._frames


def _ale_py() -> Any:
    try:
        import ale_py
    except ModuleNotFoundError as error:
        raise ValueError(
            "Ms. Pac-Man is played by ale-py, which is not installed: pip install 'procscope[atari]'"
        ) from error
    return ale_py
