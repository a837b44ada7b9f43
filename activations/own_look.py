"""An actor that sees the games in the look that it was trained on, whatever look they are recorded in.

When to use: where a network that was trained with its velocity painted into the picture (CoinRun's in the zoo) plays
games whose frames are kept without. `resolve_actor` wraps a network by itself when the looks differ.

Cost: drawing a state, about 100 microseconds each.

Axes: `env` games of a vector.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Int

from procscope.activations.actors import Actor, Seen
from procscope.envs.engine import Engine, EngineOptions
from procscope.envs.state.settings import with_settings


@dataclass
class OwnLook:
    """Another actor, who sees the same moments drawn with other settings of the engine."""

    actor: Actor
    game: str
    mode: str
    settings: dict[str, bool]
    """By the names of `EngineOptions`."""
    _engine: Engine | None = field(default=None, init=False, repr=False, compare=False)

    def act(self, seen: Seen, rng: np.random.Generator) -> Int[np.ndarray, "env"]:
        """Actions 0..14."""
        if self._engine is None:
            options: dict[str, Any] = dict(self.settings)
            self._engine = Engine(
                EngineOptions(self.game, self.mode, num_envs=len(seen.states), num_threads=1, **options)
            )
        frames = self._engine.render([with_settings(state, self.settings) for state in seen.states])
        return self.actor.act(seen._replace(frames=frames), rng)
