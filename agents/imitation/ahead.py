"""A source whose rounds are made in a process of its own, each while the round before it is learned from.

When: `ImitationConfig.ahead`, on two cores or more. Making samples then costs learning nothing as long as it is the
quicker of the two. What is given up is one round of freshness: the states of a round's own are those that the network
came to before it had learned from the round before.

The process ends with the one that started it, whatever ends that. Needs pipes that can be handed on: Linux or macOS.

Cost: starting takes as long as importing torch, and a round of 16,384 frames 0.3 s to hand over.
"""

import copy
import pickle
import subprocess
import sys
from multiprocessing.connection import Connection, Pipe
from typing import Any

import numpy as np
import torch

from procscope.agents.imitation.config import ImitationConfig
from procscope.agents.imitation.samples import Round, Source

_ACTING = "acting."
"""Of the network that plays the next round, in what is remembered."""


class Ahead(Source):
    """Asks for the next round as soon as it hands over one."""

    def __init__(self, config: ImitationConfig, workers: int = 1) -> None:
        self._config, self._workers = config, workers
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: Any = None
        self._memory: dict[str, np.ndarray] = {}
        self._acting: dict[str, np.ndarray] = {}

    def samples(self, number: int, network: torch.nn.Module) -> Round:
        """The samples of a round; `network` as it is now will play the round after it."""
        if self._process is None:
            self._start()
            self._ask(number, self._player(network))
        made = pickle.loads(self._pipe.recv_bytes())
        if isinstance(made, BaseException):
            self.close()
            raise made
        samples, self._memory = made
        if number + 1 < self._config.rounds:
            self._acting = {
                name: tensor.numpy(force=True).copy() for name, tensor in network.state_dict().items()
            }
            self._ask(number + 1, network)
        return samples

    def memory(self) -> dict[str, np.ndarray]:
        """What the source remembers, and the weights that play the next round."""
        return {**self._memory, **{f"{_ACTING}{name}": weights for name, weights in self._acting.items()}}

    def recall(self, memory: dict[str, np.ndarray]) -> None:
        """Take up what `memory` gave."""
        self._memory = {name: value for name, value in memory.items() if not name.startswith(_ACTING)}
        self._acting = {
            name.removeprefix(_ACTING): value for name, value in memory.items() if name.startswith(_ACTING)
        }

    def close(self) -> None:
        """End the process, whatever it is at."""
        if self._process is not None:
            self._pipe.close()
            self._process.kill()
            self._process.wait()
            self._process = None

    def _start(self) -> None:
        self._pipe, theirs = Pipe()
        # A session of its own: Ctrl-C is for the process that learns, which then ends this one.
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"from {__name__} import serve; serve({theirs.fileno()})"],
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
        theirs.close()
        self._send((self._config, self._workers, self._memory))

    def _ask(self, number: int, network: torch.nn.Module) -> None:
        self._send((number, network))

    def _send(self, message: Any) -> None:
        # Pickled here: the pipe's own pickling would share the weights' memory, which learning goes on to change.
        self._pipe.send_bytes(pickle.dumps(message))

    def _player(self, network: torch.nn.Module) -> torch.nn.Module:
        """The network that plays the first round: the one remembered, or in a new run the new one."""
        if not self._acting:
            return network
        player = copy.deepcopy(network)
        player.load_state_dict({name: torch.from_numpy(value) for name, value in self._acting.items()})
        return player


def serve(pipe_number: int) -> None:
    """Make rounds for the process at the other end of the pipe until that closes it."""
    from procscope.agents.imitation.sources import source_of
    from procscope.workbench.memory import keep_freed_memory

    keep_freed_memory()
    pipe = Connection(pipe_number)
    config, workers, memory = pickle.loads(pipe.recv_bytes())
    torch.set_num_threads(config.threads)
    source = source_of(config, workers)
    if memory:
        source.recall(memory)
    try:
        while True:
            number, network = pickle.loads(pipe.recv_bytes())
            pipe.send_bytes(pickle.dumps(_made(source, number, network)))
    except (EOFError, OSError):
        pass  # nobody is there any more
    finally:
        source.close()


def _made(source: Source, number: int, network: torch.nn.Module) -> Any:
    try:
        return source.samples(number, network), source.memory()
    except Exception as error:
        return error
