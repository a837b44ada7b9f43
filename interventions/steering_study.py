"""What a maze policy does with the cheese vector, the top-right vector and their controls added at one hook point.

When to use: as a member of a sweep over hook points (`maze-steering`): everything that depends on one network and one
hook point, as plain data that can be kept. Three readouts, on the same mazes:

- *choices*: the mouse on the decision square, where the ways to the cheese and to the corner part: does its most
  probable move take the one or the other, and how far are its moves from those in the same maze without the cheese?
- *play*: from the start, does it come to the cheese, and to the corner?
- *fields*: how far the arrows of all free cells turn, and how far they are from those without the cheese.

Arms: each vector at each strength; beside it, in every level, noise of equal norm at each position and the vector of
another maze (the next in the list): alike in everything but the place of things. In play and in fields the controls
stand beside the claimed strengths alone.

Source: Turner, MacDiarmid et al. 2023 (arXiv:2310.08043); controls and statistics are ours.
Cost: per maze and hook point, some 25 passes of the later layers for a choice, and as many again for every cell that an
episode comes to.

Axes: `level` the mazes, in order; `cell` free ones.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
from jaxtyping import Float32
from torch import nn

from procscope.activations.acting import policy_logits
from procscope.envs.actions import greedy_moves
from procscope.envs.level_frames import frames_of_levels
from procscope.envs.maze import MazeLevel
from procscope.interventions.array_value import ArrayValue
from procscope.interventions.effects import action_kl
from procscope.interventions.frame_sweep import sweep_frames
from procscope.interventions.named_arms import UNTOUCHED
from procscope.interventions.paired_play import PlayedMazes
from procscope.interventions.steer import Steer, noise_like
from procscope.interventions.steering_vectors import cheese_vectors, top_right_vectors
from procscope.interventions.sweep import sweep_rollouts
from procscope.interventions.vector_field import maze_fields
from procscope.workbench.checkpoints import load_network

VECTORS = ("cheese", "top-right")
CONTROLS = ("noise", "other maze")
REMOVED = "removed"
"""The untouched network on the same maze without its cheese."""
_AT_ONCE = 50
"""Levels whose vectors are held at once: a map of the first block takes 260 kB."""

Vectors = Mapping[tuple[str, str], Float32[np.ndarray, "level channel *position"]]
"""By vector and "own" or control."""


@dataclass(frozen=True)
class SteeredPlace:
    """One network and hook point: all that the results depend on."""

    model: str
    weights_hash: str
    hook_point: str
    mazes: PlayedMazes
    strengths: tuple[float, ...]
    claimed: Mapping[str, float]
    """By vector, the strength that has controls in play and in fields."""
    played: int
    """The first so many mazes are played; 0 for none."""
    fields: int
    """Of the first so many, fields are made."""
    seed: int
    version: int = 1
    """Of this computation; raised when it changes."""


def arm_name(vector: str, strength: float | int, control: str = "own") -> str:
    """What an arm is called: "cheese -1", "cheese -1: noise"."""
    return f"{vector} {strength:+g}" + ("" if control == "own" else f": {control}")


def study_place(place: SteeredPlace) -> dict[str, Any]:
    """The three readouts, by arm, as JSON data.

    `choices`: `cheese` and `corner`, whether the way there is taken (0 or 1, a level each), and `to_removed`, the
    divergence in nats of the moves without the cheese from the arm's. `play`: `cheese` and `corner`, whether the mouse
    came there. `fields`: `change` and `to_removed`, the mean length of the difference from the untouched field, and
    from that without the cheese.

    Raises ValueError: the network's weights are not those that the place names, or it has no such hook point.
    """
    loaded = load_network(place.model)
    if loaded.weights_hash != place.weights_hash:
        raise ValueError(
            f"{place.model} has the weights {loaded.weights_hash[:16]}, the study is about {place.weights_hash[:16]}. "
            "Start it anew with the network as it is now"
        )
    levels = maze_levels(place.mazes)
    found: dict[str, Any] = {"choices": {}, "play": {}, "fields": {}}
    for start in range(0, len(levels), _AT_ONCE):
        part = levels[start : start + _AT_ONCE]
        vectors = _vectors(loaded.network, place, part, start)
        _extend(found["choices"], _choices(loaded.network, place, part, vectors))
        if played := part[: max(0, place.played - start)]:
            _extend(found["play"], _play(loaded.network, place, played, vectors))
        if drawn := part[: max(0, place.fields - start)]:
            _extend(found["fields"], _fields(loaded.network, place, drawn, vectors))
    return found


@cache
def maze_levels(mazes: PlayedMazes) -> list[MazeLevel]:
    """The mazes as levels."""
    return [MazeLevel.from_state(state) for state in mazes.states()]


def _vectors(network: nn.Module, place: SteeredPlace, levels: list[MazeLevel], start: int) -> Vectors:
    own = {
        "cheese": cheese_vectors(network, levels, [place.hook_point])[place.hook_point],
        "top-right": top_right_vectors(network, levels, [place.hook_point])[place.hook_point],
    }
    vectors: dict[tuple[str, str], np.ndarray] = {}
    for number, (name, array) in enumerate(own.items()):
        rng = np.random.default_rng((place.seed, start, number))
        vectors[name, "own"] = array
        vectors[name, "noise"] = noise_like(array, rng, channel_axis=1)
        vectors[name, "other maze"] = np.roll(array, -1, axis=0)
    return vectors


def _choices(
    network: nn.Module, place: SteeredPlace, levels: list[MazeLevel], vectors: Vectors
) -> dict[str, dict[str, list]]:
    parting = [level.with_mouse(*_decision_square(level)) for level in levels]
    shown = frames_of_levels(parting)
    removed = policy_logits(network, frames_of_levels([level.without_cheese() for level in parting]).frames)
    arms = {
        arm_name(vector, strength, control): Steer(
            place.hook_point, vector=vectors[vector, control], strength=strength, per_frame=True
        )
        for vector in VECTORS
        for strength in place.strengths
        for control in ("own", *CONTROLS)
    }
    logits = {**sweep_frames(network, shown.frames, arms, controls=False).logits, REMOVED: removed}
    found = {}
    for name, each in logits.items():
        moves = greedy_moves(each)
        found[name] = {
            "cheese": (moves == shown.labels["best_move"]).astype(int).tolist(),
            "corner": (moves == shown.labels["best_move_to_corner"]).astype(int).tolist(),
            "to_removed": action_kl(removed, each[None])[0].round(5).tolist(),
        }
    return found


def _play(
    network: nn.Module, place: SteeredPlace, levels: list[MazeLevel], vectors: Vectors
) -> dict[str, dict[str, list]]:
    arms = {
        name: partial(_of_level, place.hook_point, _by_level(vectors[key], len(levels)), strength)
        for name, key, strength in _arms_with_controls(place)
    }
    swept = sweep_rollouts(
        network, levels, arms, seed=place.seed, max_steps=place.mazes.max_steps, controls=False
    )
    corner = np.array([level.corner for level in levels])
    came = swept.first_visits(corner)
    return {
        name: {
            "cheese": swept.of(name).astype(int).tolist(),
            "corner": (came[name] >= 0).astype(int).tolist(),
        }
        for name in swept.paths
    }


def _fields(
    network: nn.Module, place: SteeredPlace, levels: list[MazeLevel], vectors: Vectors
) -> dict[str, dict[str, list]]:
    found: dict[str, dict[str, list]] = {}
    for number, level in enumerate(levels):
        fields = maze_fields(network, level, field_arms(place, vectors, number))
        without = maze_fields(network, level.without_cheese())[UNTOUCHED]
        of_level = {
            name: {
                "change": [round(field.minus(fields[UNTOUCHED]).mean_length, 5)],
                "to_removed": [round(field.minus(without).mean_length, 5)],
            }
            for name, field in {**fields, REMOVED: without}.items()
        }
        _extend(found, of_level)
    return found


def field_arms(place: SteeredPlace, vectors: Vectors, level: int) -> dict[str, Steer]:
    """The arms of a level's fields: each vector at its claimed strength, and its controls."""
    return {
        name: Steer(place.hook_point, vector=vectors[key][level], strength=strength)
        for name, key, strength in _arms_with_controls(place)
        if strength == place.claimed[key[0]]
    }


def field_vectors(network: nn.Module, place: SteeredPlace, level: MazeLevel) -> Vectors:
    """The vectors of a single level; the other maze's is its own."""
    return _vectors(network, place, [level], 0)


def _arms_with_controls(place: SteeredPlace) -> Iterator[tuple[str, tuple[str, str], float]]:
    """Name, key of the vectors and strength of each arm in which controls stand beside the claimed strengths."""
    for vector in VECTORS:
        for strength in place.strengths:
            controls = CONTROLS if strength == place.claimed[vector] else ()
            for control in ("own", *controls):
                yield arm_name(vector, strength, control), (vector, control), strength


def _by_level(array: np.ndarray, count: int) -> list[ArrayValue]:
    return [ArrayValue.of(one) for one in array[:count]]


def _of_level(hook_point: str, vectors: list[ArrayValue], strength: float, level: int) -> Steer:
    return Steer(hook_point, vector=vectors[level], strength=strength)


def _decision_square(level: MazeLevel) -> tuple[int, int]:
    square = level.decision_square()
    assert square is not None, "the mazes were chosen to have one"
    return square


def _extend(kept: dict[str, dict[str, list]], new: Mapping[str, Mapping[str, list]]) -> None:
    for arm, columns in new.items():
        for column, values in columns.items():
            kept.setdefault(arm, {}).setdefault(column, []).extend(values)
