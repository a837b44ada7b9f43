"""Does a unit of a map follow a thing that is moved? Predictiveness, equivariance and overlap, unit by unit.

When to use: on the maps of a sweep (`procscope.envs.heist.sweeps`): one thing in many places, the agent in several.

    scores = track(maps, places)              # maps [place, agent, unit, row, col], places [place, rowcol]
    scores.equivariance[12], scores.predictiveness[12], scores.overlap[12]
    track(change(maps), places)               # the same of what the thing's place changes

Each map is taken as a mass over positions, and its *centroid* is where the mass is on average: of the map's positive
part, as in the source, or of `change`, the difference from the mean over all places (in size), in which walls and all
else that stays cancel.

- *equivariance*: cosine between the thing's displacement and the centroid's, from each place to the next (and from the
  last to the first), averaged over steps and agents. A step in which the centroid does not move counts as 0: a unit
  that stays where it is does not follow. `pearson` beside it: mean of the correlations in rows and in columns.
- *predictiveness*: R² of the thing's position from the centroid, by a linear fit that is judged on places left out.
- *overlap*: intersection over union of the positions within 1 of the thing's and those where the map, scaled to 0..1,
  is above a half.

Source: notes on a Heist agent (S4), "Identifying channels to modify", which name the measures; formulas of pearson and
overlap from its public code. The judging on places left out and `change` are ours.
Cost: some passes over the maps.

Axes: `place` of the thing, `agent` its places, `unit` channel or latent, `row col` of the map, from the top left.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

_STILL = 1e-6
"""Positions by which a centroid moves, up to which it does not."""


class TrackingScores(NamedTuple):
    """How well each unit follows the thing."""

    predictiveness: Float64[np.ndarray, " unit"]
    """R² on places left out: 1 at best; below 0 where guessing the mean does better."""
    equivariance: Float64[np.ndarray, " unit"]
    """From -1 to 1."""
    pearson: Float64[np.ndarray, " unit"]
    """From -1 to 1."""
    overlap: Float64[np.ndarray, " unit"]
    """From 0 to 1."""
    equivariance_by_agent: Float64[np.ndarray, "agent unit"]


class Reduced(NamedTuple):
    """What is kept of maps: enough for scores at any positions, such as shuffled ones."""

    centroids: Float64[np.ndarray, "place agent unit rowcol"]
    loud: Bool[np.ndarray, "place agent unit row col"]
    """Where each map, scaled to 0..1, is above a half; nowhere in a map of one value."""


def track(
    maps: Float[np.ndarray, "place agent unit row col"], places: Float[np.ndarray, "place rowcol"]
) -> TrackingScores:
    """Scores of every unit.

    Args:
        places: where the thing is, in positions of the map: continuous, the middle of position (0, 0) at (0.5, 0.5).

    Raises ValueError: fewer than four places, or another number of them than maps have.
    """
    return score(reduced(maps), places)


def reduced(maps: Float[np.ndarray, "place agent unit row col"]) -> Reduced:
    """The part of `track` that does not depend on the places."""
    low, high = maps.min(axis=(-1, -2), keepdims=True), maps.max(axis=(-1, -2), keepdims=True)
    return Reduced(centroids(maps), (maps > (low + high) / 2) & (high > low))


def score(found: Reduced, places: Float[np.ndarray, "place rowcol"]) -> TrackingScores:
    """The part of `track` that does. Raises ValueError: as `track`."""
    if len(places) < 4 or len(found.loud) != len(places):
        raise ValueError(
            f"expected maps of at least four places of the thing, and where each lies; given maps of {len(found.loud)} "
            f"places and {len(places)} positions"
        )
    by_agent = _equivariance(found.centroids, places)
    return TrackingScores(
        _predictiveness(found.centroids, places),
        by_agent.mean(axis=0),
        _pearson(found.centroids, places),
        _overlap(found.loud, np.floor(places).astype(np.int64)),
        by_agent,
    )


def change(
    maps: Float[np.ndarray, "place agent unit row col"],
) -> Float[np.ndarray, "place agent unit row col"]:
    """The size of each map's difference from its mean over the thing's places, agent by agent."""
    return np.abs(maps - maps.mean(axis=0, keepdims=True))


def centroids(
    maps: Float[np.ndarray, "*map unit row col"],
) -> Float64[np.ndarray, "*map unit rowcol"]:
    """Where the positive mass of each map lies on average; the map's middle where there is none."""
    mass = np.maximum(maps, 0)
    rows, cols = mass.sum(axis=-1).astype(np.float64), mass.sum(axis=-2).astype(np.float64)
    total = rows.sum(axis=-1)
    at = []
    for sums in (rows, cols):
        middles = np.arange(sums.shape[-1]) + 0.5
        middle = np.full(total.shape, sums.shape[-1] / 2)
        at.append(np.divide(sums @ middles, total, out=middle, where=total > 0))
    return np.stack(at, axis=-1)


def _equivariance(
    found: Float64[np.ndarray, "place agent unit rowcol"], places: Float[np.ndarray, "place rowcol"]
) -> Float64[np.ndarray, "agent unit"]:
    moved = np.roll(found, -1, axis=0) - found
    thing = (np.roll(places, -1, axis=0) - places)[:, None, None]
    lengths = np.linalg.norm(moved, axis=-1) * np.linalg.norm(thing, axis=-1)
    follows = np.linalg.norm(moved, axis=-1) > _STILL
    cosines = np.divide((moved * thing).sum(axis=-1), lengths, out=np.zeros_like(lengths), where=follows)
    steps: Bool[np.ndarray, " place"] = np.linalg.norm(thing[:, 0, 0], axis=-1) > 0
    return cosines[steps].mean(axis=0)


def _pearson(
    found: Float64[np.ndarray, "place agent unit rowcol"], places: Float[np.ndarray, "place rowcol"]
) -> Float64[np.ndarray, " unit"]:
    x = found - found.mean(axis=(0, 1))
    y = (places - places.mean(axis=0))[:, None, None]
    both = np.sqrt((x**2).sum(axis=(0, 1)) * (y**2).sum(axis=(0, 1)) * found.shape[1])
    r = np.divide((x * y).sum(axis=(0, 1)), both, out=np.zeros_like(both), where=both > _STILL)
    return r.mean(axis=-1)


def _predictiveness(
    found: Float64[np.ndarray, "place agent unit rowcol"], places: Float[np.ndarray, "place rowcol"]
) -> Float64[np.ndarray, " unit"]:
    # About the middle of all, so that the sums of products below lose no digits.
    x = found - found.mean(axis=(0, 1))
    y = places - places.mean(axis=0)
    design = np.concatenate([np.ones((*x.shape[:-1], 1)), x], axis=-1).transpose(
        0, 2, 1, 3
    )  # place unit agent 3
    products = np.swapaxes(design, -1, -2) @ design
    with_y = design.sum(axis=2)[..., None] * y[:, None, None]
    rest = products.sum(axis=0) - products, with_y.sum(axis=0) - with_y
    fits = np.linalg.pinv(rest[0], hermitian=True, rcond=1e-10) @ rest[1]
    errors = ((design @ fits - y[:, None, None]) ** 2).sum(axis=(0, 2, 3))
    return 1 - errors / ((y**2).sum() * found.shape[1])


def _overlap(
    loud: Bool[np.ndarray, "place agent unit row col"], spots: Int[np.ndarray, "place rowcol"]
) -> Float64[np.ndarray, " unit"]:
    counts = np.count_nonzero(loud, axis=(-1, -2))
    found = np.zeros(counts.shape)
    for place, (row, col) in enumerate(spots.tolist()):
        window = loud[place, ..., max(row - 1, 0) : row + 2, max(col - 1, 0) : col + 2]
        shared = np.count_nonzero(window, axis=(-1, -2))
        area = window.shape[-1] * window.shape[-2]
        found[place] = shared / np.maximum(counts[place] + area - shared, 1)
    return found.mean(axis=(0, 1))
