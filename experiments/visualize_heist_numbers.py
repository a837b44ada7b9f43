"""The numbers of `visualize-heist`: one or more for each claim of the notes about pictures of units.

    S4.feature-vis      share of units whose picture excites them more than 99.9% of frames do
    S4.decorrelation    environment's colours less plain ones, the same units: agreement of seeds, distance of colours
    S4.vis-sae-vs-raw   latents less channels: agreement of seeds, distance of the slope from -2, what one label
                        explains, forced choices that agree
    S4.patch-vis        how alike the pictures of different units are, patches less whole channels
    S4.max-act          how alike a unit's own frames are, less those of other units
    S4.max-patch        the same of patches, and latents less channels

The first, second and fourth are those of `atlas_numbers.py`, which says how likeness is measured.

Axes: `unit`, `picture`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from procscope.activations.cache import ActivationCache
from procscope.experiments.atlas_numbers import agreement, made_numbers, mean_of
from procscope.experiments.maze_networks import training_of
from procscope.visualization.atlas.build import Atlas
from procscope.visualization.atlas.summary import MethodSummary, summarise_atlas
from procscope.visualization.colours import Colours
from procscope.workbench.checkpoints import LoadedModel
from procscope.workbench.interval_difference import independent_difference
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
        for id, value, unit in made_numbers(atlas, colours, rng):
            keep(id, value, unit, kind=kind)
        lucid = [entry for entry in atlas.of("lucid") if not entry.problem]
        frames, patches = (agreement(atlas.of(method)) for method in ("frames", "patches"))
        keep("S4.max-act/agreement", mean_of(frames.tolist(), rng), kind=kind)
        keep("S4.max-patch/agreement", mean_of(patches.tolist(), rng), kind=kind)
        keep("S4.max-patch/over_frames", mean_of((patches - frames).tolist(), rng), kind=kind)
        choices = [bool(one.matches) for one in lucid if one.matches is not None]
        of_kind[kind] = {
            "seed_similarity": mean_of(
                [one.seed_similarity for one in lucid if one.seed_similarity is not None], rng
            ),
            "slope_distance": mean_of([abs(one.slope + 2) for one in lucid if one.slope is not None], rng),
            "label_explains": mean_of([one.eta_squared for one in lucid if one.eta_squared is not None], rng),
            "matches": wilson(sum(choices), len(choices)) if choices else None,
            "patch_agreement": mean_of(patches.tolist(), rng),
        }
    for quantity, of_sae in of_kind["sae"].items():
        of_raw = of_kind["raw"][quantity]
        apart = independent_difference(of_sae, of_raw) if of_sae and of_raw else None
        target = (
            "S4.max-patch/sae_over_raw" if quantity == "patch_agreement" else f"S4.vis-sae-vs-raw/{quantity}"
        )
        keep(target, apart, "share" if quantity in ("label_explains", "matches") else "1")
    return HeistNumbers({kind: summarise_atlas(atlas) for kind, atlas in atlases.items()})
