"""How much of everything `policy-probes` does at each scale, and on which levels."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from procscope.envs.engine import TEST_SEEDS
from procscope.experiments.policy_probes_games import GAMES

MODELS = (
    "maze-easy-topright",
    "maze-easy-corner",
    "maze-easy-anywhere",
    "heist-easy-impala",
    "coinrun-easy-atend",
)
"""Of the zoo."""


@dataclass(frozen=True)
class Config:
    """Settings of `policy-probes`; the defaults are those of the small scale."""

    models: tuple[str, ...] = MODELS
    """Policies, by name or path."""
    games: tuple[str, ...] = ("maze", "heist", "coinrun")
    """Of these games; policies of others are left out."""
    hook_points: tuple[str, ...] = ()
    """Where they are read; by default one for each size of map, the last maps and the last hidden vector."""
    frames: int = 3000
    """Single frames of each game, one a level."""
    squares: int = 4
    """Rows and columns of squares over which maps are averaged, for all but "is it here"."""
    folds: int = 5
    untrained: int = 1
    """Networks of the same kind with initial weights of their own."""
    closer: bool = True
    """Whether multinomial and small-network probes and description lengths are made, of the last two hook points."""
    resamples: int = 1000
    """Of the bootstrap over levels."""
    workers: int = 1
    """Processes."""

    def __post_init__(self) -> None:
        unknown = set(self.games) - set(GAMES)
        if unknown or not self.games:
            raise ValueError(
                f"expected games among {', '.join(GAMES)}; given {', '.join(self.games) or 'none'}"
            )
        if self.frames < 100 or self.untrained < 1 or self.folds < 2 or self.squares < 1:
            raise ValueError(
                "expected at least 100 frames, one untrained network, two folds and one square; given "
                f"{self.frames}, {self.untrained}, {self.folds}, {self.squares}"
            )


def first_seed(seed: int, part: Literal["fitted", "tested"]) -> int:
    """Where the levels of a run begin among those of tests; probes and what is judged with them have levels apart."""
    first = int(np.random.default_rng(seed).integers(TEST_SEEDS.start, TEST_SEEDS.stop - 10**7))
    return first + (5 * 10**6 if part == "tested" else 0)


SCALES = {
    "smoke": replace(
        Config(),
        models=("maze-easy-topright",),
        games=("maze",),
        hook_points=("block2.res2", "fc"),
        frames=240,
        folds=3,
        closer=False,
        resamples=200,
    ),
    "small": Config(),
    "long": replace(Config(), frames=20_000, untrained=3),
}
