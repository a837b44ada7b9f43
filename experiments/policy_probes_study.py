"""What `policy-probes` measures at one place of one network: every probe's held-out sums, level by level, as JSON.

A *place* is a hook point of a trained or an untrained network, or the picture itself. Numbers and classes are read from
means over squares of the map, places of things from every position of the map averaged to 8 x 8, so that all layers
have as many places to choose from; a hidden vector is read as it is and has no positions.

Cost on a free core: 10 to 20 s a place at 3,000 frames, a minute more where a place is looked at more closely.

Axes: `frame` one a level, in the order of their seeds; `dimension` what is read of one.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int
from torch import nn

from procscope.activations.acting import policy_logits
from procscope.activations.capture import capture
from procscope.envs.actions import greedy_moves
from procscope.envs.labels import Columns
from procscope.experiments.heist_networks import map_center
from procscope.experiments.policy_probes_games import GAMES, Asked, Drawn, Shown, shown
from procscope.probes.control import control_task, types_of
from procscope.probes.expression_values import evaluate
from procscope.probes.expressions import parse
from procscope.probes.features import ArrayFeatures, small_pictures
from procscope.probes.least_squares import least_squares
from procscope.probes.levels import Levels, folds
from procscope.probes.lookup import lookup_score
from procscope.probes.positions import averaged_center, locate, position_codes
from procscope.probes.reading import Reading
from procscope.probes.settings import ProbeSettings
from procscope.probes.study import study
from procscope.probes.targets import Target, TargetData
from procscope.probes.untrained import untrained_like
from procscope.workbench.checkpoints import load_network

PIXELS = "pixels"
"""The place that is the picture itself."""
POSITIONS = 8
"""Rows and columns from which "is it here" is read."""
_AT_ONCE = 256


@dataclass(frozen=True)
class Place:
    """One place of one network: all that its results depend on."""

    model: str
    weights_hash: str
    draw: int
    """0 for the trained network, from 1 on for untrained ones."""
    hook_point: str
    drawn: Drawn
    squares: int
    folds: int
    closer: bool
    """Whether it is looked at with other probes, in place of the linear ones."""
    seed: int
    version: int = 2


class PlaceRead(NamedTuple):
    """What probes read of all frames at one place."""

    reading: Reading
    shape: tuple[int, ...]
    """Of the activation of one frame."""
    squares: Float32[np.ndarray, "frame dimension"]
    positions: Float32[np.ndarray, "sample channel"] | None
    """At each of 8 x 8 positions; None for a vector."""
    center: float
    """Where such a position looks in its square of the picture."""


class Answers(NamedTuple):
    """What is asked on some frames."""

    rows: Int[np.ndarray, " row"]
    asked: tuple[Asked, ...]
    targets: dict[str, tuple[Target, ...]]
    """Of numbers and classes, by name: a target for each part."""
    codes: dict[str, tuple[np.ndarray, np.ndarray]]
    """Of things in places, by name: their pixels, row and column."""


def measure_place(place: Place) -> dict[str, Any]:
    """A member's JSON, by what is asked: the score and the control's of each part.

    Of a closer look: scores of `logistic` and `mlp` probes, and description lengths.
    """
    seen = shown(place.drawn)
    read = _pictures(seen) if place.hook_point == PIXELS else read_place(place, seen.frames)
    found: dict[str, Any] = {}
    for number, answers in enumerate(answers_of(place.drawn)):
        levels = Levels(np.arange(len(answers.rows)), len(answers.rows))
        if place.closer:
            found |= _closer(read, answers, levels, place)
            continue
        fold = folds(levels, place.folds, np.random.default_rng((place.seed, number)))
        types = types_of([seen.labels[name][answers.rows] for name in GAMES[place.drawn.game].types])
        rng = np.random.default_rng((place.seed, number, 1))
        found |= _read(read, answers, levels, fold, types, rng)
        found |= _located(read, answers, levels, fold, types, rng)
    return found


def measure_tables(drawn: Drawn, n_folds: int, seed: int) -> dict[str, Any]:
    """By what is asked, and by the labels that a table is made of: the table's score, on the folds of the probes."""
    labels, found = shown(drawn).labels, {}
    for number, answers in enumerate(answers_of(drawn)):
        levels = Levels(np.arange(len(answers.rows)), len(answers.rows))
        fold = folds(levels, n_folds, np.random.default_rng((seed, number)))
        for one in answers.asked:
            for known in one.known:
                types = types_of([labels[name][answers.rows] for name in known])
                scores = [lookup_score(types, target, levels, fold) for target in answers.targets[one.name]]
                found.setdefault(one.name, {})[" ".join(known)] = [score.to_json() for score in scores]
    return found


def measure_choices(model: str, drawn: Drawn) -> dict[str, list[int]]:
    """What the network would do in every frame, as `Move`, and the best moves."""
    seen = shown(drawn)
    found = {"move": greedy_moves(policy_logits(load_network(model).network, seen.frames)).tolist()}
    for name in ("best_move", "best_move_to_corner"):
        if name in seen.labels:
            found[name] = seen.labels[name].tolist()
    return found


def network_of(place: Place) -> nn.Module:
    """The trained network or one like it. Raises ValueError: the weights are not those that the place names."""
    loaded = load_network(place.model)
    if loaded.weights_hash != place.weights_hash:
        raise ValueError(
            f"{place.model} has the weights {loaded.weights_hash[:16]}, the study is about {place.weights_hash[:16]}. "
            "Start it anew with the network as it is now"
        )
    return untrained_like(loaded, place.seed * 1000 + place.draw) if place.draw else loaded.network


def read_place(place: Place, frames: np.ndarray) -> PlaceRead:
    """Run the network and keep what probes read. Raises ValueError: maps that have no such squares."""
    network = network_of(place)
    parts, positions = [], []
    shape: tuple[int, ...] = ()
    reading = Reading("flat")
    for start in range(0, len(frames), _AT_ONCE):
        part = frames[start : start + _AT_ONCE]
        x = capture(network, part, [place.hook_point], dtype="float32").activations[place.hook_point]
        shape = x.shape[1:]
        reading = Reading.of(f"{place.squares}x{place.squares}" if len(shape) > 1 else "flat")
        parts.append(reading.apply(x))
        if len(shape) > 1 and shape[1] % POSITIONS == 0:
            small = Reading.of(f"{POSITIONS}x{POSITIONS}").apply(x)
            channels_last = small.reshape(len(x), shape[0], -1).transpose(0, 2, 1)
            positions.append(channels_last.reshape(-1, shape[0]))
    width = shape[-1] if shape else 1
    center = averaged_center(map_center(network, width), width // POSITIONS) if positions else 0.5
    return PlaceRead(
        reading, shape, np.concatenate(parts), np.concatenate(positions) if positions else None, center
    )


def _pictures(seen: Shown) -> PlaceRead:
    small = small_pictures(seen.frames)
    by_position = small.reshape(len(small), 3, POSITIONS, -1, POSITIONS, 16 // POSITIONS)
    patches = by_position.transpose(0, 2, 4, 1, 3, 5).reshape(len(small) * POSITIONS**2, -1)
    flat = small.reshape(len(small), -1)
    return PlaceRead(Reading("flat"), flat.shape[1:], flat, np.ascontiguousarray(patches), 0.5)


@lru_cache(maxsize=2)
def answers_of(drawn: Drawn) -> tuple[Answers, ...]:
    """What is asked of these frames, together on which frames. What does not vary on them is left out."""
    seen = shown(drawn)
    groups: dict[str, list[Asked]] = {}
    for one in GAMES[drawn.game].asked:
        groups.setdefault(one.only_where, []).append(one)
    found = []
    for only_where, asked in groups.items():
        rows = np.flatnonzero(_counts(only_where, seen.labels, drawn.frames))
        targets, codes, kept = {}, {}, []
        for one in asked:
            values = [_values(text, seen.labels)[rows] for text in one.parts]
            if any(len(np.unique(each)) < 2 for each in values):
                continue
            kept.append(one)
            if one.kind == "place":
                codes[one.name] = (np.clip(values[0], 0, 63), np.clip(values[1], 0, 63))
            else:
                targets[one.name] = tuple(
                    _target(one, f"{one.name}: {text}", each)
                    for text, each in zip(one.parts, values, strict=True)
                )
        if kept:
            found.append(Answers(rows, tuple(kept), targets, codes))
    return tuple(found)


def _counts(only_where: str, labels: Columns, frames: int) -> Bool[np.ndarray, " frame"]:
    return _values(only_where, labels).astype(bool) if only_where else np.ones(frames, bool)


def _values(text: str, labels: Columns) -> np.ndarray:
    return np.asarray(evaluate(parse(text), dict(labels), None))


def _target(one: Asked, name: str, values: np.ndarray) -> Target:
    if one.kind == "number":
        return Target(name, values.astype(np.float64))
    classes, codes = np.unique(values, return_inverse=True)
    return Target(name, codes.astype(np.int64).reshape(-1), tuple(map(str, classes.tolist())))


def _read(
    read: PlaceRead,
    answers: Answers,
    levels: Levels,
    fold: np.ndarray,
    types: np.ndarray,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Numbers and classes, with control tasks."""
    targets = [one for parts in answers.targets.values() for one in parts]
    if not targets:
        return {}
    controls = {one.name: control_task(one, types, rng) for one in targets}
    features = ArrayFeatures(read.squares[answers.rows])
    scores = least_squares(features, [*targets, *controls.values()], levels, fold).scores
    return {
        name: {
            "score": [scores[one.name].to_json() for one in parts],
            "control": [scores[controls[one.name].name].to_json() for one in parts],
        }
        for name, parts in answers.targets.items()
    }


def _located(
    read: PlaceRead,
    answers: Answers,
    levels: Levels,
    fold: np.ndarray,
    types: np.ndarray,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Places of things, position by position; of a control task, places that were dealt to types of frames."""
    if read.positions is None or not answers.codes:
        return {}
    size = (POSITIONS, POSITIONS)
    codes, controls = {}, {}
    for name, (row, col) in answers.codes.items():
        codes[name] = position_codes(row, col, size, read.center)
        dealt = codes[name][rng.integers(len(levels.of_frame), size=int(types.max()) + 1)]
        controls[f"control of {name}"] = dealt[types]
    samples = read.positions.reshape(-1, POSITIONS**2, read.positions.shape[1])[answers.rows]
    features = ArrayFeatures(
        samples.reshape(-1, samples.shape[-1]), samples_per_frame=POSITIONS**2, shape=samples.shape[-1:]
    )
    scores = locate(features, {**codes, **controls}, size, levels, fold).scores
    return {
        name: {"score": [scores[name].to_json()], "control": [scores[f"control of {name}"].to_json()]}
        for name in codes
    }


def _closer(read: PlaceRead, answers: Answers, levels: Levels, place: Place) -> dict[str, Any]:
    """Multinomial and small-network probes, and description lengths, of what the game asks it of."""
    targets = {
        name: parts[0]
        for name, parts in answers.targets.items()
        if next(one for one in answers.asked if one.name == name).closer
    }
    if not targets:
        return {}
    settings = ProbeSettings(also=("mlp", "description"), alphas=(1.0, 100.0, 1e4), folds=place.folds)
    data = TargetData(tuple(targets.values()), answers.rows, levels, ())
    probed = study(ArrayFeatures(read.squares[answers.rows]), data, None, settings, place.seed)
    found: dict[str, Any] = {name: {} for name in targets}
    for name, target in targets.items():
        for one in probed.findings:
            if one.target == target.name and one.probe in ("logistic", "mlp"):
                found[name][one.probe] = [one.score.to_json()]
        bits = probed.descriptions[target.name]
        found[name]["saved_bits"] = bits.saved_bits_per_sample
        found[name]["guess_bits"] = bits.guess_bits_per_sample if target.is_class else None
    return found
