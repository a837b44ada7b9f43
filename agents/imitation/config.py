"""What an imitation run is made of. Two runs with equal configs on one machine give equal networks."""

import math
from dataclasses import dataclass, field
from typing import Any

from procscope.envs.engine import TRAINING_SEEDS, EngineOptions
from procscope.envs.variants import resolve_variants

#: Times a million and three, plus the round, it must be a seed that the engine takes (`samples.round_seed`).
MAX_SEED = 2146

#: Games that there is a teacher for.
TAUGHT = ("maze", "heist", "coinrun")

#: Options of the engine that change what an agent sees.
LOOKS = frozenset(
    {"use_backgrounds", "use_monochrome_assets", "restrict_themes", "center_agent", "paint_vel_info"}
)


@dataclass(frozen=True)
class ImitationConfig:
    """Imitation of an expert on fresh levels, then also on the states that the network itself comes to.

    Defaults are those of the shipped maze networks; where no source is named they were chosen here, by the
    success that they gave on two cores.
    """

    variant: tuple[str, ...] = ()
    """Level variants, applied in this order at every reset."""
    game: str = "maze"
    """Procgen game, one of `TAUGHT`."""
    mode: str = "easy"
    """Difficulty mode of the engine."""
    engine_options: dict[str, Any] = field(default_factory=dict)
    """Further options of the engine that change what an agent sees, such as {"paint_vel_info": True}."""
    network: str = "impala"
    """Name of the architecture."""
    network_options: dict[str, Any] = field(default_factory=dict)
    """Options of the architecture, such as {"widths": [16, 32, 32]}."""
    start_from: str | None = None
    """Begin with the weights of this network (a name or a path) instead of new ones."""
    seed: int = 0
    """Seed of the initial weights and of everything drawn."""
    frames: int = 1_000_000
    """Frames to learn from in all, each seen once."""
    round_frames: int = 16_384
    """Frames of a round: made, shuffled, learned from, forgotten. A stop costs at most a round."""
    static_rounds: float = 0.4
    """Share of rounds, the first ones, made of static frames alone."""
    own_share: float = 0.5
    """Share of a later round that comes from states the network itself reached."""
    remembered_share: float = 0.25
    """Share of a later round that comes from states it reached in earlier rounds; the rest is static."""
    ahead: bool = False
    """Make each round in another process while the one before is learned from (`ahead.py`): the states of its own are
    then those of the network one round earlier."""
    own_games: int = 128
    """Games that the network plays at once to reach states of its own."""
    batch_size: int = 128
    """Frames of an optimiser step."""
    peak_learning_rate: float = 1e-3
    """Highest learning rate of the one-cycle schedule (AdamW)."""
    warm_up: float = 0.04
    """Share of the steps in which the learning rate rises."""
    weight_decay: float = 1e-2
    """AdamW's weight decay."""
    max_gradient_norm: float = 1.0
    """Gradients longer than this are shortened to it."""
    temperature: float = 0.01
    """Where the expert knows what every action would lose, as a share of the value, the network learns a
    distribution: the softmax of minus these losses over this."""
    regret_weight: float = 5.0
    """Weight of what the policy is expected to lose there, beside the cross-entropy (Ross & Bagnell 2014,
    arXiv:1406.5979: imitation that counts what a mistake costs)."""
    batch_norm: bool = False
    """Learn with batch normalisation behind every layer but the heads, and fold it into the weights of the network
    that is written (`agents/networks/batch_norm.py`)."""
    value_weight: float = 0.02
    """Weight of the squared error of the value beside the cross-entropy of the action."""
    discount: float = 0.99
    """Discount of the expert's return, which the value head learns."""
    threads: int = 1
    """Threads of torch. Sums in another order round differently, so another number gives another network."""
    level_seeds: tuple[int, int] = (TRAINING_SEEDS.start, TRAINING_SEEDS.stop)
    """Range of level seeds, first and last-plus-one."""

    def __post_init__(self) -> None:
        if self.game not in TAUGHT:
            raise ValueError(f"there are teachers for the games {', '.join(TAUGHT)}; given: {self.game!r}")
        unknown = set(self.engine_options) - LOOKS
        if unknown:
            raise ValueError(
                f"engine_options are of {', '.join(sorted(LOOKS))}; given: {', '.join(sorted(unknown))}"
            )
        EngineOptions(self.game, self.mode, level_seeds=range(*self.level_seeds), **self.engine_options)
        resolve_variants(self.variant, self.game)
        if min(self.batch_size, self.own_games, self.threads) < 1:
            raise ValueError(
                "batch_size, own_games and threads must be at least 1; given: "
                f"{self.batch_size}, {self.own_games}, {self.threads}"
            )
        if not 0 <= self.seed <= MAX_SEED:
            raise ValueError(f"seed must be in 0..{MAX_SEED}; given: {self.seed}")
        if self.frames < self.round_frames or self.round_frames % self.batch_size:
            raise ValueError(
                "frames must be at least round_frames, and round_frames a multiple of batch_size; given: "
                f"frames={self.frames}, round_frames={self.round_frames}, batch_size={self.batch_size}"
            )
        if self.temperature <= 0 or self.regret_weight < 0:
            raise ValueError(
                "temperature must be positive and regret_weight not negative; given: "
                f"{self.temperature}, {self.regret_weight}"
            )
        if self.batch_norm and self.start_from is not None:
            raise ValueError(
                "batch_norm is for new networks: in one that is trained already it would change every activation. "
                "Leave out batch_norm or start_from"
            )
        shares = (self.static_rounds, self.own_share, self.remembered_share, self.warm_up)
        if min(shares) < 0 or max(shares) > 1 or self.own_share + self.remembered_share > 1:
            raise ValueError(
                "static_rounds, warm_up, own_share, remembered_share and the sum of the last two must be in "
                f"[0, 1]; given: {shares}"
            )

    @property
    def rounds(self) -> int:
        """Rounds in all."""
        return math.ceil(self.frames / self.round_frames)

    @property
    def batches_per_round(self) -> int:
        """Optimiser steps of a round."""
        return self.round_frames // self.batch_size

    def learning_rate(self, step: int) -> float:
        """One-cycle schedule (Smith & Topin 2017, arXiv:1708.07120): a linear rise, then half a cosine."""
        total = self.rounds * self.batches_per_round
        rise = max(1, round(self.warm_up * total))
        if step < rise:
            return self.peak_learning_rate * (step + 1) / rise
        done = (step - rise) / max(1, total - rise)
        return self.peak_learning_rate * max(0.5 * (1 + math.cos(math.pi * done)), 0.002)
