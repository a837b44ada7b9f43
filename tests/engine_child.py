"""The engine in a process of its own: a state that ends, crashes or hangs it costs that process and not the tests'.

Run as a program, this file serves one game: it reads a pickled `(state, actions)` at a time from its standard input,
plays them, and writes a pickled `Played`. `EngineChild` is the other end.
"""

import os
import pickle
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Played(NamedTuple):
    """What the engine gave: the state put in, as given back; after the actions; and some steps after a reset."""

    given_back: bytes
    after_steps: bytes
    after_reset: bytes


class EngineDied(AssertionError):
    """The engine's process ended, or did not answer in time."""


class EngineChild:
    """Plays states in one child process at a time; a dead one is replaced at the next call."""

    def __init__(self, game: str, mode: str, cpu_limit_s: float = 20.0, limit_s: float = 900.0) -> None:
        """`cpu_limit_s` is what an answer may take of the child's own time: other programs do not count."""
        self.game, self.mode, self.cpu_limit_s, self.limit_s = game, mode, cpu_limit_s, limit_s
        self._process: subprocess.Popen[bytes] | None = None

    def play(self, state: bytes, actions: list[int]) -> Played:
        """Put the state in, read it back, play the actions, read, reset, play some more, read.

        Raises EngineDied: the process ended, or did not answer in time.
        """
        if self._process is None:
            self._start()
            self._answer()  # that it is ready: importing and making the engine is not part of the edit's time
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            pickle.dump((state, actions), self._process.stdin)
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # the answer says why
        return Played(*self._answer())

    def close(self) -> None:
        """End the child."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._errors.close()
            self._process = None

    def _start(self) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(Path(__file__)), self.game, self.mode],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )

    def _answer(self) -> tuple:
        assert self._process is not None
        assert self._process.stdout is not None
        began, cpu_began = time.monotonic(), _cpu_seconds(self._process.pid)
        while not select.select([self._process.stdout], [], [], 1.0)[0]:
            waited, worked = time.monotonic() - began, _cpu_seconds(self._process.pid) - cpu_began
            if worked > self.cpu_limit_s or waited > self.limit_s:
                self.close()
                raise EngineDied(
                    f"the engine did not answer in {worked:.0f} s of work, {waited:.0f} s in all"
                )
        try:
            return pickle.load(self._process.stdout)
        except (EOFError, pickle.UnpicklingError) as end:
            code = self._process.wait()
            self._errors.seek(0)
            message = self._errors.read()[-500:]
            self.close()
            raise EngineDied(f"the engine's process ended with {code}: {message!r}") from end


def _cpu_seconds(process: int) -> float:
    """What a process has worked so far; 0 where the system does not say."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def serve(game: str, mode: str) -> None:
    """Answer until the input ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the engine prints must not get between the answers
    from procscope.envs.engine import Engine, EngineOptions

    engine = Engine(EngineOptions(game=game, mode=mode, num_envs=1, num_threads=1))

    def step(action: int) -> None:
        engine.act(np.array([action], np.int32))

    def answer(what: tuple) -> None:
        pickle.dump(what, answers)
        answers.flush()

    answer(())
    while True:
        try:
            state, actions = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        engine.set_states([state])
        (given_back,) = engine.get_states()
        for action in actions:
            step(action)
        (after_steps,) = engine.get_states()
        engine.set_states([after_steps])
        for action in (7, 1, 5, 4):
            engine.reset_all()
            step(action)
        (after_reset,) = engine.get_states()
        answer((given_back, after_steps, after_reset))


if __name__ == "__main__":
    serve(*sys.argv[1:])
