"""Who acts while a cache is filled: a planner, chance, or a network. Who is *read* is another question.

When to use: `collect.py` asks for an actor by name. `expert` (`agents/experts/expert_actor.py`) and `random`
come with procscope; another package registers its own under the entry point group `procscope.actors` as a
callable without arguments that gives an `Actor`; any other name is that of a model or a path to a checkpoint.

An actor sees frames with their ground truth and draws all chance from the generator that it is given, so that
the same generator gives the same actions.

A network with a memory carries its state of each game from frame to frame (`memory.py`), so one actor serves one
vector of games; where all games begin anew, it begins with an empty memory.

Axes: `env` games of a vector, `action` raw actions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from torch import nn

from procscope.activations.acting import greedy_actions, sample_actions
from procscope.activations.capture import Captured
from procscope.activations.memory import PolicyMemory, is_recurrent
from procscope.envs.actions import N_ACTIONS
from procscope.envs.labels import Columns
from procscope.workbench import plugins

GROUP = "procscope.actors"


class Seen(NamedTuple):
    """What there is to know of the games when actions are chosen."""

    frames: UInt8[np.ndarray, "env row col rgb"]
    """What the agents see."""
    labels: Columns
    """The columns of `procscope.envs.labels` for these frames."""
    states: Sequence[bytes]
    """The engine's states that they show."""
    first: Bool[np.ndarray, "env"] | None = None
    """Which frames are the first of their episode; only actors with a memory need to be told."""


@runtime_checkable
class Actor(Protocol):
    """Chooses a raw action for every game."""

    def act(self, seen: Seen, rng: np.random.Generator) -> Int[np.ndarray, "env"]:
        """Actions 0..14."""
        ...


class RandomActor:
    """Draws each of the raw actions with the same probability."""

    def act(self, seen: Seen, rng: np.random.Generator) -> Int[np.ndarray, "env"]:
        return rng.integers(0, N_ACTIONS, len(seen.frames))


@dataclass
class NetworkActor:
    """Draws from a network's softmax, or takes its best action."""

    network: nn.Module
    weights_hash: str
    greedy: bool = False
    _memory: PolicyMemory | None = field(default=None, init=False, repr=False, compare=False)

    def act(self, seen: Seen, rng: np.random.Generator) -> Int[np.ndarray, "env"]:
        """Raises ValueError: the network has no logits of the raw actions, or a memory and is not told what begins."""
        first = seen.first
        if first is None:
            if is_recurrent(self.network):
                raise ValueError(
                    "an actor with a memory must be told which frames are the first of their episode; give "
                    "them as Seen(..., first=...)"
                )
            first = np.zeros(len(seen.frames), bool)
        if self._memory is None or first.all():
            self._memory = PolicyMemory(self.network, len(seen.frames))
        return self.choose(self._memory.read(seen.frames, first).logits, rng)

    def choose(
        self, logits: Float[np.ndarray, "env action"] | None, rng: np.random.Generator
    ) -> Int[np.ndarray, "env"]:
        """Actions from logits that are known already.

        Raises ValueError: there are none, or not one per raw action.
        """
        if logits is None or logits.shape[1] != N_ACTIONS:
            given = "no logits" if logits is None else f"{logits.shape[1]} logits"
            raise ValueError(
                f"expected an actor with {N_ACTIONS} logits, one per raw action; this network gives {given}. "
                "Take another actor: expert, random or a policy"
            )
        return greedy_actions(logits) if self.greedy else sample_actions(logits, rng)


@dataclass(frozen=True)
class Acting:
    """An actor with noise, which need not run a network again that has just been read."""

    actor: Actor
    noise: float = 0.0
    """Probability of a random action instead of the actor's, per frame."""
    is_read: bool = False
    """The actor is the network whose activations are read: one forward pass serves both."""

    def act(self, seen: Seen, captured: Captured | None, rng: np.random.Generator) -> Int[np.ndarray, "env"]:
        """Actions 0..14. `captured` is what the network that is read made of these frames, where it ran already."""
        if self.is_read and captured is not None and isinstance(self.actor, NetworkActor):
            actions = self.actor.choose(captured.logits, rng)
        else:
            actions = self.actor.act(seen, rng)
        if not self.noise:
            return actions
        replaced = rng.random(len(actions)) < self.noise
        return np.where(replaced, rng.integers(0, N_ACTIONS, len(actions)), actions)


def resolve_actor(name: str, greedy: bool = False, device: str = "cpu") -> tuple[Actor, dict[str, Any]]:
    """The actor of that name, and what to record about it: JSON data without paths.

    Raises:
        ValueError: no actor, model or checkpoint of that name (the nearest names are suggested).
    """
    from procscope.workbench.checkpoints import load_network

    known = plugins.names(GROUP)
    if name in known:
        return plugins.load(GROUP, name)(), {"name": name}
    models = plugins.names("procscope.models")
    if name not in models and "." not in name and "/" not in name:
        raise ValueError(f"unknown actor {name!r}. {plugins.suggest(name, [*known, *models])}")
    loaded = load_network(name, device)
    described = {"name": "network", "weights_hash": loaded.weights_hash, "greedy": greedy}
    return NetworkActor(loaded.network, loaded.weights_hash, greedy), described
