"""The Procgen engine behind one typed wrapper: the only file that touches `procgen` and `gym3`.

An `Engine` is a vector of games of one kind that step together. Beside stepping it gives what the level editor
needs: states out, states in, the levels of given seeds, pictures of given states. It trusts the bytes that it
is given: the engine aborts the whole process on malformed ones, so edits go through `procscope.envs.state`,
which checks them first.

Cost on two cores, maze easy: a step 13 us per game, `get_states` 58 us, `set_states` 80 us (it also draws the
64x64 picture), `render_large` 1 ms (512x512: for people only, never for networks).

Axes: `env` games of the vector; `row col rgb` pictures from the top left; `state` a batch of given states.
"""

import contextlib
import functools
import io
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from procscope.envs.actions import N_ACTIONS
from procscope.envs.arguments import whole_number
from procscope.envs.frames import FRAME_SIZE, LARGE_FRAME_SIZE

with contextlib.redirect_stderr(io.StringIO()):  # procgen imports gym, which prints that it is unmaintained
    from procgen import ProcgenGym3Env

_BASE_MODES = ("easy", "hard")
_EXTREME = ("chaser", "dodgeball", "leaper", "starpilot")
_MEMORY = ("caveflyer", "dodgeball", "heist", "jumper", "maze", "miner")
_GAMES = (
    "bigfish bossfight caveflyer chaser climber coinrun dodgeball fruitbot heist jumper leaper maze miner ninja "
    "plunder starpilot"
).split()

#: Modes that each game has; asking the engine for another one ends the process.
MODES: dict[str, tuple[str, ...]] = {
    game: _BASE_MODES + (("extreme",) if game in _EXTREME else ()) + (("memory",) if game in _MEMORY else ())
    for game in _GAMES
}

#: Level seeds by use: no level of one range is ever in another.
TRAINING_SEEDS = range(0, 10**8)
VALIDATION_SEEDS = range(10**8, 10**9)
TEST_SEEDS = range(10**9, 2 * 10**9)
ALL_SEEDS = range(0, 2**31 - 1)

_MAX_STATE_BYTES = 2**20
_RESET_ACTION = -1


@dataclass(frozen=True)
class EngineOptions:
    """What an engine is made of. Options that are not named here stay at Procgen's defaults."""

    game: str
    """One of Procgen's 16 games, for example `maze`."""
    mode: str = "easy"
    """Difficulty: `easy`, `hard`, for some games `extreme` or `memory` (see `MODES`)."""
    num_envs: int = 1
    """Games in the vector."""
    level_seeds: range = TRAINING_SEEDS
    """Range that level seeds are drawn from at each reset; step 1, within [0, 2^31 - 1)."""
    seed: int = 0
    """Seed of the draw of level seeds, 0 .. 2^31 - 1. It does not change what a level looks like."""
    num_threads: int = 0
    """Threads that step games; 0 means one per core, at most 4. Results do not depend on it."""
    use_backgrounds: bool = True
    """Draw a picture behind the level, else black."""
    use_monochrome_assets: bool = False
    """Draw one-coloured rectangles instead of sprites."""
    restrict_themes: bool = False
    """Draw every asset from its first theme."""
    center_agent: bool = True
    """Centre the view on the agent, in the games that can turn it off."""
    paint_vel_info: bool = False
    """Paint the agent's velocity into the top left corner (coinrun and other games with inertia)."""
    large_frames: bool = False
    """Also draw 512x512 pictures at every step: slow, for `render_large` alone."""

    def __post_init__(self) -> None:
        if self.game not in MODES:
            raise ValueError(f"game must be one of {', '.join(MODES)}; given: {self.game!r}")
        if self.mode not in MODES[self.game]:
            raise ValueError(f"{self.game} has the modes {', '.join(MODES[self.game])}; given: {self.mode!r}")
        if self.num_envs < 1:
            raise ValueError(f"num_envs must be at least 1; given: {self.num_envs}")
        seeds = self.level_seeds
        if seeds.step != 1 or len(seeds) == 0 or seeds.start < 0 or seeds.stop > ALL_SEEDS.stop:
            raise ValueError(
                f"level_seeds must be a non-empty range of step 1 within [0, {ALL_SEEDS.stop}); given: {seeds}"
            )
        if not 0 <= self.seed < 2**31:
            raise ValueError(f"seed must be in [0, 2^31); given: {self.seed}")
        if self.num_threads < 0:
            raise ValueError(f"num_threads must be 0 (one per core) or more; given: {self.num_threads}")


class Engine:
    """A vector of games that step together.

    Arrays given out by the properties are the engine's own buffers: they change at the next `act` or
    `set_states`. Copy what is to be kept.
    """

    def __init__(self, options: EngineOptions) -> None:
        self.options = options
        # procgen takes num_levels = 0 for "all levels", and then ignores start_level.
        everything = options.level_seeds == ALL_SEEDS
        self._env: Any = ProcgenGym3Env(  # its own types are those of another base class
            num=options.num_envs,
            env_name=options.game,
            distribution_mode=options.mode,
            start_level=0 if everything else options.level_seeds.start,
            num_levels=0 if everything else len(options.level_seeds),
            rand_seed=options.seed,
            num_threads=options.num_threads or min(4, os.cpu_count() or 1),
            use_backgrounds=options.use_backgrounds,
            use_monochrome_assets=options.use_monochrome_assets,
            restrict_themes=options.restrict_themes,
            center_agent=options.center_agent,
            paint_vel_info=options.paint_vel_info,
            render_mode="rgb_array" if options.large_frames else None,
        )
        self._env._reuse_arrays = True
        self._state_buffer = self._env._ffi.new(f"char[{_MAX_STATE_BYTES}]")
        self._all = range(options.num_envs)
        self._env.observe()

    @property
    def num_envs(self) -> int:
        """Games in the vector."""
        return self.options.num_envs

    @property
    def frames(self) -> UInt8[np.ndarray, "env 64 64 3"]:
        """What each agent sees now."""
        return self._env._ob["rgb"]

    @property
    def large_frames(self) -> UInt8[np.ndarray, "env 512 512 3"]:
        """What a person looks at; only with `large_frames=True`."""
        if not self.options.large_frames:
            raise ValueError(
                "this engine draws 64x64 pictures only; make it with EngineOptions(large_frames=True)"
            )
        return self._env._info["rgb"]

    @property
    def rewards(self) -> Float[np.ndarray, "env"]:
        """Reward of the last step; at an episode's end, of its last step."""
        return self._env._rew

    @property
    def first(self) -> Bool[np.ndarray, "env"]:
        """True where the frame is the first of an episode, so that the last step ended one."""
        return self._env._first

    @property
    def level_seeds(self) -> Int[np.ndarray, "env"]:
        """Seed of the level in play."""
        return self._env._info["level_seed"]

    @property
    def ended_level_seeds(self) -> Int[np.ndarray, "env"]:
        """Seed of the level played in the last step: where `first`, of the level that ended."""
        return self._env._info["prev_level_seed"]

    @property
    def ended_complete(self) -> UInt8[np.ndarray, "env"]:
        """1 where the last step completed its level (reached the goal)."""
        return self._env._info["prev_level_complete"]

    def act(self, actions: Int[np.ndarray, "env"]) -> None:
        """Play one raw action (0..14) in every game and wait for the result.

        Raises ValueError on any other action: the engine takes negative ones silently and moves oddly.
        """
        if actions.shape != (self.num_envs,) or actions.dtype.kind not in "iu":
            raise ValueError(
                f"actions must be integers, one for each of the {self.num_envs} games; "
                f"given: {actions.dtype} of shape {actions.shape}"
            )
        if actions.min() < 0 or actions.max() >= N_ACTIONS:
            raise ValueError(
                f"actions must be in 0..{N_ACTIONS - 1}; given: {actions.min()} .. {actions.max()}"
            )
        self._env.act(actions)
        self._env.observe()

    def reset_all(self) -> None:
        """End every episode now: play nothing for one step, then start the next levels."""
        self._env.act(np.full(self.num_envs, _RESET_ACTION, np.int32))
        self._env.observe()

    def get_states(self, indices: Sequence[int] | None = None) -> list[bytes]:
        """State bytes of the games with the given indices (all by default), about 21 to 47 kB each.

        Raises ValueError for an index that no game has.
        """
        indices = self._games(indices)
        get_state, env, buffer = self._env._c_lib.get_state, self._env._c_env, self._state_buffer
        view = self._env._ffi.buffer
        return [view(buffer, get_state(env, index, buffer, _MAX_STATE_BYTES))[:] for index in indices]

    def set_states(self, states: Sequence[bytes], indices: Sequence[int] | None = None) -> None:
        """Put state bytes into the games with the given indices (all by default) and draw them.

        The bytes must come from `get_states` or have passed `procscope.envs.state`. Raises ValueError if
        there are not as many states as indices, or for an index that no game has.
        """
        indices = self._games(indices)
        if len(states) != len(indices):
            raise ValueError(f"expected one state per game: {len(indices)} games, {len(states)} states")
        set_state, env = self._env._c_lib.set_state, self._env._c_env
        for index, state in zip(indices, states, strict=True):
            set_state(env, index, state, len(state))
        self._env.observe()

    def _games(self, indices: Sequence[int] | None) -> Sequence[int]:
        """The indices, all by default; the engine itself would read beyond its games and end the process."""
        if indices is None:
            return self._all
        if len(indices) and not 0 <= min(indices) <= max(indices) < self.num_envs:
            raise ValueError(f"indices must be of the games 0..{self.num_envs - 1}; given: {list(indices)}")
        return indices

    def render(self, states: Sequence[bytes]) -> UInt8[np.ndarray, "state 64 64 3"]:
        """What an agent sees in each of the given states. Uses the games of this engine as scratch."""
        return self._drawn(states, FRAME_SIZE)

    def render_large(self, states: Sequence[bytes]) -> UInt8[np.ndarray, "state 512 512 3"]:
        """A picture for people of each given state. Needs `large_frames=True`; uses the games as scratch."""
        return self._drawn(states, LARGE_FRAME_SIZE)

    def _drawn(self, states: Sequence[bytes], size: int) -> np.ndarray:
        source = self.frames if size == FRAME_SIZE else self.large_frames
        pictures = np.empty((len(states), size, size, 3), np.uint8)
        for start in range(0, len(states), self.num_envs):
            part = states[start : start + self.num_envs]
            self.set_states(part, range(len(part)))
            pictures[start : start + len(part)] = source[: len(part)]
        return pictures

    def levels(self, level_seeds: Sequence[int]) -> list[bytes]:
        """First states of the levels with the given seeds, in order, as this engine's options draw them.

        Each is a pure function of its seed and the options (the level generator's own position too), and
        its seed range is the engine's. Uses the games of this engine as scratch. About 0.2 ms a level.
        """
        level_seeds = [whole_number("a level seed", seed, ALL_SEEDS) for seed in level_seeds]
        template = self._template
        at = seed_range_offset(self.options.game)
        whole_range = template[at : at + 8]
        states: list[bytes] = []
        for start in range(0, len(level_seeds), self.num_envs):
            part = level_seeds[start : start + self.num_envs]
            one_seed = [
                template[:at] + struct.pack("<2i", seed, seed + 1) + template[at + 8 :] for seed in part
            ]
            self.set_states(one_seed, range(len(part)))
            self.reset_all()
            states += [
                state[:at] + whole_range + state[at + 8 :] for state in self.get_states(range(len(part)))
            ]
        return states

    @functools.cached_property
    def _template(self) -> bytes:
        """A state with this engine's options that no play has changed."""
        engine = Engine(replace(self.options, num_envs=1, seed=0, num_threads=1, large_frames=False))
        (state,) = engine.get_states()
        engine.close()
        return state

    def close(self) -> None:
        """Free the games. The engine must not be used afterwards."""
        self._env.close()


def seed_range_offset(game: str) -> int:
    """Byte offset of `level_seed_low`, `level_seed_high` in a state: 13 ints after the game's name."""
    return 4 + 4 + len(game) + 13 * 4


@functools.cache
def scratch_engine(game: str, mode: str = "easy", large_frames: bool = False, num_envs: int = 64) -> Engine:
    """An engine for making levels and pictures, built once a process and shared: never step it in play."""
    return Engine(
        EngineOptions(
            game=game, mode=mode, num_envs=num_envs, level_seeds=ALL_SEEDS, large_frames=large_frames
        )
    )


def levels_from_seeds(game: str, level_seeds: Sequence[int], mode: str = "easy") -> list[bytes]:
    """First states of the levels with the given seeds, drawn with default options (see `Engine.levels`)."""
    return scratch_engine(game, mode).levels(level_seeds)


@functools.cache
def template_state(game: str, mode: str = "easy") -> bytes:
    """A state to build levels of our own on: the level of seed 0, drawn from all seeds afterwards."""
    return levels_from_seeds(game, [0], mode)[0]
