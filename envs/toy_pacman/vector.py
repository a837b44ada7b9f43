"""Toy Ms. Pac-Man with Gymnasium's interfaces: a vector of games, and a single one.

    env = ToyPacmanVectorEnv(256)
    frames, infos = env.reset(seed=0)
    frames, rewards, terminated, truncated, infos = env.step(actions)     # `Move`s, 0..4
    infos["labels"]["ghost_distance_cells"]                               # of the frames returned

Keys and autoreset are those of `ProcgenVectorEnv` and gymnasium's `SyncVectorEnv` in `SAME_STEP` mode. A game is
*terminated* when the ghost gets the agent and *truncated* after 400 steps.

Axes: `env` games of the vector; frames `[env, row, col, rgb]`, a pixel a cell.
"""

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from jaxtyping import Bool, Float, UInt8

from procscope.envs.actions import N_MOVES
from procscope.envs.toy_pacman.board import SIZE
from procscope.envs.toy_pacman.labels import labels_of
from procscope.envs.toy_pacman.rules import Games

MAX_STEPS = 400

Frames = UInt8[np.ndarray, "env row col 3"]
StepResult = tuple[
    Frames, Float[np.ndarray, " env"], Bool[np.ndarray, " env"], Bool[np.ndarray, " env"], dict[str, Any]
]


class ToyPacmanVectorEnv(VectorEnv):
    """Games in step."""

    def __init__(
        self, num_envs: int, *, seed: int = 0, labels: bool = True, max_steps: int = MAX_STEPS
    ) -> None:
        """Make the games; `reset` starts them.

        Args:
            seed: of everything drawn, until `reset(seed=...)`.
            labels: give the ground truth of every frame.
            max_steps: steps after which a game is cut short.

        Raises ValueError if `num_envs` or `max_steps` is less than 1.
        """
        if min(num_envs, max_steps) < 1:
            raise ValueError(f"num_envs and max_steps must be at least 1; given: {num_envs}, {max_steps}")
        self.num_envs, self.max_steps, self._with_labels = num_envs, max_steps, labels
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP, "render_modes": []}
        self.single_observation_space = gymnasium.spaces.Box(0, 255, (SIZE, SIZE, 3), np.uint8)
        self.single_action_space = gymnasium.spaces.Discrete(N_MOVES)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.games = Games(num_envs, np.random.default_rng(seed))
        self._steps = np.zeros(num_envs, np.int64)
        self._begun = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Frames, dict[str, Any]]:
        """Begin a new game in all; with a seed, as a new vector of that seed would."""
        super().reset(seed=seed)
        if seed is not None:
            self.games.rng = np.random.default_rng(seed)
        self.games.begin(np.arange(self.num_envs))
        self._steps[:], self._begun = 0, True
        return self.games.frames(), self._infos()

    def step(self, actions: np.ndarray) -> StepResult:
        """Play one `Move` in every game.

        Raises ValueError for other actions or another number of them, and before the first `reset`.
        """
        actions = np.asarray(actions)
        if actions.shape != (self.num_envs,) or actions.dtype.kind not in "iu":
            raise ValueError(
                f"expected {self.num_envs} integer actions; given shape {actions.shape}, {actions.dtype}"
            )
        if actions.min() < 0 or actions.max() >= N_MOVES:
            raise ValueError(
                f"actions must be in 0..{N_MOVES - 1}; given: {actions.min()} .. {actions.max()}"
            )
        if not self._begun:
            raise ValueError("the games have not begun: call reset() before the first step()")
        points, terminated = self.games.move(actions)
        self._steps += 1
        truncated = ~terminated & (self._steps >= self.max_steps)
        over = terminated | truncated
        final: dict[str, Any] = {}
        if over.any():
            final_obs = np.full(self.num_envs, None, dtype=object)
            ended, frames = np.flatnonzero(over), self.games.frames()
            for index in ended:
                final_obs[index] = frames[index]
            final = {
                "final_obs": final_obs,
                "_final_obs": over,
                "final_info": self._infos(over),
                "_final_info": over,
            }
            self.games.begin(ended)
            self._steps[ended] = 0
        return self.games.frames(), points, terminated, truncated, self._infos() | final

    def save_games(self) -> dict[str, np.ndarray]:
        """All that the games' future depends on, for `restore_games`."""
        state = self.games.rng.bit_generator.state
        numbers = [state["state"]["state"], state["state"]["inc"]]
        words = [number >> shift & (2**64 - 1) for number in numbers for shift in (0, 64)]
        return self.games.save() | {
            "steps": self._steps.copy(),
            "rng": np.array([*words, state["has_uint32"], state["uinteger"]], np.uint64),
        }

    def restore_games(self, saved: Mapping[str, np.ndarray]) -> Frames:
        """Go on as the vector would have that `save_games` was called on; gives the frames.

        Raises ValueError for another number of games.
        """
        if len(saved["steps"]) != self.num_envs:
            raise ValueError(f"{len(saved['steps'])} games were saved; this vector has {self.num_envs}")
        self.games.restore(saved)
        self._steps, self._begun = saved["steps"].copy(), True
        words = [int(word) for word in saved["rng"]]
        self.games.rng = np.random.default_rng()
        self.games.rng.bit_generator.state = {
            "bit_generator": "PCG64",
            "state": {"state": words[0] | words[1] << 64, "inc": words[2] | words[3] << 64},
            "has_uint32": words[4],
            "uinteger": words[5],
        }
        return self.games.frames()

    def _infos(self, mask: Bool[np.ndarray, " env"] | None = None) -> dict[str, Any]:
        if not self._with_labels:
            return {}
        everyone = np.ones(self.num_envs, bool) if mask is None else mask
        return {"labels": labels_of(self.games), "_labels": everyone}


class ToyPacmanEnv(gymnasium.Env):
    """A single game."""

    def __init__(self, max_steps: int = MAX_STEPS) -> None:
        """Raises ValueError if `max_steps` is less than 1."""
        self._vector = ToyPacmanVectorEnv(1, max_steps=max_steps)
        self.observation_space = self._vector.single_observation_space
        self.action_space = self._vector.single_action_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[UInt8[np.ndarray, "row col 3"], dict[str, Any]]:
        """Begin a new game: its frame, and its labels as infos."""
        super().reset(seed=seed)
        frames, infos = self._vector.reset(seed=seed)
        return frames[0], _first(infos)

    def step(
        self, action: int | np.integer
    ) -> tuple[UInt8[np.ndarray, "row col 3"], float, bool, bool, dict[str, Any]]:
        """Play one `Move`."""
        frames, points, terminated, truncated, infos = self._vector.step(np.array([action]))
        over = bool(terminated[0] or truncated[0])
        frame, info = (infos["final_obs"][0], infos["final_info"]) if over else (frames[0], infos)
        return frame, float(points[0]), bool(terminated[0]), bool(truncated[0]), _first(info)


def _first(infos: dict[str, Any]) -> dict[str, Any]:
    return {name: values[0].item() for name, values in infos["labels"].items()}
