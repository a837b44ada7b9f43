"""How much of everything `maze-steering` does at each scale, and on which mazes."""

from dataclasses import dataclass, replace

import numpy as np

from procscope.envs.engine import TEST_SEEDS
from procscope.interventions.paired_play import PlayedMazes

CLAIMED = {"cheese": -1.0, "top-right": 1.0}
"""By vector, the strength that the claims are about: the cheese vector is taken away, the top-right vector added."""


@dataclass(frozen=True)
class Config:
    """Settings of `maze-steering`; the defaults are those of the small scale."""

    models: tuple[str, ...] = ("maze-easy-topright", "maze-easy-anywhere")
    """Networks, by name or path."""
    hook_points: tuple[str, ...] = ()
    """Where vectors are added on decision squares and in fields; all that the network has, if empty."""
    played_hook_points: tuple[str, ...] = (
        "block1.res2",
        "block2.res1",
        "block3.res1",
        "conv_out",
        "fc",
    )
    """Where they are added in play; all, if empty."""
    strengths: tuple[float, ...] = (-2.0, -1.0, 1.0, 2.0)
    """Times that each vector is added."""
    size: int = 11
    """Width in cells of the mazes: smaller than the world's 15, so that a way to its corner can be opened."""
    mazes: int = 100
    """Mazes with a decision square: in each, the mouse is put there and one choice is read."""
    played_mazes: int = 100
    """The first so many of them are also played from their start."""
    field_mazes: int = 3
    """In the first so many of them, the whole vector field is read."""
    max_steps: int = 64
    """Steps after which an episode is cut short: more than twice the way of most mazes."""
    workers: int = 2
    """Processes."""

    def __post_init__(self) -> None:
        if missing := set(CLAIMED.values()) - set(self.strengths):
            raise ValueError(
                f"expected strengths that include {sorted(CLAIMED.values())}, of which the claims speak; "
                f"{sorted(missing)} missing in {self.strengths}"
            )
        if not 2 <= self.field_mazes <= self.mazes or not 2 <= self.played_mazes <= self.mazes:
            raise ValueError(
                f"expected at least two mazes for fields and for play, of the {self.mazes} that there are; given "
                f"{self.field_mazes} and {self.played_mazes}"
            )

    def drawn(self, seed: int) -> PlayedMazes:
        """The mazes of a run: the engine's, from a random place in the range of test seeds."""
        first = int(np.random.default_rng(seed).integers(TEST_SEEDS.start, TEST_SEEDS.stop - 10**7))
        return PlayedMazes(self.size, self.mazes, first, ("cheese-anywhere",), self.max_steps)


SCALES = {
    "smoke": replace(
        Config(),
        hook_points=("block2.res1", "conv_out", "fc"),
        played_hook_points=("block2.res1", "fc"),
        strengths=(-1.0, 1.0),
        mazes=12,
        played_mazes=8,
        field_mazes=2,
        max_steps=48,
        workers=1,
    ),
    "small": Config(),
    "long": replace(
        Config(),
        models=("maze-easy-topright", "maze-easy-corner", "maze-easy-anywhere"),
        played_hook_points=(),
        mazes=1000,
        played_mazes=500,
        field_mazes=40,
    ),
}
