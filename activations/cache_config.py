"""What an activation cache is to hold: the options of `collect.py` and `procscope cache build`."""

from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

from procscope.activations.capture import ActivationType
from procscope.envs.engine import TEST_SEEDS
from procscope.envs.games import game

Sampling = Literal["rollouts", "static", "levels", "pairs"]

BLOCK_FRAMES = 2048
"""Default: a kill costs some seconds of work, and files are some MB."""
LARGEST_BLOCK_BYTES = 128 * 2**20
"""Blocks of large layers get fewer frames."""


@dataclass(frozen=True)
class CacheConfig:
    """What a cache is to hold. Two equal configs make equal caches."""

    model: str | nn.Module | None
    """The network that is read: a name, a path to a checkpoint, or a module. None, with pairs, reads nothing: what is
    kept are the transitions themselves."""

    hook_points: tuple[str, ...] = ()
    """Where it is read."""

    n_frames: int = 50_000
    """Rows of the cache; with given levels, their number (and this is not looked at)."""

    variants: tuple[Any, ...] = ()
    """Variants of the levels, applied in this order: names, or functions (level, rng) -> level."""

    sample: Sampling = "rollouts"
    """rollouts: episodes; static: one frame of each random level; levels: one frame of each given level; pairs:
    transitions of episodes, a frame and the next one."""

    actor: str | None = None
    """Who acts: expert, random, a model's name or path; None for the network that is read."""

    noise: float = 0.0
    """Probability of a random action instead of the actor's, per frame."""

    greedy: bool = False
    """A network that acts takes its best action instead of drawing one from its softmax."""

    keep_unrewarded: float = 1.0
    """Of pairs: probability that a transition without reward is kept."""

    placement: str = "start"
    """Where static sampling puts the agent: `start`, or one of the game's `placements`."""

    levels: tuple[Any, ...] = ()
    """The given levels: values such as `MazeLevel`."""

    game: str = "maze"
    """The game that is played."""

    mode: str = "easy"
    """Its difficulty mode."""

    level_seeds: tuple[int, int] = (TEST_SEEDS.start, TEST_SEEDS.stop)
    """First and last-plus-one level seed. Default: the range of tests, which training never sees."""

    seed: int = 0
    """Of the levels drawn and the actions."""

    variant_seed: int = 0
    """Of what variants draw; a level's draw depends on this and its level seed alone, so that caches pair."""

    engine_options: tuple[tuple[str, Any], ...] = ()
    """Further fields of `EngineOptions`, such as ("use_backgrounds", False)."""

    keep_frames: bool = False
    """Store the observations, too (12 kB a frame before compression, 24 kB a pair)."""

    dtype: ActivationType = "float16"
    """Of the activations."""

    num_envs: int = 16
    """Games that step together. More are faster and cut more episodes at the ends of blocks."""

    block_frames: int | None = None
    """Frames a block; None for 2048 or, with large layers or few frames, fewer."""

    batch_size: int = 64
    """Frames a forward pass, where the actor is not the network that is read."""

    device: str = "cpu"
    """Of the networks."""

    def __post_init__(self) -> None:
        if not 0 <= self.noise <= 1:
            raise ValueError(f"expected the noise to be a probability, 0 to 1; given {self.noise}")
        if not 0 < self.keep_unrewarded <= 1 or (self.keep_unrewarded < 1 and self.sample != "pairs"):
            raise ValueError(
                "expected the probability to keep a transition without reward to be above 0 and at most 1, and 1 "
                f"unless sample='pairs'; given {self.keep_unrewarded}, sample={self.sample!r}"
            )
        if self.model is None and (self.sample != "pairs" or self.hook_points or self.actor is None):
            raise ValueError(
                "a cache that reads no network needs sample='pairs', an actor and no hook points; given "
                f"sample={self.sample!r}, actor={self.actor!r}, hook_points={self.hook_points}"
            )
        if self.model is None and not self.keep_frames:
            raise ValueError(
                "a cache that reads no network holds nothing but frames: expected keep_frames=True"
            )
        if (self.sample == "levels") != bool(self.levels):
            raise ValueError('expected given levels together with sample="levels", and only then')
        placements = ("start", *game(self.game).placements)
        if self.placement not in placements:
            raise ValueError(
                f"{self.game} has the placements {', '.join(placements)}; given: {self.placement!r}"
            )
        if self.sample != "static" and self.placement != "start":
            raise ValueError(
                f"placement={self.placement!r} needs sample='static'; given sample={self.sample!r}"
            )
        if self.num_envs < 1 or (self.block_frames or 1) < 1 or self.n_frames < 1:
            raise ValueError(
                f"expected at least 1 of num_envs, block_frames and n_frames; given {self.num_envs}, "
                f"{self.block_frames}, {self.n_frames}"
            )
        if self.sample == "rollouts" and (self.block_frames or 0) % self.num_envs:
            raise ValueError(
                f"expected block_frames to be a multiple of num_envs={self.num_envs}; given "
                f"{self.block_frames}"
            )
