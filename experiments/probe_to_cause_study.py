"""What `probe-to-cause` measures at one hook point of one network: steering, erasing, and what comes of it.

Probes are fitted to some levels and tried on others. Each thing gives one number a frame and arm, the *effect*, on a
scale on which 0 is nothing and 1 is what would follow if the probe's claim were true (`room`):

- move: rise of the move's probability, mean over the moves that are not the best one; over the rise that a move has
  when it is the best one
- place, here: the thing is said to lie elsewhere: rise of the probability of the first move of the way there, where
  that is another move than the way to where it lies; over the same
- value: fall of the value between steps towards *nearer* and *farther*, over what as many standard deviations of the
  distance make in untouched frames (`follows`: the correlation of the two there)
- side: rise of the probability of the side, half the difference between the two steps; over one half

Erasing gives what is left of the best move's probability, or of the slope of the value (of the side's probability)
on what was erased.

Cost on a free core: 100 s for five hook points of a network at 256 frames, most of it at the first.

Axes: `frame` one a level, None where a frame does not count; `arm`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64

from procscope.envs.actions import Move, move_probabilities
from procscope.experiments.policy_probes_games import Drawn, Shown, shown
from procscope.experiments.policy_probes_study import Place, PlaceRead, network_of, read_place
from procscope.experiments.probe_to_cause_claims import Claims, claims_of
from procscope.experiments.probe_to_cause_handles import (
    CONTROLS,
    PROBE,
    WEIGHTS,
    Handle,
    Handles,
    fit_handles,
    rows_of,
)
from procscope.experiments.probe_to_cause_setup import CAUSES, Cause
from procscope.interventions.arms import run_arms
from procscope.interventions.intervention import Intervention
from procscope.interventions.steer import Steer
from procscope.probes.handles import on_map

FLIPPED = "flipped"
"""The control that is the probe's own step the other way."""


@dataclass(frozen=True)
class SteeredHook:
    """One hook point of one network: all that its results depend on."""

    model: str
    weights_hash: str
    hook_point: str
    fitted: Drawn
    tested: Drawn
    strengths: tuple[float, ...]
    told: float
    squares: int
    folds: int
    seed: int
    version: int = 1


class Read(NamedTuple):
    """What the network says of each frame under an arm."""

    moves: Float64[np.ndarray, "frame move"]
    """Probability of each move."""
    value: Float64[np.ndarray, " frame"]


class Tried(NamedTuple):
    """A network and frames on which arms are tried."""

    network: Any
    hook_point: str
    shape: tuple[int, ...]
    frames: np.ndarray
    untouched: Read

    def under(self, arms: Sequence[Intervention]) -> list[Read]:
        """What it says under each arm."""
        return _readings(self.network, self.frames, [(arm,) for arm in arms])


Along = Callable[[Sequence[np.ndarray], float], list[Read]]
"""What the network says after some steps, each as many times as the strength says."""


def measure_hook(steered: SteeredHook) -> dict[str, Any]:
    """A member's JSON, by what is steered along: `skill`, `room`, `follows`, `reading`, `effects`, `erased`."""
    trained, bare = (_place(steered, draw) for draw in (0, 1))
    fitted, tested = shown(steered.fitted), shown(steered.tested)
    read, untrained = read_place(trained, fitted.frames), read_place(bare, fitted.frames)
    network, found = network_of(trained), {}
    for cause in CAUSES[steered.fitted.game]:
        if cause.kind == "here" and read.positions is None:
            continue
        rows = rows_of(cause, tested.labels)
        try:
            handles = fit_handles(cause, read, untrained, fitted.labels, steered.folds, steered.seed)
        except ValueError as reason:
            found[cause.name] = {"undefined": str(reason)}
            continue
        frames = tested.frames[rows]
        untouched = _readings(network, frames, [()])[0]
        tried = Tried(network, steered.hook_point, read.shape, frames, untouched)
        found[cause.name] = _tried(steered, handles, read, tried, _some(tested, rows), len(found))
    return found


def _place(steered: SteeredHook, draw: int) -> Place:
    return Place(
        steered.model,
        steered.weights_hash,
        draw,
        steered.hook_point,
        steered.fitted,
        steered.squares,
        steered.folds,
        False,
        steered.seed,
    )


def _some(seen: Shown, rows: np.ndarray) -> Shown:
    free = None if seen.free is None else seen.free[rows]
    return Shown(seen.frames[rows], {name: column[rows] for name, column in seen.labels.items()}, free)


def _tried(
    steered: SteeredHook, handles: Handles, read: PlaceRead, tried: Tried, seen: Shown, number: int
) -> dict[str, Any]:
    """One thing: steered along at every strength, with controls, and erased."""
    cause = handles.cause
    rng = np.random.default_rng((steered.seed, number, 2))
    claims = claims_of(handles, read, seen, rng)

    def along(steps: Sequence[np.ndarray], strength: float) -> list[Read]:
        if cause.kind == "here":
            vectors = [claims.moved(step, tried.shape) for step in steps]
            arms = [Steer(tried.hook_point, vector=v, strength=strength, per_frame=True) for v in vectors]
        else:
            vectors = [on_map(handles.reading, step, tried.shape) for step in steps]
            arms = [Steer(tried.hook_point, vector=vector, strength=strength) for vector in vectors]
        return tried.under(arms)

    effect_of = {"move": _moves, "place": _places, "here": _places, "value": _values, "side": _sides}[
        cause.kind
    ]
    effects: dict[str, dict[str, list[float | None]]] = {}
    for strength in steered.strengths:
        kinds = [PROBE, *CONTROLS, *((WEIGHTS,) if strength == steered.told else ())]
        by_kind = {
            kind: effect_of(handles.each, kind, along, strength, tried.untouched, claims) for kind in kinds
        }
        if strength == steered.told and cause.kind in ("move", "place", "here"):
            by_kind[FLIPPED] = effect_of(handles.each, PROBE, along, -strength, tried.untouched, claims)
        effects[f"{strength:g}"] = {kind: _listed(values) for kind, values in by_kind.items()}
    return {
        "skill": [one.to_json() for one in handles.skill.parts],
        "room": _room(cause, tried.untouched, claims),
        "follows": _follows(cause, tried.untouched, claims),
        "reading": [one.moves_reading for one in handles.each],
        "effects": effects,
        "erased": _erased(handles, tried, claims, rng),
    }


def _moves(
    each: Sequence[Handle], kind: str, along: Along, strength: float, untouched: Read, claims: Claims
) -> np.ndarray:
    """Rise of each move's probability under its own step, mean over the moves that are not the best one."""
    reads = along([one.steps[kind] for one in each], strength)
    rises = np.stack(
        [
            np.where(
                claims.best == int(one.name),
                np.nan,
                read.moves[:, int(one.name)] - untouched.moves[:, int(one.name)],
            )
            for one, read in zip(each, reads, strict=True)
        ]
    )
    return _mean_where_claimed(rises)


def _places(
    each: Sequence[Handle], kind: str, along: Along, strength: float, untouched: Read, claims: Claims
) -> np.ndarray:
    """Rise of the probability of the first move to where the thing is said to lie, mean over the claims."""
    steps, moves = claims.steps_and_moves(each, kind, abs(strength))
    reads, at = along(steps, strength), np.arange(len(claims.best))
    rises = np.stack(
        [
            np.where(
                (move == claims.best) | (move == Move.STAY),
                np.nan,
                read.moves[at, move] - untouched.moves[at, move],
            )
            for move, read in zip(moves, reads, strict=True)
        ]
    )
    return _mean_where_claimed(rises)


def _mean_where_claimed(rises: Float64[np.ndarray, "claim frame"]) -> Float64[np.ndarray, " frame"]:
    counted = np.isfinite(rises).sum(axis=0)
    return np.where(counted > 0, np.nansum(rises, axis=0) / np.maximum(counted, 1), np.nan)


def _values(
    each: Sequence[Handle], kind: str, along: Along, strength: float, untouched: Read, claims: Claims
) -> np.ndarray:
    """Fall of the value from nearer to farther, per standard deviation of the distance."""
    step = each[0].steps[kind]
    farther, nearer = along([step, -step], strength)
    return (nearer.value - farther.value) / (2 * strength)


def _sides(
    each: Sequence[Handle], kind: str, along: Along, strength: float, untouched: Read, claims: Claims
) -> np.ndarray:
    """Rise of the probability of going right from the step to the left to the step to the right, halved."""
    right = next(one for one in each if one.name == "1").steps[kind]
    there, away = along([right, -right], strength)
    return (there.moves[:, Move.RIGHT] - away.moves[:, Move.RIGHT]) / 2


def _room(cause: Cause, untouched: Read, claims: Claims) -> float:
    """What the effect would be if the claim were true."""
    at = np.arange(len(claims.best))
    if cause.kind in ("move", "place", "here"):
        best = untouched.moves[at, claims.best]
        others = (untouched.moves[:, [Move.LEFT, Move.DOWN, Move.UP, Move.RIGHT]].sum(axis=1) - best) / 3
        return float((best - others).mean())
    if cause.kind == "side":
        return 0.5
    return -_follows(cause, untouched, claims) * float(untouched.value.std())


def _follows(cause: Cause, untouched: Read, claims: Claims) -> float:
    """How far what depends on the target follows it in untouched frames: their correlation; 1 where none is asked."""
    if cause.kind not in ("value", "side"):
        return 1.0
    outcome = untouched.value if cause.kind == "value" else untouched.moves[:, Move.RIGHT]
    return float(np.corrcoef(claims.target, outcome)[0, 1])


def _erased(handles: Handles, tried: Tried, claims: Claims, rng: np.random.Generator) -> dict[str, Any]:
    """By eraser and untouched: the best move's probability, or (for slopes) what depends on the target; and that."""
    erasers = handles.erasers(tried.hook_point, tried.shape, rng)
    reads = {"untouched": tried.untouched}
    reads |= dict(zip(erasers, tried.under(list(erasers.values())), strict=True))
    kind, at = handles.cause.kind, np.arange(len(claims.best))
    if kind in ("move", "place", "here"):
        return {"outcome": {name: _listed(read.moves[at, claims.best]) for name, read in reads.items()}}
    outcome = {
        name: _listed(read.value if kind == "value" else read.moves[:, Move.RIGHT])
        for name, read in reads.items()
    }
    return {"outcome": outcome, "target": _listed(claims.target)}


def _readings(network: Any, frames: np.ndarray, arms: list[tuple[Intervention, ...]]) -> list[Read]:
    parts = list(run_arms(network, frames, arms))
    logits, value = ([getattr(part, name) for part in parts] for name in ("logits", "value"))
    if any(one is None for one in (*logits, *value)):
        raise ValueError(
            "expected a policy with logits of the raw actions and a value; this network lacks one"
        )
    moves = move_probabilities(np.concatenate(logits, axis=1).astype(np.float64))
    return [Read(*each) for each in zip(moves, np.concatenate(value, axis=1).astype(np.float64), strict=True)]


def _listed(values: np.ndarray) -> list[float | None]:
    return [round(one, 5) if np.isfinite(one) else None for one in np.asarray(values, float).tolist()]
