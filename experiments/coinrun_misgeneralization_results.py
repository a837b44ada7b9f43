"""What `coinrun-misgeneralization` finds out about one network, and what can be asked of it.

Axes: `level` those played; `frame` of other levels, one each; `arm` the untouched network first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int
from torch import nn

from procscope.envs.actions import Move
from procscope.experiments.coinrun_misgeneralization_setup import Config, Contrast
from procscope.interventions.circuits.activation_patching import activation_patching
from procscope.interventions.circuits.effects import PatchingEffects
from procscope.interventions.circuits.metrics import MoveLogOdds
from procscope.interventions.circuits.pairs import FramePairs
from procscope.interventions.circuits.plain_runs import told_apart
from procscope.interventions.named_arms import UNTOUCHED, NamedArm, plan_arms
from procscope.interventions.side_drive import ChannelDrive, log_odds_under, right_log_odds
from procscope.interventions.sweep import RolloutSweep

DRIVE = "without the drive"
"""Arm: the channels that the wish to go right rests on most, at their means."""
LEAST_APART = 0.25
"""Nats by which a pair's frames must differ in the log odds of right to be patched."""
FEWEST_PATCHED = 4


@dataclass(frozen=True, eq=False)
class PlayedArrangement:
    """The levels in one arrangement, under every arm."""

    sweep: RolloutSweep
    end: Int[np.ndarray, " level"]
    """Column in which each level ends, or ended before the wall was taken away."""
    coin: Int[np.ndarray, " level"]
    """Column of the coin, -1 for none."""

    def touches_coin(self, arm: str = UNTOUCHED) -> Bool[np.ndarray, " level"]:
        return self.sweep.of(arm).astype(bool)

    def reaches_end(self, arm: str = UNTOUCHED) -> Bool[np.ndarray, " level"]:
        """Whether it came to the level's last column or the one before."""
        furthest = np.array([path[:, 0].max() for path in self.sweep.paths[arm]])
        return furthest >= self.end - 1

    def runs_past_coin(self, arm: str = UNTOUCHED) -> Bool[np.ndarray, " level"]:
        """Whether it came more than a column to the right of the coin without ever touching it."""
        furthest = np.array([path[:, 0].max() for path in self.sweep.paths[arm]])
        return ~self.touches_coin(arm) & (furthest > self.coin + 1)

    @property
    def is_moved(self) -> Bool[np.ndarray, " level"]:
        """Levels whose coin lies more than a column before the end."""
        return (self.coin >= 0) & (self.coin < self.end - 1)


class ContrastChange(NamedTuple):
    """What one thing in the picture changes in the wish to go right."""

    kind: str
    columns: int
    change: Float64[np.ndarray, " frame"]
    """Log odds of right with it less those without, in nats."""


class GroupAblation(NamedTuple):
    """Channels chosen on one half of the frames, ablated together on the other half."""

    drive: ChannelDrive
    channels: tuple[int, ...]
    arms: tuple[NamedArm, ...]
    """The untouched network, `DRIVE`, and its controls."""
    held_out: Float64[np.ndarray, "arm frame"]
    """Log odds of right, in nats."""


@dataclass(frozen=True, eq=False)
class DriveStudy:
    """One network."""

    model: str
    training: str
    bare: Float64[np.ndarray, " frame"]
    """Log odds of right against left in nats, with neither coin nor end in sight."""
    mirrored: Float64[np.ndarray, " frame"]
    """The same, with the pictures mirrored."""
    contrasts: Sequence[ContrastChange]
    groups: Sequence[GroupAblation]
    """By hook point."""
    played: Mapping[str, PlayedArrangement]
    """By arrangement; the arms are those of the strongest group."""
    patched: Mapping[str, PatchingEffects]
    """By contrast, where enough pairs are told apart."""
    pairs: Mapping[str, int]
    """By contrast: how many were made."""

    @property
    def where(self) -> dict[str, str]:
        return {"model": self.model, "training": self.training}

    @property
    def strongest(self) -> GroupAblation:
        """The group whose ablation costs most, on the frames on which it was chosen."""
        return strongest_group(self.groups)


def chosen_half(n: int) -> Bool[np.ndarray, " frame"]:
    """The frames on which channels are chosen; the others are held out."""
    return np.arange(n) % 2 == 0


def strongest_group(groups: Sequence[GroupAblation]) -> GroupAblation:
    """By the sum of its channels' effects on the half on which they were chosen."""

    def cost(group: GroupAblation) -> float:
        on = chosen_half(len(group.drive.untouched))
        return float(group.drive.change[list(group.channels)][:, on].mean(axis=1).sum())

    return min(groups, key=cost)


def contrast_change(network: nn.Module, contrast: Contrast) -> ContrastChange:
    """How the log odds of right change."""
    change = np.zeros(0)
    if len(contrast.present):
        change = right_log_odds(network, contrast.present) - right_log_odds(network, contrast.absent)
    return ContrastChange(contrast.kind, contrast.columns, change)


def ablate_group(
    network: nn.Module, frames: np.ndarray, drive: ChannelDrive, share: float, seed: int
) -> GroupAblation:
    """Choose the strongest channels on one half of the frames, ablate them with controls on the other."""
    on = chosen_half(len(frames))
    channels = drive.strongest(max(1, round(share * len(drive.change))), on)
    arms = plan_arms(
        {DRIVE: drive.ablation(channels)},
        1,
        controls=True,
        statistics={drive.hook_point: drive.statistics},
        seed=seed,
    )
    odds = log_odds_under(network, frames[~on], [arm.of(0) for arm in arms])
    return GroupAblation(drive, channels, arms, odds)


def patch_contrast(network: nn.Module, contrast: Contrast, config: Config) -> PatchingEffects | None:
    """Patch each channel from the frame that the network wants to go right in more; None for too few such pairs.

    Which of the two that is, is the sign of the mean change.
    """
    if not len(contrast.present):
        return None
    more = float(contrast_change(network, contrast).change.mean()) > 0
    pairs = FramePairs(contrast.present, contrast.absent)
    pairs = pairs if more else pairs.swapped
    metric = MoveLogOdds(Move.RIGHT, Move.LEFT)
    told = np.flatnonzero(told_apart(network, pairs, metric, least=LEAST_APART))[: config.patched]
    if len(told) < FEWEST_PATCHED:
        return None
    return activation_patching(
        network,
        pairs.where(told),
        metric,
        config.hook_points,
        by="channel",
        least_apart=LEAST_APART,
    )
