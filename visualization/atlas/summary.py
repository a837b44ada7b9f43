"""The trust measures of an atlas over all its units, method by method.

When to use: for the head of the page, and for experiments that compare methods or kinds of units.

Axes: `unit`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from procscope.visualization.atlas.build import Atlas
from procscope.visualization.atlas.entry import AtlasEntry
from procscope.visualization.atlas.settings import FROM_DATA
from procscope.workbench.statistics import Interval, wilson


class MethodSummary(NamedTuple):
    """Over the units whose pictures mean something; medians, None where no unit has the number."""

    method: str
    n_units: int
    n_problems: int
    """Units that are dead or flat."""
    reach: float | None
    """Median over the units whose 99.9th percentile is above 0."""
    reach_from_median: float | None
    """Median."""
    beyond_data: float | None
    """Share of units whose picture reaches more than the 99.9th percentile of frames."""
    seed_similarity: float | None
    slope: float | None
    matches: Interval | None
    """Share of forced choices that fall on the unit's class, Wilson's interval over units."""
    chance: float | None
    """Of these choices, if they were guesses."""


def summarise_method(entries: Sequence[AtlasEntry], method: str) -> MethodSummary:
    """The measures of one method's entries."""
    sound = [entry for entry in entries if not entry.problem]
    above_median = [entry.reach_from_median for entry in sound if entry.reach_from_median is not None]
    choices = [entry for entry in sound if entry.matches is not None]
    return MethodSummary(
        method,
        len(entries),
        len(entries) - len(sound),
        _median([entry.reach for entry in sound if entry.reach is not None]),
        _median(above_median),
        float(np.mean(np.array(above_median) > 1)) if above_median else None,
        _median([entry.seed_similarity for entry in sound if entry.seed_similarity is not None]),
        _median([entry.slope for entry in sound if entry.slope is not None]),
        wilson(sum(bool(entry.matches) for entry in choices), len(choices)) if choices else None,
        float(np.mean([1 / (entry.n_classes or 1) for entry in choices])) if choices else None,
    )


def summarise_atlas(atlas: Atlas) -> list[MethodSummary]:
    """One row for each method that makes pictures; those from data have nothing to be trusted for."""
    return [
        summarise_method(atlas.of(method), method)
        for method in atlas.settings.methods
        if method not in FROM_DATA
    ]


def _median(values: Sequence[float]) -> float | None:
    return float(np.median(values)) if values else None
