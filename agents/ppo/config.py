"""What a PPO run is made of. Two runs with equal configs on one machine's CPU give equal networks."""

from dataclasses import dataclass, field
from typing import Any

from procscope.agents.imitation.config import LOOKS
from procscope.envs.engine import TRAINING_SEEDS, EngineOptions
from procscope.envs.variants import resolve_variants

PRECISIONS = ("auto", "float32", "bfloat16")


@dataclass(frozen=True)
class PPOConfig:
    """Proximal policy optimisation (Schulman et al. 2017, arXiv:1707.06347) on a game of Procgen.

    Defaults are those of the Procgen paper (Cobbe et al. 2020, arXiv:1912.01588, appendix D) with the 256
    environments of the goal-misgeneralisation studies; the value loss's weight and the longest gradient too.
    An episode that runs into the engine's timeout counts as ended there, as in that code.
    """

    game: str = "maze"
    """One of Procgen's games."""
    mode: str = "easy"
    """Difficulty mode of the engine."""
    variant: tuple[str, ...] = ()
    """Level variants, applied in this order at every reset."""
    engine_options: dict[str, Any] = field(default_factory=dict)
    """Further options of the engine that change what an agent sees, such as {"paint_vel_info": True}."""
    level_seeds: tuple[int, int] = (TRAINING_SEEDS.start, TRAINING_SEEDS.stop)
    """Range of level seeds, first and last-plus-one."""
    network: str = "impala"
    """Name of the architecture."""
    network_options: dict[str, Any] = field(default_factory=dict)
    """Options of the architecture, such as {"widths": [16, 32, 32]}."""
    start_from: str | None = None
    """Begin with the weights of this network (a name or a path) instead of new ones."""
    seed: int = 0
    """Seed of the initial weights, the levels and everything drawn."""
    steps: int = 25_000_000
    """Environment steps in all, those of every game counted; rounded up to whole rounds."""
    envs: int = 256
    """Games played side by side."""
    rollout_steps: int = 256
    """Steps of every game in a round: played, learned from, forgotten."""
    epochs: int = 3
    """Passes over the steps of a round."""
    minibatches: int = 8
    """Optimiser steps of a pass."""
    learning_rate: float = 5e-4
    """Adam's learning rate."""
    anneal: bool = False
    """Let the learning rate fall to zero in a straight line over the run."""
    discount: float = 0.999
    """Discount of rewards, gamma."""
    gae_lambda: float = 0.95
    """Lambda of the generalised advantage estimation."""
    clip: float = 0.2
    """How far the ratio of new to old probability may move before its gradient is cut off."""
    entropy_weight: float = 0.01
    """Weight of the policy's entropy, which rewards trying things."""
    value_weight: float = 0.5
    """Weight of the squared error of the value."""
    max_gradient_norm: float = 0.5
    """Gradients longer than this are shortened to it."""
    scale_rewards: bool = True
    """Divide rewards by a running estimate of the returns' standard deviation."""
    precision: str = "auto"
    """Of convolutions and products: float32, bfloat16, or auto, which is bfloat16 on CUDA."""
    threads: int = 1
    """Threads of torch on the CPU. Sums in another order round differently, so another number gives another network."""

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}; given: {self.precision!r}")
        unknown = set(self.engine_options) - LOOKS
        if unknown:
            raise ValueError(
                f"engine_options are of {', '.join(sorted(LOOKS))}; given: {', '.join(sorted(unknown))}"
            )
        for name in ("envs", "rollout_steps", "epochs", "minibatches", "threads", "steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; given: {getattr(self, name)}")
        EngineOptions(
            self.game,
            self.mode,
            self.envs,
            level_seeds=range(*self.level_seeds),
            seed=self.seed,
            **self.engine_options,
        )
        if self.variant:
            resolve_variants(self.variant, self.game)
        if self.round_frames % self.minibatches or self.round_frames // self.minibatches < 2:
            raise ValueError(
                f"the {self.round_frames} frames of a round, envs x rollout_steps, must fall into minibatches "
                f"of one size, at least 2; given: {self.minibatches} minibatches"
            )
        if min(self.learning_rate, self.clip, self.max_gradient_norm) <= 0:
            raise ValueError(
                "learning_rate, clip and max_gradient_norm must be above 0; given: "
                f"{self.learning_rate}, {self.clip}, {self.max_gradient_norm}"
            )
        if not (0 <= self.discount <= 1 and 0 <= self.gae_lambda <= 1):
            raise ValueError(
                f"discount and gae_lambda must be in [0, 1]; given: {self.discount}, {self.gae_lambda}"
            )
        if min(self.entropy_weight, self.value_weight) < 0:
            raise ValueError(
                "entropy_weight and value_weight must be 0 or more; given: "
                f"{self.entropy_weight}, {self.value_weight}"
            )

    @property
    def round_frames(self) -> int:
        """Frames of a round."""
        return self.envs * self.rollout_steps

    @property
    def rounds(self) -> int:
        """Rounds in all."""
        return -(-self.steps // self.round_frames)

    @property
    def batch_size(self) -> int:
        """Frames of an optimiser step."""
        return self.round_frames // self.minibatches

    @property
    def extendable(self) -> tuple[str, ...]:
        """Fields that may change when a run goes on: `steps`, unless the learning rate depends on it."""
        return () if self.anneal else ("steps",)
