"""The handles of `probe-to-cause`: directions of probes fitted at one place, their controls, and erasers.

Every direction is a step of one natural standard deviation of what is read along the probe's pattern (how activations
differ when the target does); controls have its length:

    random      a random direction of what is read
    untrained   the same probe's of an untrained network at the same hook point
    shuffled    a probe's of the same activations for answers dealt to other frames

Beside the pattern stand the *weights*, which the probe reads with, at the same length: far more than the activations
ever vary along them, mostly.

Of "is it here" the spread is that of a sample half of which is positions where it is, since nearly all are not.

Axes: `dimension` what is read of a frame; `class` or part of what is asked.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from procscope.envs.labels import Columns
from procscope.experiments.policy_probes_study import POSITIONS, PlaceRead
from procscope.experiments.probe_to_cause_setup import Cause
from procscope.interventions.concept_erasure import ConceptStatistics
from procscope.interventions.erase import Erase
from procscope.probes.direction import concept_of, linear_probe
from procscope.probes.expression_values import evaluate
from procscope.probes.expressions import parse
from procscope.probes.features import ArrayFeatures
from procscope.probes.handles import covariance_of, eraser, natural_step, random_step, same_length
from procscope.probes.least_squares import LeastSquares, least_squares
from procscope.probes.levels import Levels, folds
from procscope.probes.positions import locate, position_codes
from procscope.probes.reading import Reading
from procscope.probes.skill import Skill
from procscope.probes.targets import Target

PROBE, WEIGHTS = "probe", "weights"
RANDOM, UNTRAINED, SHUFFLED = "random", "untrained", "shuffled"
CONTROLS = (RANDOM, UNTRAINED, SHUFFLED)


class Handle(NamedTuple):
    """Steps of one class or part of what is asked."""

    name: str
    """Of a class, the class; else the part's expression."""
    steps: dict[str, Float64[np.ndarray, " dimension"]]
    """By `PROBE`, `WEIGHTS` or control."""
    moves_reading: float
    """By how much the probe reads more after its step, in the target's unit."""
    spread: float
    """Standard deviation of the target."""


class Handles(NamedTuple):
    """All that is needed to steer and to erase one thing at one place."""

    cause: Cause
    reading: Reading
    skill: Skill
    """Of the probe, on levels left out."""
    each: tuple[Handle, ...]
    statistics: dict[str, ConceptStatistics]
    """For erasers, by `PROBE` and `SHUFFLED`."""

    def erasers(self, hook_point: str, shape: tuple[int, ...], rng: np.random.Generator) -> dict[str, Erase]:
        """Concept erasure, the same for shuffled answers, and as many random directions of what is read."""
        found = {
            kind: eraser(hook_point, self.reading, statistics, shape)
            for kind, statistics in self.statistics.items()
        }
        known = self.statistics[PROBE]
        directions = rng.normal(size=(len(known.mean), found[PROBE].rank))
        drawn = replace(known, covariance=np.eye(len(known.mean)), cross_covariance=directions)
        return {**found, RANDOM: eraser(hook_point, self.reading, drawn, shape)}


def rows_of(cause: Cause, labels: Columns) -> np.ndarray:
    """The frames that count."""
    n = len(next(iter(labels.values())))
    return np.flatnonzero(values_of(cause.only_where, labels)) if cause.only_where else np.arange(n)


def values_of(text: str, labels: Columns) -> np.ndarray:
    """An expression of the labels."""
    return np.asarray(evaluate(parse(text), dict(labels), None))


def fit_handles(
    cause: Cause, read: PlaceRead, untrained: PlaceRead, labels: Columns, n_folds: int, seed: int
) -> Handles:
    """Fit the probe, the untrained network's and one for shuffled answers.

    Raises ValueError: fewer frames than folds, a target that does not vary.
    """
    rows = rows_of(cause, labels)
    rng = np.random.default_rng((seed, len(rows)))
    levels = Levels(np.arange(len(rows)), len(rows))
    fold = folds(levels, n_folds, rng)
    order = rng.permutation(len(rows))
    values = [values_of(text, labels)[rows] for text in cause.parts]
    fit = _located if cause.kind == "here" else _read
    return fit(cause, read, untrained, values, rows, levels, fold, order, rng)


def _read(
    cause: Cause,
    read: PlaceRead,
    untrained: PlaceRead,
    values: Sequence[np.ndarray],
    rows: np.ndarray,
    levels: Levels,
    fold: np.ndarray,
    order: np.ndarray,
    rng: np.random.Generator,
) -> Handles:
    targets = [_target(cause, text, each) for text, each in zip(cause.parts, values, strict=True)]
    dealt = [replace(one, name=f"{one.name}, shuffled", values=one.values[order]) for one in targets]
    own = least_squares(ArrayFeatures(read.squares[rows]), [*targets, *dealt], levels, fold)
    other = least_squares(ArrayFeatures(untrained.squares[rows]), targets, levels, fold)
    spread = covariance_of(own.fit.moments.total())
    handles = []
    for target, shuffled in zip(targets, dealt, strict=True):
        for number, name in enumerate(target.classes or (target.name,)):
            spread_of_target = float(target.columns[:, number].std())
            at = {
                PROBE: (own, own.columns[target.name].start + number),
                UNTRAINED: (other, other.columns[target.name].start + number),
                SHUFFLED: (own, own.columns[shuffled.name].start + number),
            }
            handles.append(
                _handle(name, at, lambda pattern: natural_step(pattern, spread), spread_of_target, rng)
            )
    sums = own.fit.moments.total()
    columns = {
        kind: [c for one in each for c in range(own.columns[one.name].start, own.columns[one.name].stop)]
        for kind, each in ((PROBE, targets), (SHUFFLED, dealt))
    }
    return Handles(
        cause,
        read.reading,
        Skill(tuple(own.scores[one.name] for one in targets)),
        tuple(handles),
        {kind: concept_of(sums, each) for kind, each in columns.items()},
    )


def _located(
    cause: Cause,
    read: PlaceRead,
    untrained: PlaceRead,
    values: Sequence[np.ndarray],
    rows: np.ndarray,
    levels: Levels,
    fold: np.ndarray,
    order: np.ndarray,
    rng: np.random.Generator,
) -> Handles:
    size, n = (POSITIONS, POSITIONS), POSITIONS**2
    codes = position_codes(values[0], values[1], size, read.center)
    samples, bare = (_samples(one, rows) for one in (read, untrained))
    both = {cause.name: codes, SHUFFLED: codes[order]}
    own, other = (
        locate(ArrayFeatures(one, samples_per_frame=n), asked, size, levels, fold)
        for one, asked in ((samples, both), (bare, {cause.name: codes}))
    )
    here = (codes[:, None] == np.arange(n)).reshape(-1)
    inside, outside = samples[here].astype(np.float64), samples[~here].astype(np.float64)
    gap = inside.mean(axis=0) - outside.mean(axis=0)
    spread = (np.cov(inside.T, bias=True) + np.cov(outside.T, bias=True)) / 2 + np.outer(gap, gap) / 4
    at = {PROBE: (own, 0), UNTRAINED: (other, 0), SHUFFLED: (own, 1)}
    handle = _handle(cause.name, at, lambda pattern: natural_step(pattern, spread), 1.0, rng)
    sums = own.fit.moments.total()
    return Handles(
        cause,
        Reading("each-position"),
        Skill((own.scores[cause.name],)),
        (handle,),
        {PROBE: concept_of(sums, [0]), SHUFFLED: concept_of(sums, [1])},
    )


def _samples(read: PlaceRead, rows: np.ndarray) -> np.ndarray:
    assert read.positions is not None, "vectors have no positions"
    by_frame = read.positions.reshape(-1, POSITIONS**2, read.positions.shape[1])
    return by_frame[rows].reshape(-1, by_frame.shape[2])


def _handle(
    name: str,
    at: dict[str, tuple[LeastSquares, int]],
    step_of: Callable[[np.ndarray], np.ndarray],
    spread: float,
    rng: np.random.Generator,
) -> Handle:
    probes = {
        kind: linear_probe(
            found.fit, column, target=name, hook_point="", read="flat", shape=(found.fit.moments.dimensions,)
        )
        for kind, (found, column) in at.items()
    }
    step = step_of(probes[PROBE].pattern)
    weights = same_length(probes[PROBE].weights, step)
    steps = {PROBE: step, WEIGHTS: weights, RANDOM: random_step(step, rng)}
    steps |= {kind: same_length(probes[kind].pattern, step) for kind in (UNTRAINED, SHUFFLED)}
    return Handle(name, steps, float(probes[PROBE].weights @ step), spread)


def _target(cause: Cause, text: str, values: np.ndarray) -> Target:
    if cause.kind not in ("move", "side"):
        return Target(text, values.astype(np.float64))
    classes, codes = np.unique(values.astype(int), return_inverse=True)
    return Target(text, codes.astype(np.int64).reshape(-1), tuple(map(str, classes.tolist())))
