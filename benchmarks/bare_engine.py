"""Procgen's own gym3 environment in its fastest set-up, without anything of ours: what the benchmarks compare with."""

from typing import Any

from procgen import ProcgenGym3Env

MAX_STATE_BYTES = 2**20


def bare_game(num_envs: int, num_threads: int, game: str = "maze", mode: str = "easy") -> ProcgenGym3Env:
    """Games of one kind. Its arrays are reused from step to step, which gym3 can but does not by default."""
    env = ProcgenGym3Env(
        num=num_envs,
        env_name=game,
        distribution_mode=mode,
        start_level=0,
        num_levels=10**8,
        rand_seed=0,
        num_threads=num_threads,
    )
    env._reuse_arrays = True
    return env


class StateBuffer:
    """Gets and sets states one game at a time through one buffer: Procgen's own calls allocate 1 MiB at each."""

    def __init__(self, env: ProcgenGym3Env) -> None:
        assert env._ffi is not None
        self._env = env._c_env
        library: Any = env._c_lib
        self._get, self._set = library.get_state, library.set_state
        self._buffer = env._ffi.new(f"char[{MAX_STATE_BYTES}]")
        self._view = env._ffi.buffer(self._buffer)

    def get(self, index: int) -> bytes:
        """The state of one game."""
        return self._view[: self._get(self._env, index, self._buffer, MAX_STATE_BYTES)]

    def set(self, index: int, state: bytes) -> None:
        """Put one game into a state; its picture is redrawn, and shows after `observe`."""
        self._set(self._env, index, state, len(state))
