"""Make a Heist agent pursue its lock while its key still lies there: by a probe, channels, latents, a vector.

When to use: as the parts of `heist-goals`. In a `GoalPair` a network goes to the key where it lies and to the lock
where it is held. Each arm edits the first level so that the network should go on as in the second; everything that
an arm needs is found on other pairs.

    probe <layer> x<times>     the direction of a logistic probe for "the key is held" in a vector layer, added so that
                               the mean of the one class comes to the mean of the other (times 1)
    difference <layer> x<times>  the mean difference between the two kinds of level in the same layer
    erase key                  at every position of the map, the direction that a key adds at its place is set to
                               what it is without a key (projection): no cell is named
    channels <k>               the k channels that track the key best, at their mean without a key
    key vector away x<times>   what a key adds to all channels, taken away at the key's own place
    latents                    of an SAE: those that a key raises most, at 0
    key held                   really: what might be had at best

Source: notes on a Heist agent (S4): "get the model to pursue a different goal in a very clean way"; the stated
criterion of success.
Cost: of frames: the later layers once for each arm and pair; in play: an episode for each arm, pair and repeat.

Axes: `pair`, `unit`, `channel`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64
from torch import nn

from procscope.activations.capture import capture
from procscope.activations.channel_statistics import ChannelStatistics, channel_statistics
from procscope.activations.encoding import encoded
from procscope.envs.actions import greedy_moves
from procscope.envs.heist.pairs import GoalPair
from procscope.envs.level_frames import frames_of_levels
from procscope.interventions.ablation import MeanAblation
from procscope.interventions.apply import applied
from procscope.interventions.carried import log_odds
from procscope.interventions.erase import Erase
from procscope.interventions.fake_target import spots_of
from procscope.interventions.frame_sweep import sweep_frames
from procscope.interventions.goal_tracking import GoalTracking, track_key
from procscope.interventions.intervention import Intervention
from procscope.interventions.named_arms import UNTOUCHED
from procscope.interventions.splice import Autoencoder, SpliceLatent
from procscope.interventions.steer import Steer
from procscope.interventions.sweep import sweep_rollouts
from procscope.probes.levels import Levels
from procscope.probes.logistic import LogisticProbe, fit_logistic_best

HELD = "key held"
LATENTS = 4
"""Latents that are switched off together."""


class GoalProbe(NamedTuple):
    """A logistic probe for "the key is held" and how good it is."""

    hook_point: str
    probe: LogisticProbe
    accuracy: Float64[np.ndarray, " pair"]
    """On pairs that it was not fitted to: mean over the two levels of each."""
    step: Float64[np.ndarray, " unit"]
    """Along its direction, from the mean of levels where the key lies to the mean where it is held."""
    difference: Float64[np.ndarray, " unit"]
    """From the one mean to the other. A logistic probe may read along directions in which activations hardly vary; the
    pattern that goes with what it reads is this one (Haufe et al. 2014, NeuroImage 87:96)."""


@dataclass(frozen=True, eq=False)
class GoalHandles:
    """What was found on the pairs that are not edited."""

    vector_point: str
    map_point: str
    center: float
    probe: GoalProbe
    tracked: GoalTracking
    statistics: ChannelStatistics
    """Of the maps without a key."""
    key_vector: Float[np.ndarray, " channel"]
    """What a key adds at its position, mean over pairs."""
    latents: tuple[int, ...] = ()
    """That a key raises most at its position."""


def find_handles(
    network: nn.Module,
    pairs: Sequence[GoalPair],
    vector_point: str,
    map_point: str,
    center: float,
    *,
    encoder: Autoencoder | None = None,
    seed: int = 0,
) -> GoalHandles:
    """Fit the probe on three quarters of the pairs, judge it on the rest, and measure what a key does to the maps.

    Raises ValueError: fewer than eight pairs, and as `capture`.
    """
    if len(pairs) < 8:
        raise ValueError(f"expected at least eight pairs to find directions on; given {len(pairs)}")
    frames = [frames_of_levels([pair[which] for pair in pairs]).frames for which in (0, 1)]
    lying, held = (
        capture(network, each, [vector_point, map_point], dtype="float32").activations for each in frames
    )
    tracked = track_key(network, [pair.key_lies for pair in pairs], map_point, center)
    maps, bare = lying[map_point], held[map_point]
    spots = spots_of(
        np.array([pair.to_key[-1] for pair in pairs]), len(pairs[0].key_lies.walls), maps.shape[-1], center
    )
    at = (np.arange(len(pairs)), slice(None), spots[:, 0], spots[:, 1])
    latents: tuple[int, ...] = ()
    if encoder is not None:
        raised = (encoded(encoder, maps)[at] - encoded(encoder, bare)[at]).mean(axis=0)
        latents = tuple(np.argsort(-raised)[:LATENTS].tolist())
    return GoalHandles(
        vector_point,
        map_point,
        center,
        _fit(lying[vector_point], held[vector_point], vector_point, seed),
        tracked,
        channel_statistics(bare),
        (maps - bare)[at].mean(axis=0),
        latents,
    )


def goal_arms(
    handles: GoalHandles,
    pairs: Sequence[GoalPair],
    counts: Sequence[int],
    times: Sequence[float],
    encoder: Autoencoder | None = None,
) -> dict[str, Intervention]:
    """The arms for these pairs, in their order; see the top of the file."""
    arms: dict[str, Intervention] = {}
    for each in times:
        for name, step in (("probe", handles.probe.step), ("difference", handles.probe.difference)):
            arms[f"{name} {handles.vector_point} x{each:g}"] = Steer(
                handles.vector_point, vector=step.astype(np.float32), strength=each
            )
    place = handles.map_point
    mean = handles.statistics.mean
    arms["erase key"] = Erase.directions(place, handles.key_vector, center=mean)
    for count in counts:
        arms[f"channels {count}"] = MeanAblation.of(
            handles.statistics, place, handles.tracked.strongest(count)
        )
    size = handles.tracked.map_size
    cells = np.array([pair.to_key[-1] for pair in pairs])
    spots = spots_of(cells, len(pairs[0].key_lies.walls), size, handles.center)
    rows, cols = np.indices((size, size))
    reach = max(1, round(size / len(pairs[0].key_lies.walls)))
    near = (np.abs(rows - spots[:, 0, None, None]) <= reach) & (
        np.abs(cols - spots[:, 1, None, None]) <= reach
    )
    away = near[:, None] * -handles.key_vector[:, None, None]
    for each in times:
        arms[f"key vector away x{each:g}"] = Steer(
            place, vector=away.astype(np.float32), strength=each, per_frame=True
        )
    if encoder is not None and handles.latents:
        arms["latents"] = SpliceLatent(place, autoencoder=encoder, latents=handles.latents, scale=0)
    return arms


class GoalEffect(NamedTuple):
    """What one arm does to the first choice."""

    toward: Float64[np.ndarray, " pair"]
    """Change of the log odds of the move to the lock against that to the key."""
    held_toward: Float64[np.ndarray, " pair"]
    """The same with the key really held."""
    switched: Bool[np.ndarray, " pair"]
    """Whether the most probable move is the one to the lock."""


def goal_effects(
    network: nn.Module, pairs: Sequence[GoalPair], arms: Mapping[str, Intervention]
) -> dict[str, GoalEffect]:
    """The effect of every arm, of its matched controls, of none ("untouched") and of really holding the key."""
    frames, held = (frames_of_levels([pair[which] for pair in pairs]).frames for which in (0, 1))
    moves = np.array([(pair.key_move, pair.lock_move) for pair in pairs], dtype=np.int64)
    sweep = sweep_frames(network, frames, arms)
    base = log_odds(sweep.logits[UNTOUCHED][None], moves)[0]
    theirs = capture(network, held, []).logits_of(network)
    full = log_odds(theirs[None], moves)[0] - base
    found = {HELD: GoalEffect(full, full, greedy_moves(theirs) == moves[:, 1])}
    for name, logits in sweep.logits.items():
        odds = log_odds(logits[None], moves)[0]
        found[name] = GoalEffect(odds - base, full, greedy_moves(logits) == moves[:, 1])
    return found


class GoalPlay(NamedTuple):
    """Where the agent came first, in each pair's episodes."""

    gate_first: Float64[np.ndarray, " pair"]
    """Share of episodes in which it came to the cell before the lock before the key's."""
    key_first: Float64[np.ndarray, " pair"]
    clean: Float64[np.ndarray, " pair"]
    """Share of episodes in which it came there in at most one and a half times the steps that the untouched network
    takes with the key really held (its median in that level; at least two more)."""


def goal_play(
    network: nn.Module,
    pairs: Sequence[GoalPair],
    arms: Mapping[str, Intervention],
    *,
    repeats: int,
    max_steps: int,
    seed: int,
) -> dict[str, GoalPlay]:
    """The same in play, without controls. Per-frame arms are repeated for the episodes of their pair."""
    repeated = {
        name: Steer(
            one.hook_point,
            vector=np.repeat(one.vector.array, repeats, axis=0),
            strength=one.strength,
            per_frame=True,
        )
        if isinstance(one, Steer) and one.per_frame
        else one
        for name, one in arms.items()
    }
    starts, helds = ([pair[which] for pair in pairs for _ in range(repeats)] for which in (0, 1))
    gates = np.repeat([pair.gate for pair in pairs], repeats, axis=0)
    keys = np.repeat([pair.to_key[-1] for pair in pairs], repeats, axis=0)
    settings = {"seed": seed, "max_steps": max_steps, "controls": False}
    played = sweep_rollouts(network, starts, repeated, **settings)
    some = next(iter(repeated))
    # A sweep has at least one arm; of these levels the untouched network alone is asked for.
    held = sweep_rollouts(network, helds, {some: repeated[some]}, **settings).first_visits(gates)[UNTOUCHED]
    to_gate, to_key = played.first_visits(gates), played.first_visits(keys)
    to_gate[HELD], to_key[HELD] = held, np.full(len(held), -1)
    usual = _never_last(held).reshape(-1, repeats).astype(np.float64)
    limit = np.repeat(np.maximum(1.5 * np.median(usual, axis=1), np.median(usual, axis=1) + 2), repeats)
    found = {}
    for name in to_gate:
        gate, key = _never_last(to_gate[name]), _never_last(to_key[name])
        columns = [gate < key, key < gate, (gate < key) & (gate <= limit)]
        found[name] = GoalPlay(*(each.reshape(-1, repeats).mean(axis=1) for each in columns))
    return found


def _never_last(steps: np.ndarray) -> np.ndarray:
    return np.where(steps < 0, np.iinfo(np.int32).max, steps).astype(np.int64)


def _fit(lying: np.ndarray, held: np.ndarray, hook_point: str, seed: int) -> GoalProbe:
    n = len(lying)
    fitted = n - n // 4
    x = np.concatenate([lying[:fitted], held[:fitted]])
    classes = np.repeat([0, 1], fitted)
    rng = np.random.default_rng((seed, 31))
    probe = fit_logistic_best(x, classes, 2, Levels.of(np.tile(np.arange(fitted), 2)), rng)
    right = [
        probe.log_probabilities(each[fitted:]).argmax(axis=1) == label
        for label, each in enumerate((lying, held))
    ]
    direction = probe.coefficients[:, 1] - probe.coefficients[:, 0]
    direction = direction / np.linalg.norm(direction)
    difference = held[:fitted].mean(axis=0) - lying[:fitted].mean(axis=0)
    return GoalProbe(
        hook_point, probe, np.mean(right, axis=0), float(difference @ direction) * direction, difference
    )


def probe_scores(
    network: nn.Module, pairs: Sequence[GoalPair], probe: GoalProbe, edit: Intervention | None = None
) -> Float64[np.ndarray, " pair"]:
    """How often the probe is right about the two levels of each pair, with an edit made before it or without."""
    right = []
    for which in (0, 1):
        frames = frames_of_levels([pair[which] for pair in pairs]).frames
        if edit is None:
            read = capture(network, frames, [probe.hook_point], dtype="float32")
        else:
            with torch.inference_mode(), applied(network, edit):
                read = capture(network, frames, [probe.hook_point], dtype="float32")
        right.append(
            probe.probe.log_probabilities(read.activations[probe.hook_point]).argmax(axis=1) == which
        )
    return np.mean(right, axis=0)
