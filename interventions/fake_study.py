"""What a fake target does at one hook point of a network: on single frames, then in play; all as JSON data.

When to use: as the parts of `heist-spatial`. Channels are chosen on other levels than those that are edited, by how
well they track a key (`goal_tracking.py`).

On frames (`study_frames`), arms:

    spot <k> x<times> <rest>    the source's edit: one position of the k best trackers, at times their largest value
    source                      the source's own numbers: value 5, positions within 1, one channel, the rest zero
    random <k> x<times>         the same in random channels
    patch <k>                   the k best trackers as they are with the key moved, everywhere
    patch random <k>            as many random channels
    patch others                all channels but the best quarter
    near / elsewhere            all channels as with the key moved, near the two places or everywhere else
    vector x<times>             what a key adds to all channels, moved from its place to the other
    vector <k> x1               the same of the k best trackers alone

In play (`study_play`): `spot`, `source`, `vector`, mean-ablation of the best trackers, and matched controls of some,
with noise of their own for every repeat of a level; and the level with its key really moved.

Axes: `pair`, `repeat`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from procscope.envs.heist import HeistLevel
from procscope.envs.heist.pairs import MovedPair, moved_pairs
from procscope.interventions.ablation import MeanAblation
from procscope.interventions.fake_target import FakePlace, fake_effects, read_place
from procscope.interventions.named_arms import UNTOUCHED, GivenArm
from procscope.interventions.scale import Scale
from procscope.interventions.spot import Rest
from procscope.interventions.sweep import RolloutSweep, sweep_rollouts

SOURCE_VALUE, SOURCE_RADIUS = 5.0, 1
"""Of the source's public code."""
MOVED = "key moved"
SOURCE = "source"
AT_MEAN = "trackers at their mean"
CONTROLLED_SHARE = 4
"""One in so many channels: the best trackers that ablation and controls are about."""


@dataclass(frozen=True)
class FakeStudy:
    """One hook point of one network: all that the results depend on."""

    model: str
    weights_hash: str
    hook_point: str
    center: float
    pairs: int
    tracking_levels: int
    counts: tuple[int, ...]
    """Numbers of trackers edited together."""
    times: tuple[float, ...]
    rests: tuple[Rest, ...]
    repeats: int
    """Episodes for each pair in play; 0 for frames alone."""
    max_steps: int
    seed: int
    version: int = 1
    """Of this computation; raised when it changes."""


def drawn_pairs(study: FakeStudy) -> tuple[list[MovedPair], list[HeistLevel]]:
    """The pairs that are edited, and other levels to choose channels on."""
    rng = np.random.default_rng((study.seed, 21))
    pairs = moved_pairs(study.pairs, rng)
    return pairs, [pair.level for pair in moved_pairs(study.tracking_levels, rng)]


def study_frames(network: nn.Module, study: FakeStudy) -> dict[str, Any]:
    """`{"channels": best tracker first, "moved": [pair], "arms": {arm: {"toward", "switched", "action_kl"}}}`."""
    pairs, levels = drawn_pairs(study)
    place = read_place(network, pairs, levels, study.hook_point, study.center)
    effects = fake_effects(network, place, frame_arms(place, study))
    return {
        "channels": place.tracked.strongest(place.n_channels),
        "moved": effects[UNTOUCHED].moved_toward.round(4).tolist(),
        "arms": {
            name: {
                "toward": one.toward.round(4).tolist(),
                "switched": one.switched.astype(int).tolist(),
                "action_kl": one.action_kl.round(5).tolist(),
            }
            for name, one in effects.items()
        },
    }


def frame_arms(place: FakePlace, study: FakeStudy) -> dict[str, GivenArm]:
    """The arms on frames, by the names above."""
    n = place.n_channels
    best, rng = place.tracked.strongest(n), np.random.default_rng((study.seed, 22))
    counts = [count for count in study.counts if count <= n]
    shuffled = rng.permutation(n).tolist()
    arms: dict[str, GivenArm] = {SOURCE: source_arm(place)}
    for count in counts:
        for times in study.times:
            for rest in study.rests:
                arms[f"spot {count} x{times:g} {rest}"] = place.spot_arm(best[:count], times, rest)
            arms[f"random {count} x{times:g}"] = place.spot_arm(shuffled[:count], times, study.rests[0])
    for count in dict.fromkeys((*counts, n)):
        arms[f"patch {count}"] = place.patched(best[:count])
        arms[f"patch random {count}"] = place.patched(shuffled[:count])
        arms[f"vector {count} x1"] = place.vector(1.0, best[:count])
    arms["patch others"] = place.patched(best[controlled(n) :])
    arms["near"] = place.patched(range(n), place.near)
    arms["elsewhere"] = place.patched(range(n), ~place.near)
    for times in (0.5, 1.0, 2.0, 4.0):
        arms[f"vector x{times:g}"] = place.vector(times)
    return arms


def study_play(network: nn.Module, study: FakeStudy) -> dict[str, Any]:
    """`{"arms": {arm: {"fake_first", "key_first": [pair]}}}`: so many episodes of each pair."""
    pairs, levels = drawn_pairs(study)
    place = read_place(network, pairs, levels, study.hook_point, study.center)
    best, n = place.tracked.strongest(place.n_channels), place.n_channels
    quarter = best[: controlled(n)]

    def of_level(arm: GivenArm) -> GivenArm:
        return (lambda level: arm(level // study.repeats)) if callable(arm) else arm

    plain: dict[str, GivenArm] = {SOURCE: of_level(source_arm(place))}
    for count in (count for count in study.counts if count <= n):
        for times in study.times:
            plain[f"spot {count} x{times:g} {study.rests[0]}"] = of_level(
                place.spot_arm(best[:count], times, study.rests[0])
            )
    for rest in study.rests[1:]:
        plain[f"spot {len(quarter)} x1 {rest}"] = of_level(place.spot_arm(quarter, 1.0, rest))
    for times in (1.0, 2.0):
        steer = place.vector(times)
        plain[f"vector x{times:g}"] = type(steer)(
            steer.hook_point, vector=np.repeat(steer.vector.array, study.repeats, axis=0), per_frame=True
        )
    matched: dict[str, GivenArm] = {
        AT_MEAN: MeanAblation.of(place.statistics, place.hook_point, quarter),
        f"spot {len(quarter)} x1 zero": of_level(place.spot_arm(quarter, 1.0, "zero")),
    }
    settings: dict[str, Any] = {"seed": study.seed, "max_steps": study.max_steps}
    starts = [pair.level for pair in pairs for _ in range(study.repeats)]
    moved = [pair.moved for pair in pairs for _ in range(study.repeats)]
    known = {place.hook_point: place.statistics}
    sweeps = [
        (sweep_rollouts(network, starts, plain, controls=False, **settings), None),
        (sweep_rollouts(network, starts, matched, statistics=known, **settings), None),
        # An arm that changes nothing, since a sweep has at least one: the untouched network is what is asked for.
        (
            sweep_rollouts(
                network, moved, {"same": Scale(place.hook_point, factor=1.0)}, controls=False, **settings
            ),
            MOVED,
        ),
    ]
    found: dict[str, Any] = {}
    for sweep, name in sweeps:
        arms = [UNTOUCHED] if name else [arm.name for arm in sweep.arms]
        for arm in arms:
            found[name or arm] = _firsts(sweep, arm, pairs, study.repeats)
    return {"arms": found}


def controlled(n_channels: int) -> int:
    """How many of the best trackers ablation and controls are about."""
    return max(1, n_channels // CONTROLLED_SHARE)


def source_arm(place: FakePlace) -> GivenArm:
    """The best tracker as in the source's code."""
    best = place.tracked.strongest(1)
    return place.spot_arm(best, 1.0, "zero", value=SOURCE_VALUE, radius=SOURCE_RADIUS)


def _firsts(
    sweep: RolloutSweep, arm: str, pairs: Sequence[MovedPair], repeats: int
) -> dict[str, list[float]]:
    """Episodes of each pair in which the agent comes to the other place first, and to the key's own."""
    cells = np.repeat([[way[-1] for way in pair.ways] for pair in pairs], repeats, axis=0)
    own, other = (sweep.first_visits(cells[:, which])[arm] for which in (0, 1))
    never = np.iinfo(np.int64).max
    own, other = (np.where(steps < 0, never, steps) for steps in (own, other))
    return {
        "fake_first": (other < own).reshape(-1, repeats).sum(axis=1).tolist(),
        "key_first": (own < other).reshape(-1, repeats).sum(axis=1).tolist(),
    }
