"""Transitions to train reward networks on: a frame, the next one, the action between them, its reward, and the truth.

When to use: `procscope transitions build` makes a data set, `train reward` reads it; any cache of pairs with its frames
will do as well, since a data set is one (`procscope.activations.pairs`): blocks that resume, on any number of workers.

    data = Transitions.open(build_transitions("coinrun", "data/coinrun", n_transitions=20_480))
    for pairs, actions, rewards in data.batches(Split.TRAIN, 128, shuffle=0):
        ...

Source: the dissertation, section 5.3. Its CoinRun data has 9,925 episodes, 93.6% of them rewarded, and 0.93% of its
million transitions; of its Heist data, 20.3% of 3,007 episodes rewarded, some 95% of the transitions without reward
were thrown away. `RECIPES` gives what comes close to that here.

Cost: CoinRun by the network of the zoo, 350 transitions played a second on one core (with `keep_unrewarded` 0.1 one in
nine is kept); 20 kB a transition on disk.

Axes: `transition` rows; a pair has six channels, those of the frame and of the next one.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from procscope.activations.cache import ActivationCache, column_values
from procscope.activations.collect import CacheConfig, build_cache
from procscope.envs.engine import TRAINING_SEEDS
from procscope.rewardnets.splits import Split, splits_of

MOST_BYTES = 2**30
"""Of the transitions that stay in memory between epochs; more are read from disk each time."""


class Recipe(NamedTuple):
    """How the transitions of a game are played and thinned."""

    actor: str
    noise: float
    """Probability of a random action instead of the actor's, per frame."""
    greedy: bool
    keep_unrewarded: float
    """Probability that a transition without reward is kept."""


RECIPES = {
    "coinrun": Recipe("coinrun-easy-atend", 0.02, True, 0.1),
    "heist": Recipe("heist-easy-impala", 0.995, False, 0.05),
}
"""By game. The noise was chosen by the share of rewarded episodes that it gives (docs/reward-networks.md)."""


class TransitionBatch(NamedTuple):
    """Some transitions."""

    pairs: UInt8[np.ndarray, "transition row col 6"]
    actions: Int[np.ndarray, "transition"]
    rewards: Float[np.ndarray, "transition"]


@dataclass(frozen=True)
class Transitions:
    """A data set of transitions. Make one with `Transitions.open`."""

    cache: ActivationCache

    @classmethod
    def open(cls, path: str | Path) -> "Transitions":
        """Open a data set, or any cache of pairs that holds its frames.

        Raises:
            FileNotFoundError: nothing is there.
            ValueError: an unfinished cache, one that was not sampled in pairs, or one without frames.
        """
        cache = ActivationCache.open(path)
        kind = cache.source.get("sampling", {}).get("kind")
        if kind != "pairs":
            raise ValueError(
                f"expected transitions; {path} was sampled as {kind}. Make some with procscope transitions build"
            )
        cache.frames  # noqa: B018 (raises ValueError where there are none)
        cache.kept.most_bytes = MOST_BYTES
        return cls(cache)

    def __len__(self) -> int:
        return len(self.cache)

    @property
    def game(self) -> str:
        return self.cache.source["environment"]["game"]

    def column(self, name: str) -> np.ndarray:
        """A label of every transition. Raises ValueError: there is no such column (the nearest are suggested)."""
        return column_values(self.cache.labels([name])[name])

    @cached_property
    def splits(self) -> np.ndarray:
        """The `Split` of every transition."""
        return splits_of(self.column("level_seed"))

    @cached_property
    def rewards(self) -> np.ndarray:
        """The reward of every transition."""
        return self.column("reward").astype(np.float64)

    def of(self, split: Split) -> Bool[np.ndarray, "transition"]:
        """Which transitions are on that side. Raises ValueError: none, or none with another reward than the rest."""
        chosen = self.splits == split
        if not chosen.any() or np.ptp(self.rewards[chosen]) == 0:
            raise ValueError(
                f"expected transitions of different rewards to {split.name.lower()}; {self.cache.path} has "
                f"{chosen.sum()} of {len(self)}, all alike. Build more transitions"
            )
        return chosen

    def batches(self, split: Split, batch_size: int, shuffle: int | None = None) -> Iterator[TransitionBatch]:
        """The transitions of one side, each once; the order of the data set, or a random one by the seed `shuffle`."""
        found = self.cache.batches(
            [], ["action", "reward"], batch_size, shuffle, with_frames=True, only=self.of(split)
        )
        for batch in found:
            assert batch.frames is not None
            yield TransitionBatch(batch.frames, batch.labels["action"], batch.labels["reward"])


def build_transitions(
    game: str,
    directory: str | Path,
    *,
    n_transitions: int = 20_480,
    actor: str | None = None,
    noise: float | None = None,
    greedy: bool | None = None,
    keep_unrewarded: float | None = None,
    mode: str = "easy",
    level_seeds: range = TRAINING_SEEDS,
    seed: int = 0,
    num_envs: int = 16,
    workers: int = 1,
    command: str = "",
    say: Callable[[str], None] | None = None,
) -> Path:
    """Make a data set of transitions, or go on with one that was interrupted; returns its directory.

    Args:
        game: coinrun, heist, or another whose true last frames are known (maze).
        n_transitions: rows, after thinning.
        actor: who plays: expert, random, a model's name or path. What is None is taken from the game's recipe.
        noise: probability of a random action instead of the actor's, per frame.
        greedy: a network takes its best action instead of drawing one.
        keep_unrewarded: probability that a transition without reward is kept.
        num_envs: games that step together. Episodes still on at the end of a block (2,048 rows) are cut there.

    Raises:
        ValueError: an unknown game or actor, numbers out of range, a directory with other contents.
        OSError: the disk has too little room.
    """
    recipe = RECIPES.get(game, Recipe("expert", 0.1, False, 1.0))
    config = CacheConfig(
        model=None,
        n_frames=n_transitions,
        sample="pairs",
        actor=recipe.actor if actor is None else actor,
        noise=recipe.noise if noise is None else noise,
        greedy=recipe.greedy if greedy is None else greedy,
        keep_unrewarded=recipe.keep_unrewarded if keep_unrewarded is None else keep_unrewarded,
        game=game,
        mode=mode,
        level_seeds=(level_seeds.start, level_seeds.stop),
        seed=seed,
        keep_frames=True,
        num_envs=num_envs,
    )
    build_cache(config, directory, workers=workers, command=command, say=say)
    return Path(directory)
