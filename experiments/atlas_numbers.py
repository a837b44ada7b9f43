"""What atlases say about S4's claims on pictures made by gradient, and the trust measures method by method.

    S4.feature-vis      share of units whose picture excites them more than 99.9% of frames do
    S4.decorrelation    environment's colours less plain ones, the same units: agreement of seeds, distance of colours
    S4.patch-vis        how alike the pictures of different units are, patches less whole channels

When to use: `visualize-heist` compares channels with latents by these numbers, `visualize-units` reports whole layers
of several networks.

Likeness of pictures is the cosine similarity of 16 x 16 pixels less the mean picture of the method. Units that are dead
or flat have no picture to measure and are left out.

Axes: `unit`, `picture`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from PIL import Image

from procscope.visualization.atlas.build import Atlas
from procscope.visualization.atlas.entry import AtlasEntry
from procscope.visualization.colours import Colours
from procscope.workbench.mean_intervals import bootstrap_means
from procscope.workbench.statistics import Interval, wilson

_SIDE = 16


class AtlasNumber(NamedTuple):
    """One number of an atlas; None where fewer than two units have it."""

    id: str
    value: Interval | None
    unit: str


def made_numbers(atlas: Atlas, colours: Colours, rng: np.random.Generator) -> list[AtlasNumber]:
    """S4's claims, of an atlas with `lucid`, `lucid-plain-colours` and `centre-patch`."""
    sound = [unit for unit in atlas.units if not atlas.entries[unit, "lucid"].problem]
    lucid, plain, patch = (
        [atlas.entries[unit, method] for unit in sound]
        for method in ("lucid", "lucid-plain-colours", "centre-patch")
    )
    gains = [
        one.seed_similarity - other.seed_similarity
        for one, other in zip(lucid, plain, strict=True)
        if one.seed_similarity is not None and other.seed_similarity is not None
    ]
    nearer = [
        colour_distance(b, colours) - colour_distance(a, colours) for a, b in zip(lucid, plain, strict=True)
    ]
    alike = likeness_to_others(patch) - likeness_to_others(lucid) if sound else np.empty(0)
    return [
        AtlasNumber("S4.feature-vis/beyond_data", _share_beyond(lucid), "share"),
        AtlasNumber("S4.decorrelation/seed_similarity_gain", mean_of(gains, rng), "1"),
        AtlasNumber("S4.decorrelation/colour_distance_drop", mean_of(nearer, rng), "1"),
        AtlasNumber("S4.patch-vis/likeness_over_channel", mean_of(alike.tolist(), rng), "1"),
    ]


def trust_numbers(entries: Sequence[AtlasEntry], rng: np.random.Generator) -> list[AtlasNumber]:
    """The four trust measures of one method over its units."""
    sound = [entry for entry in entries if not entry.problem]
    choices = [entry for entry in sound if entry.matches is not None]
    over_chance = [float(bool(entry.matches)) - 1 / (entry.n_classes or 1) for entry in choices]
    agree = [entry.seed_similarity for entry in sound if entry.seed_similarity is not None]
    slopes = [entry.slope for entry in sound if entry.slope is not None]
    return [
        AtlasNumber("atlas/beyond_data", _share_beyond(sound), "share"),
        AtlasNumber("atlas/seed_similarity", mean_of(agree, rng), "1"),
        AtlasNumber("atlas/slope", mean_of(slopes, rng), "1"),
        AtlasNumber("atlas/choice_over_chance", mean_of(over_chance, rng), "share"),
    ]


def colour_distance(entry: AtlasEntry, colours: Colours) -> float:
    """Mean squared Mahalanobis distance of the first picture's pixels from the environment's colours: 3 for its own."""
    pixels = _picture(entry, 0).reshape(-1, 3) / 255 - colours.mean
    return float(
        np.einsum("pi,ij,pj->p", pixels, np.linalg.pinv(np.array(colours.covariance)), pixels).mean()
    )


def likeness_to_others(entries: Sequence[AtlasEntry]) -> Float[np.ndarray, " unit"]:
    """Mean likeness of each unit's first picture to those of the other units."""
    alike = _likeness([_small(entry, 0) for entry in entries])
    return (alike.sum(axis=1) - np.diag(alike)) / max(1, len(entries) - 1)


def agreement(entries: Sequence[AtlasEntry]) -> Float[np.ndarray, " unit"]:
    """Mean likeness of a unit's pictures to each other, less that to the pictures of other units."""
    pictures, owners = [], []
    for unit, entry in enumerate(entries):
        pictures += [_small(entry, number) for number in range(len(entry.pictures))]
        owners += [unit] * len(entry.pictures)
    alike, of = _likeness(pictures), np.array(owners)
    off = ~np.eye(len(of), dtype=bool)
    same = of[:, None] == of[None]
    return np.array(
        [
            alike[same & off & (of == unit)[:, None]].mean() - alike[~same & (of == unit)[:, None]].mean()
            for unit in range(len(entries))
        ]
    )


def mean_of(values: Sequence[float], rng: np.random.Generator) -> Interval | None:
    """Mean with its bootstrap interval over units; None of fewer than two."""
    return bootstrap_means(np.array(values)[:, None], rng=rng)[0] if len(values) > 1 else None


def _share_beyond(entries: Sequence[AtlasEntry]) -> Interval | None:
    beyond = [entry.reach_from_median > 1 for entry in entries if entry.reach_from_median is not None]
    return wilson(sum(beyond), len(beyond)) if len(beyond) > 1 else None


def _likeness(pictures: Sequence[np.ndarray]) -> Float[np.ndarray, "picture picture_"]:
    flat = np.stack(pictures).reshape(len(pictures), -1).astype(np.float64)
    flat -= flat.mean(axis=0)
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-9)
    return flat @ flat.T


def _picture(entry: AtlasEntry, number: int) -> np.ndarray:
    return np.asarray(entry.pictures[number].opened())


def _small(entry: AtlasEntry, number: int) -> np.ndarray:
    picture = Image.fromarray(_picture(entry, number))
    return np.asarray(picture.resize((_SIDE, _SIDE), Image.Resampling.BOX))
