"""What a network still does with an autoencoder's reconstruction in place of its activations.

When to use: to know whether what an autoencoder misses matters to the agent, on frames and in play.

    on_frames = splice_on_frames(network, frames, "fc", sae, means)
    on_frames.kl.value, on_frames.agreement.value, on_frames.kl_recovered
    in_play = splice_in_play(network, levels, "fc", sae, means, members=members)
    in_play.success["spliced"], in_play.return_recovered

Beside the untouched network and the spliced one, the hook point is ablated: zeros, and its mean over the cache. The
reconstruction is worth what it recovers of the way from these to untouched (`metrics.recovered`; of the action KL:
1 - KL spliced / KL ablated). Levels and action noise are the same in all four arms, so that they are compared in pairs.

The return is the undiscounted sum of an episode's rewards: 10 for the goal, which is all that maze, Heist and CoinRun
pay, so it is 10 times the success.

Cost: that of `sweep_rollouts` with three arms.

Axes: `frame`, `level`, `channel`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64
from torch import nn

from procscope.activations.cache import ActivationCache
from procscope.agents.experts.advice import GOAL_REWARD
from procscope.envs.engine import ALL_SEEDS, Engine, EngineOptions
from procscope.envs.starting_states import starting_states
from procscope.interventions.ablation import MeanAblation, ZeroAblation
from procscope.interventions.arms import run_arms
from procscope.interventions.intervention import Intervention
from procscope.interventions.named_arms import UNTOUCHED
from procscope.interventions.splice import SpliceLatent
from procscope.interventions.sweep import sweep_rollouts
from procscope.saes.metrics import action_kl, recovered
from procscope.saes.sae import Sae, TrainedSae
from procscope.workbench.mean_intervals import bootstrap_means
from procscope.workbench.members import Members
from procscope.workbench.statistics import Interval, paired_difference, wilson

SPLICED, ZERO, MEAN = "spliced", "zero", "mean"


def splice_arms(hook_point: str, sae: Sae, means: Float64[np.ndarray, " channel"]) -> dict[str, Intervention]:
    """The reconstruction alone, zeros, and the mean, by name."""
    return {
        SPLICED: SpliceLatent(hook_point, autoencoder=sae, keep_error=False),
        ZERO: ZeroAblation(hook_point),
        MEAN: MeanAblation(hook_point, means=means.tolist()),
    }


@dataclass(frozen=True)
class SplicedFrames:
    """Single frames, each of a level of its own if intervals are to mean something."""

    n_frames: int
    kl: Mapping[str, Interval]
    """By arm: mean over frames of KL(untouched || arm) in nats."""
    agreement: Mapping[str, Interval]
    """By arm: share of frames with the untouched network's most probable action."""

    def kl_recovered(self, ablated: str = MEAN) -> float:
        """1 - KL spliced / KL ablated. Raises ValueError: the ablation changes nothing."""
        return recovered(0.0, self.kl[SPLICED].value, self.kl[ablated].value)


def splice_on_frames(
    network: nn.Module,
    batches: Iterable[np.ndarray],
    hook_point: str,
    sae: Sae,
    means: Float64[np.ndarray, " channel"],
) -> SplicedFrames:
    """Action KL and agreement.

    Args:
        batches: frames [frame, row, col, rgb], some at a time.
        means: of each channel or unit over the cache, for mean-ablation.

    Raises ValueError: fewer than two frames; a network without logits; a hook point that the autoencoder does not fit.
    """
    arms = splice_arms(hook_point, sae, means)
    divergences: dict[str, list[np.ndarray]] = {name: [] for name in arms}
    agrees: dict[str, list[np.ndarray]] = {name: [] for name in arms}
    for frames in batches:
        for read in run_arms(network, frames, [(), *((arm,) for arm in arms.values())]):
            if read.logits is None:
                raise ValueError(
                    f"expected a policy, which gives logits; {type(network).__name__} gives none"
                )
            for name, logits in zip(arms, read.logits[1:], strict=True):
                divergences[name].append(action_kl(read.logits[0], logits))
                agrees[name].append(read.logits[0].argmax(axis=1) == logits.argmax(axis=1))
    n = sum(len(part) for part in divergences[SPLICED])
    if n < 2:
        raise ValueError(f"expected at least two frames to splice into; given {n}")
    rng = np.random.default_rng(0)
    kl = {
        name: bootstrap_means(np.concatenate(parts)[:, None], rng=rng)[0]
        for name, parts in divergences.items()
    }
    agreement = {name: wilson(int(np.concatenate(parts).sum()), n) for name, parts in agrees.items()}
    return SplicedFrames(n, kl, agreement)


@dataclass(frozen=True, eq=False)
class SplicedPlay:
    """Whole episodes on the same levels with the same action noise."""

    outcomes: Mapping[str, Bool[np.ndarray, " level"]]
    """By arm, the untouched network among them: whether the goal was reached."""

    @property
    def n_levels(self) -> int:
        return len(self.outcomes[UNTOUCHED])

    def success(self, arm: str) -> Interval:
        """Share of levels in which the goal was reached."""
        return wilson(int(self.outcomes[arm].sum()), self.n_levels)

    def mean_return(self, arm: str) -> Interval:
        """Mean undiscounted return: 10 for each goal."""
        found = self.success(arm)
        return Interval(GOAL_REWARD * found.value, GOAL_REWARD * found.low, GOAL_REWARD * found.high, found.n)

    def change(self, arm: str) -> Interval:
        """Success under the arm less that of the untouched network, paired by level."""
        return paired_difference(self.outcomes[arm], self.outcomes[UNTOUCHED])

    def return_recovered(self, ablated: str = MEAN) -> float:
        """Of the return that ablating costs, the share that the reconstruction keeps.

        Raises ValueError: the ablation costs nothing.
        """
        return recovered(*(self.success(arm).value for arm in (UNTOUCHED, SPLICED, ablated)))


def splice_in_play(
    network: nn.Module,
    levels: Sequence[Any],
    hook_point: str,
    sae: Sae,
    means: Float64[np.ndarray, " channel"],
    *,
    seed: int = 0,
    max_steps: int = 500,
    members: Members | None = None,
    progress: str | None = None,
) -> SplicedPlay:
    """Play every level in all four arms.

    Args:
        levels: values such as `MazeLevel`, or first states.
        members: where played blocks are kept.

    Raises ValueError: as `sweep_rollouts`.
    """
    sweep = sweep_rollouts(
        network,
        levels,
        splice_arms(hook_point, sae, means),
        seed=seed,
        max_steps=max_steps,
        controls=False,
        members=members,
        progress=progress,
    )
    return SplicedPlay({arm.name: sweep.of(arm.name).astype(bool) for arm in sweep.arms})


def play_of_cache(
    network: nn.Module,
    cache: ActivationCache,
    trained: TrainedSae,
    means: Float64[np.ndarray, " channel"],
    level_seeds: range,
    *,
    seed: int = 0,
    max_steps: int = 500,
    members: Members | None = None,
    progress: str | None = None,
) -> SplicedPlay:
    """The same on unseen levels of the game, mode and variants that a cache was made of.

    Raises ValueError: a cache that does not say its game, such as one filled from elsewhere.
    """
    environment = cache.source.get("environment", {})
    if "game" not in environment:
        raise ValueError(
            f"{cache.path} does not say which game its frames are of, so that none can be played"
        )
    states = starting_states(
        environment["game"],
        level_seeds,
        mode=environment["mode"],
        variants=tuple(environment["variants"]),
        variant_seed=seed,
        **_engine_of(environment),
    )
    return splice_in_play(
        network,
        states,
        trained.hook_point,
        trained.sae,
        means,
        seed=seed,
        max_steps=max_steps,
        members=members,
        progress=progress,
    )


def _engine_of(environment: Mapping[str, Any]) -> dict[str, Any]:
    """An engine with the look of a cache's frames, where it is not the usual one."""
    options = environment.get("engine_options") or {}
    if not options:
        return {}
    look = EngineOptions(
        environment["game"], environment["mode"], num_envs=64, level_seeds=ALL_SEEDS, **options
    )
    return {"engine": Engine(look)}
