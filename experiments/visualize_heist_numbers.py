"""The numbers of `visualize-heist`: one or more for each claim of the notes about pictures of units.

    S4.feature-vis      share of units whose picture excites them more than 99.9% of frames do
    S4.decorrelation    environment's colours less plain ones, the same units: agreement of seeds, distance of colours
    S4.vis-sae-vs-raw   latents less channels: agreement of seeds, distance of the slope from -2, what one label
                        explains, forced choices that agree
    S4.patch-vis        how alike the pictures of different units are, patches less whole channels
    S4.max-act          how alike a unit's own frames are, less those of other units
    S4.max-patch        the same of patches, and latents less channels

Likeness of pictures is the cosine similarity of 16 x 16 pixels less the mean picture of the method.

Axes: `unit`, `picture`.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from PIL import Image

from procscope.activations.cache import ActivationCache
from procscope.experiments.maze_networks import training_of
from procscope.visualization.atlas.build import Atlas
from procscope.visualization.atlas.entry import AtlasEntry
from procscope.visualization.atlas.summary import MethodSummary, summarise_atlas
from procscope.visualization.colours import Colours
from procscope.workbench.checkpoints import LoadedModel
from procscope.workbench.interval_difference import independent_difference
from procscope.workbench.mean_intervals import bootstrap_means
from procscope.workbench.runs import RunRecord
from procscope.workbench.statistics import Interval, wilson

TARGETS = (
    "S4.feature-vis",
    "S4.decorrelation",
    "S4.vis-sae-vs-raw",
    "S4.patch-vis",
    "S4.max-act",
    "S4.max-patch",
)
_SIDE = 16


@dataclass(frozen=True)
class HeistNumbers:
    """What the report shows of one network."""

    summaries: dict[str, list[MethodSummary]]
    """By kind of unit."""


def record_numbers(
    record: RunRecord, model: LoadedModel, cache: ActivationCache, atlases: Mapping[str, Atlas]
) -> HeistNumbers:
    """Record every number of a network."""
    rng = np.random.default_rng((record.seed, 1))
    colours = Colours.of(np.asarray(cache.frames[:2000]))
    base = {"model": model.name, "training": training_of(model), "hook_point": atlases["raw"].hook_point}

    def keep(id: str, value: Interval | None, unit: str = "1", **where: str) -> None:
        if value is None:
            record.undefined_metric(id, base | where, "fewer than two units have this number")
        else:
            record.metric(id, value, base | where, unit=unit)

    of_kind: dict[str, dict[str, Interval | None]] = {}
    for kind, atlas in atlases.items():
        lucid, plain = atlas.of("lucid"), atlas.of("lucid-plain-colours")
        beyond = [one.reach_from_median > 1 for one in lucid if one.reach_from_median is not None]
        keep(
            "S4.feature-vis/beyond_data",
            wilson(sum(beyond), len(beyond)) if beyond else None,
            "share",
            kind=kind,
        )
        agree = [
            (one.seed_similarity, other.seed_similarity) for one, other in zip(lucid, plain, strict=True)
        ]
        gains = [one - other for one, other in agree if one is not None and other is not None]
        keep("S4.decorrelation/seed_similarity_gain", _mean(gains, rng), kind=kind)
        nearer = [
            colour_distance(b, colours) - colour_distance(a, colours)
            for a, b in zip(lucid, plain, strict=True)
        ]
        keep("S4.decorrelation/colour_distance_drop", _mean(nearer, rng), kind=kind)
        alike = likeness_to_others(atlas.of("centre-patch")) - likeness_to_others(lucid)
        keep("S4.patch-vis/likeness_over_channel", _mean(alike.tolist(), rng), kind=kind)
        frames, patches = (agreement(atlas.of(method)) for method in ("frames", "patches"))
        keep("S4.max-act/agreement", _mean(frames.tolist(), rng), kind=kind)
        keep("S4.max-patch/agreement", _mean(patches.tolist(), rng), kind=kind)
        keep("S4.max-patch/over_frames", _mean((patches - frames).tolist(), rng), kind=kind)
        choices = [bool(one.matches) for one in lucid if one.matches is not None]
        of_kind[kind] = {
            "seed_similarity": _mean([a for a, _ in agree if a is not None], rng),
            "slope_distance": _mean([abs(one.slope + 2) for one in lucid if one.slope is not None], rng),
            "label_explains": _mean([one.eta_squared for one in lucid if one.eta_squared is not None], rng),
            "matches": wilson(sum(choices), len(choices)) if choices else None,
            "patch_agreement": _mean(patches.tolist(), rng),
        }
    for quantity, of_sae in of_kind["sae"].items():
        of_raw = of_kind["raw"][quantity]
        apart = independent_difference(of_sae, of_raw) if of_sae and of_raw else None
        target = (
            "S4.max-patch/sae_over_raw" if quantity == "patch_agreement" else f"S4.vis-sae-vs-raw/{quantity}"
        )
        keep(target, apart, "share" if quantity in ("label_explains", "matches") else "1")
    return HeistNumbers({kind: summarise_atlas(atlas) for kind, atlas in atlases.items()})


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


def _likeness(pictures: Sequence[np.ndarray]) -> Float[np.ndarray, "picture picture_"]:
    flat = np.stack(pictures).reshape(len(pictures), -1).astype(np.float64)
    flat -= flat.mean(axis=0)
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-9)
    return flat @ flat.T


def _picture(entry: AtlasEntry, number: int) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(entry.pictures[number].png))).convert("RGB"))


def _small(entry: AtlasEntry, number: int) -> np.ndarray:
    picture = Image.fromarray(_picture(entry, number))
    return np.asarray(picture.resize((_SIDE, _SIDE), Image.Resampling.BOX))


def _mean(values: Sequence[float], rng: np.random.Generator) -> Interval | None:
    return bootstrap_means(np.array(values)[:, None], rng=rng)[0] if len(values) > 1 else None
